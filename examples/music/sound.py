"""A score as sound: a tone with a few overtones, enough to hear whether it was read correctly."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt

from examples.music.score import Score

RATE = 22_050
"""Samples a second."""

_OVERTONES = (1.0, 0.5, 0.25, 0.12)  # how loud, from the tone itself upwards
_ATTACK_S, _DECAY_S, _RELEASE_S = 0.01, 0.6, 0.03
_LOUD = 0.4  # of full scale, which the overtones' sum stays below
_A4, _A4_HZ = 69, 440.0


def tone(number: int, seconds: float) -> npt.NDArray[np.float64]:
    """A note of MIDI `number`, -1…1 at `RATE`."""
    at = np.arange(round(seconds * RATE)) / RATE
    hertz = _A4_HZ * 2 ** ((number - _A4) / 12)
    made = sum(
        loud * np.sin(2 * np.pi * hertz * multiple * at)
        for multiple, loud in enumerate(_OVERTONES, start=1)
    )
    fade = np.minimum(1, at / _ATTACK_S) * np.exp(-at / _DECAY_S)
    fade *= np.minimum(1, (seconds - at) / _RELEASE_S)
    played: npt.NDArray[np.float64] = made / sum(_OVERTONES) * fade
    return played


def to_wav(score: Score, quarters_a_minute: float = 100.0) -> bytes:
    """The score as a WAV file, 16 bit, one channel."""
    sixteenth_s = 60 / quarters_a_minute / 4
    parts = [np.zeros(0)]
    for number, length in score.sounding():
        seconds = length * sixteenth_s
        silent = np.zeros(round(seconds * RATE))
        parts.append(silent if number is None else tone(number, seconds))
    samples = np.round(_LOUD * 32767 * np.concatenate(parts)).astype("<i2")
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return data.getvalue()
