"""Symbols, scores and their rules; that pictures of scores are read is in test_music_reading.py."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Iterator

import numpy as np
import pytest

from examples.music.compose import compose
from examples.music.score import Event, Measure, Score, ScoreError, parse
from examples.music.sound import RATE, to_wav, tone
from examples.music.symbols import CHARSET, HIGHEST, LOWEST, STEPS, TIMES, TOKENS, place

ODE = (
    "clef.G key.2# time.4/4 note.quarter-S1 note.quarter-S1 note.quarter-L2 note.quarter-S2 "
    "barline note.quarter-L1 dot note.eighth-S0 note.half-S0 barline.final"
)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_lines_and_spaces_are_counted_from_below() -> None:
    assert " ".join(map(place, (-3, -2, -1, 0, 1, 2, 8))) == "S-1 L0 S0 L1 S1 L2 L5"
    assert len(STEPS) == HIGHEST - LOWEST + 1


def test_every_sign_is_composed_sooner_or_later() -> None:
    seen = {symbol for seed in range(3000) for symbol in compose(rng(seed)).symbols()}
    assert seen == set(TOKENS)


@pytest.mark.parametrize("seed", range(300))
def test_composed_scores_fill_their_measures_and_survive_a_round_trip(seed: int) -> None:
    score = compose(rng(seed))
    assert score.uneven() == []
    assert parse(CHARSET.split(CHARSET.join(score.symbols()))) == score


def test_a_seed_gives_one_score() -> None:
    assert compose(rng(5)) == compose(rng(5)) != compose(rng(6))


def test_a_key_and_an_accidental_are_heard_until_the_bar_line() -> None:
    symbols = (
        "clef.G key.1# note.quarter-S1 accidental.natural note.quarter-S1 note.quarter-S1 "
        "note.quarter-L5 barline note.quarter-S1 rest.half"
    )
    numbers = [number for number, _ in parse(symbols.split()).sounding()]
    # F#4 F4 F4, F#5 an octave above, which the natural does not touch, and F#4 again
    assert numbers == [66, 65, 65, 78, 66, None]


@pytest.mark.parametrize(
    ("clef", "key", "heard"),
    [
        ("clef.G", "", [64, 65, 77]),  # E4 F4 F5
        ("clef.F", "", [43, 45, 57]),  # G2 A2 A3
        ("clef.G", "key.7b ", [63, 64, 76]),
        ("clef.F", "key.7# ", [44, 46, 58]),
    ],
)
def test_heights_sound_by_clef_and_key(clef: str, key: str, heard: list[int]) -> None:
    symbols = f"{clef} {key}note.half-L1 note.half-S1 note.half-L5".split()
    assert [number for number, _ in parse(symbols).sounding()] == heard


def test_a_score_becomes_abc() -> None:
    assert parse(ODE.split()).abc("Ode") == (
        "X:1\nT:Ode\n%%propagate-accidentals octave\nL:1/16\nM:4/4\nK:D clef=treble\n"
        "F4 F4 G4 A4 | E6 D2 D8 |]\n"
    )


@pytest.mark.parametrize("title", ["100% a", "100%\na\n"])
def test_a_title_stays_a_line_and_no_comment(title: str) -> None:
    assert "\nT:100\\% a\n%%" in parse(ODE.split()).abc(title)


def test_abc_rests_for_a_measure_where_a_whole_rest_stands_alone() -> None:
    score = parse(["clef.G", "time.3/4", "rest.whole", "barline", "note.half-L1", "rest.quarter"])
    assert score.abc().endswith("\nZ1 | E8 z4\n")
    assert score.abc(measure_rests=False).endswith("\nz16 | E8 z4\n")
    assert parse(["clef.G", "rest.whole"]).abc().endswith("\nz16\n")  # of no known measure


def test_abc_joins_the_short_notes_of_a_beat_alone() -> None:
    symbols = "clef.F key.3b time.3/8 " + "note.eighth-S0 " * 3 + "barline rest.eighth "
    symbols += "note.sixteenth-L7 accidental.flat note.sixteenth-S7 dot note.eighth-L-1"
    score = parse(symbols.split())
    assert score.abc().endswith("K:Eb clef=bass\nF,,2F,,2F,,2 | z2 E_F3/2C,,2\n")
    assert score.abc(beams=False).endswith("F,,2 F,,2 F,,2 | z2 E _F3/2 C,,2\n")


@pytest.mark.parametrize(
    ("time", "joined"),
    [("4/4", "2 2 2 2"), ("C|", "2 2 2 2"), ("2/4", "2 2"), ("6/8", "3 3"), ("3/8", "3")],
)
def test_eighths_are_joined_by_beats(time: str, joined: str) -> None:
    eighths = Measure([Event("eighth", step=3)] * (TIMES[time] // 2), "barline.double")
    body = Score("clef.G", time=time, measures=[eighths]).abc().splitlines()[-1]
    assert body == " ".join("A2" * int(count) for count in joined.split()) + " ||"


def test_the_notes_of_an_upbeat_are_joined_by_the_beats_that_they_fall_on() -> None:
    def eighths(count: int) -> Measure:
        return Measure([Event("eighth", step=2)] * count, "barline")

    def body(*counts: int) -> str:
        score = Score("clef.G", time="2/4", measures=[eighths(n) for n in counts])
        return score.abc().splitlines()[-1]

    assert body(3, 4) == "G2 G2G2 | G2G2 G2G2 |"
    assert body(3) == "G2G2 G2 |"  # of a line that is one measure nobody can tell


def heard(abc: str) -> Iterator[int]:
    """MIDI numbers of the notes in ABC whose accidentals hold in their octave alone."""
    header, body = re.split(r"(?<= clef=treble)\n|(?<= clef=bass)\n", abc)
    letter, kind = re.findall(r"K:(.)([#b]?)", header)[0]
    fifths = "FCGDAEB".index(letter) - 1 + 7 * {"b": -1, "": 0, "#": 1}[kind]
    raised, lowered = "FCGDAEB"[: max(fifths, 0)], "BEADGCF"[: max(-fifths, 0)]
    for measure in body.split("|"):
        written: dict[str, int] = {}
        for symbol, letter, marks in re.findall(r"([=^_]?)([A-Ga-g])([,']*)", measure):
            name, octave = letter.upper(), 4 + letter.islower() + marks.count("'")
            if symbol:
                written[letter + marks] = {"_": -1, "=": 0, "^": 1}[symbol]
            alter = written.get(letter + marks, (name in raised) - (name in lowered))
            yield 12 * (octave + 1 - marks.count(",")) + "C D EF G A B".index(name) + alter


@pytest.mark.parametrize("seed", range(100))
def test_abc_matches_the_sound(seed: int) -> None:
    score = compose(rng(seed))
    assert list(heard(score.abc())) == [n for n, _ in score.sounding() if n is not None]


def test_abc_without_a_time_signature_has_none() -> None:
    assert "M:" not in parse(["clef.G", "note.whole-L1"]).abc()


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("", "expected a clef first, got nothing"),
        ("time.3/4 note.half-L1", "expected a clef first, got 'time.3/4'"),
        ("clef.G key.8# rest.third", r"unknown symbols: \['key.8#', 'rest.third'\]"),
        ("clef.G dot", "symbol 2, 'dot'"),
        ("clef.G note.half-L1 dot dot", "symbol 4, 'dot'"),
        ("clef.G note.half-L1 clef.F", "symbol 3, 'clef.F'"),
        ("clef.G note.half-L1 key.2#", "symbol 3, 'key.2#'"),
        ("clef.G time.3/4 key.2#", "symbol 3, 'key.2#'"),
        ("clef.G key.1# key.2#", "symbol 3, 'key.2#'"),
        ("clef.G time.3/4 time.2/4", "symbol 3, 'time.2/4'"),
        ("clef.G accidental.flat key.2#", "follows an accidental without a note"),
        ("clef.G barline", "symbol 2, 'barline'"),
        ("clef.G accidental.flat rest.half", "accidental without a note"),
        ("clef.G note.half-L1 accidental.flat", "ends with an accidental"),
        ("clef.G key.2# time.3/4", "neither a note nor a rest"),
    ],
)
def test_symbols_that_are_not_a_score_are_refused(symbols: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        parse(symbols.split())


def quarters(*counts: int, time: str = "3/4") -> Score:
    notes = [Measure([Event("quarter", step=1)] * count, "barline") for count in counts]
    return Score("clef.G", time=time, measures=notes)


def test_measures_that_do_not_fill_their_length_are_reported() -> None:
    assert quarters(3, 3).uneven() == []
    assert quarters(1, 3, 2).uneven() == []  # an upbeat, and a last measure that completes it
    assert quarters(3, 2, 3, 4, 3).uneven() == [2, 4]
    assert [quarters(*n).parts() for n in ((3, 3), (1, 3, 3), (1, 3, 2), (2,))] == [0, 1, 2, 1]
    assert quarters(4).uneven() == [1]
    assert Score("clef.G", time=None, measures=quarters(1, 2, 4).measures).uneven() == []


@pytest.mark.parametrize("time", TIMES)
def test_a_whole_rest_alone_lasts_a_measure_of_any_time(time: str) -> None:
    rest = Measure([Event("whole")], "barline")
    full = [rest, rest, rest]
    score = Score("clef.G", time=time, measures=full)
    assert score.uneven() == []
    assert [length for _, length in score.sounding()] == [TIMES[time]] * 3


def test_a_dotted_whole_rest_has_its_length() -> None:
    score = parse(["clef.G", "time.3/4", "rest.whole", "dot", "barline"])
    assert score.uneven() == [1]
    assert [length for _, length in score.sounding()] == [24]


def test_a_tone_is_as_high_and_as_long_as_it_should_be() -> None:
    played = tone(69, 1.0)
    assert len(played) == RATE
    assert np.abs(played).max() <= 1
    loudest = np.abs(np.fft.rfft(played)).argmax()  # one second: bins are hertz
    assert loudest == 440
    assert np.abs(np.fft.rfft(tone(57, 1.0))).argmax() == 220


@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0])
def test_a_tone_fades_and_does_not_click(seconds: float) -> None:
    played = np.abs(tone(69, seconds))
    assert played[:20].max() < 0.1
    assert played[-20:].max() < 0.05
    assert played[: RATE // 20].max() > 0.3
    assert seconds < 1 or played[RATE:].max() < 0.3


def test_a_score_sounds_as_long_as_it_lasts() -> None:
    with wave.open(io.BytesIO(to_wav(parse(ODE.split()), quarters_a_minute=120))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(samples) == pytest.approx(8 * 0.5 * RATE, abs=8)
    assert 1000 < np.abs(samples).max() < 32767


def test_a_rest_is_silent() -> None:
    with wave.open(io.BytesIO(to_wav(parse(["clef.G", "rest.half"])))) as file:
        assert not np.frombuffer(file.readframes(file.getnframes()), "<i2").any()
