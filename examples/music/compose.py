"""Random scores to train on: they look like melodies, but are not musical.

Every symbol occurs often enough to be learned, at every height, and no melody recurs: a network
that knows songs would read what it expects.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from examples.music.score import Event, Measure, Score
from examples.music.symbols import BARS, CLEFS, HIGHEST, KEYS, LOWEST, TIMES

T = TypeVar("T")

_LENGTHS = {  # sixteenths: how it is written, how often
    16: ("whole", False, 0.6),
    12: ("half", True, 0.5),
    8: ("half", False, 1.0),
    6: ("quarter", True, 0.7),
    4: ("quarter", False, 1.6),
    3: ("eighth", True, 0.6),
    2: ("eighth", False, 1.8),
    1: ("sixteenth", False, 1.4),
}
_MIDDLE, _SPREAD = 4, 3.5  # steps: the middle line, and how far melodies stray from it
_LEAP = 0.3  # how often the next note is anywhere, not a step or two from the last
_REST, _ACCIDENTAL = 0.12, 0.14
_NO_KEY, _NO_TIME = 0.25, 0.35
_UPBEAT, _CUT, _WHOLE_REST = 0.12, 0.15, 0.04
_MAX_EVENTS = 14  # in an image


def compose(rng: np.random.Generator) -> Score:
    """A score of one to some measures, most of them full."""
    score = Score(clef=_choice(rng, list(CLEFS), [0.7, 0.3]))
    if rng.random() > _NO_KEY:
        score.key = list(KEYS.values())[int(rng.integers(len(KEYS)))]
    time = list(TIMES)[int(rng.integers(len(TIMES)))]
    if rng.random() > _NO_TIME:
        score.time = time
    wanted, step = int(rng.integers(3, _MAX_EVENTS + 1)), _near_middle(rng)
    while (left := wanted - sum(len(measure.events) for measure in score.measures)) > 0:
        full = TIMES[time]
        if not score.measures and rng.random() < _UPBEAT:
            full = int(rng.integers(1, full))
        measure, step = _measure(rng, full, step)
        ends = len(measure.events) > left  # the image, within the measure
        del measure.events[left:]
        measure.bar = None if ends and rng.random() < _CUT else BARS[0]
        score.measures.append(measure)
    if score.measures[-1].bar:
        score.measures[-1].bar = _choice(rng, list(BARS), [0.6, 0.15, 0.25])
    return score


def _measure(rng: np.random.Generator, full: int, step: int) -> tuple[Measure, int]:
    measure, at = Measure(), 0
    if rng.random() < _WHOLE_REST:
        return Measure([Event("whole")]), step
    # Some measures are slow, some fast, so that no length is rare.
    pace = {length: share * rng.random() for length, (_, _, share) in _LENGTHS.items()}
    while at < full:
        # On an odd sixteenth only what leaves it: the rest is never written so.
        fits = [n for n in pace if n <= full - at and (at % 2 == 0 or n % 2 == 1)]
        length = _choice(rng, fits, [pace[n] for n in fits])
        value, dotted, _ = _LENGTHS[length]
        if rng.random() < _REST:
            measure.events.append(Event(value, dotted))
        else:
            near = step + int(rng.integers(-2, 3))
            step = _near_middle(rng) if rng.random() < _LEAP else min(max(near, LOWEST), HIGHEST)
            kind = _choice(rng, ["sharp", "flat", "natural"], [0.4, 0.35, 0.25])
            accidental = kind if rng.random() < _ACCIDENTAL else None
            measure.events.append(Event(value, dotted, step, accidental))
        at += length
    return measure, step


def _near_middle(rng: np.random.Generator) -> int:
    step = round(_MIDDLE + _SPREAD * float(rng.standard_normal()))
    return step if LOWEST <= step <= HIGHEST else int(rng.integers(LOWEST, HIGHEST + 1))


def _choice(rng: np.random.Generator, options: list[T], shares: list[float]) -> T:
    return options[int(rng.choice(len(options), p=np.array(shares) / sum(shares)))]
