"""What a row of symbols means: notes and rests in measures, what they sound like, and as ABC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crnn_edge.errors import CrnnError
from examples.music.symbols import ACCIDENTALS, BARS, CLEFS, KEYS, STEPS, TIMES, TOKENS, VALUES

_SEMITONES = (0, 2, 4, 5, 7, 9, 11)  # of C D E F G A B above C
_SHARPS = (3, 0, 4, 1, 5, 2, 6)  # letters as a key signature raises them, in turn: F C G …
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_ABC_CLEFS = {"clef.G": "treble", "clef.F": "bass"}
_ABC_ACCIDENTALS = {None: "", "sharp": "^", "flat": "_", "natural": "="}
_ABC_BARS = dict(zip(BARS, ("|", "||", "|]"), strict=True))
_BEAT, _BEAT_OF_EIGHTHS = 4, 6  # sixteenths under one beam


class ScoreError(CrnnError, ValueError):
    """Symbols that do not form a score, such as a dot without a note."""


@dataclass(frozen=True)
class Event:
    """A note or a rest.

    Attributes:
        value: Its name, such as `quarter`.
        dotted: Whether it is half as long again.
        step: Steps above the lowest line; None for a rest.
        accidental: `sharp`, `flat`, `natural` or None, as written before the note.
    """

    value: str
    dotted: bool = False
    step: int | None = None
    accidental: str | None = None

    @property
    def length(self) -> float:
        """How long it lasts, in sixteenths."""
        return VALUES[self.value] * (1.5 if self.dotted else 1)


@dataclass
class Measure:
    """What stands between two bar lines.

    Attributes:
        events: Its notes and rests.
        bar: The bar line that ends it; None where the image ends.
    """

    events: list[Event] = field(default_factory=list)
    bar: str | None = None

    @property
    def is_rest(self) -> bool:
        """Whether a whole rest stands alone, which lasts a measure of any time."""
        return self.events == [Event("whole")]

    def length(self, full: float) -> float:
        """How long it lasts, in sixteenths, where a measure is `full` of them."""
        return full if self.is_rest else sum(event.length for event in self.events)


@dataclass
class Score:
    """One voice on one staff.

    Attributes:
        clef: Such as `clef.G`.
        key: Sharps, or, below zero, flats.
        time: Such as `3/4`; None if it is not written.
        measures: In order.
    """

    clef: str
    key: int = 0
    time: str | None = None
    measures: list[Measure] = field(default_factory=list)

    def uneven(self) -> list[int]:
        """Numbers, from 1, of measures without the length of the time signature: probably misread.

        The first measure (an upbeat) and the last one may be short.
        """
        if self.time is None:
            return []
        full, last = TIMES[self.time], len(self.measures)
        wrong = []
        for number, measure in enumerate(self.measures, start=1):
            length = measure.length(full)
            if length > full or (length < full and 1 < number < last):
                wrong.append(number)
        return wrong

    def parts(self) -> int:
        """Number of short measures; only the first and the last may be short."""
        if self.time is None:
            return 0
        full = TIMES[self.time]
        return sum(measure.length(full) < full for measure in self.measures)

    def sounding(self) -> Iterator[tuple[int | None, float]]:
        """Each event's MIDI number, None for a rest, and its length in sixteenths.

        An accidental holds for its line or space until the bar line.
        """
        way = 1 if self.key > 0 else -1
        altered = dict.fromkeys(_SHARPS[::way][: abs(self.key)], way)
        full = TIMES[self.time] if self.time else VALUES["whole"]
        for measure in self.measures:
            written: dict[int, int] = {}
            for event in measure.events:
                if event.step is None:
                    yield None, full if measure.is_rest else event.length
                    continue
                if event.accidental:
                    written[event.step] = ACCIDENTALS[event.accidental]
                octave, letter = divmod(CLEFS[self.clef] + event.step, 7)
                alter = written.get(event.step, altered.get(letter, 0))
                yield 12 * (octave + 1) + _SEMITONES[letter] + alter, event.length

    def symbols(self) -> list[str]:
        """The symbols of the score, the inverse of `parse`."""
        found = [self.clef]
        if self.key:
            found.append(next(name for name, count in KEYS.items() if count == self.key))
        if self.time:
            found.append(f"time.{self.time}")
        where = {step: name for name, step in STEPS.items()}
        for measure in self.measures:
            for event in measure.events:
                if event.accidental:
                    found.append(f"accidental.{event.accidental}")
                if event.step is None:
                    found.append(f"rest.{event.value}")
                else:
                    found.append(f"note.{event.value}-{where[event.step]}")
                found += ["dot"] * event.dotted
            found += [measure.bar] if measure.bar else []
        return found

    def abc(
        self, title: str = "", *, number: int = 1, beams: bool = True, measure_rests: bool = True
    ) -> str:
        """The score in ABC notation 2.1, which many programs draw and play.

        Args:
            title: Of the piece.
            number: Of the piece in its file.
            beams: Join eighths and sixteenths of a beat.
            measure_rests: Write a whole rest alone as a measure's rest, so that it lasts as long;
                otherwise as a whole rest, which programs draw where a note would stand.
        """
        by_eighths = (self.time or "").endswith("/8")
        beat = _BEAT_OF_EIGHTHS if by_eighths else _BEAT
        lines = []
        for place, measure in enumerate(self.measures):
            text, at, joined = "", 0.0 if place else self._begins_at(), False
            for event in measure.events:
                short = event.step is not None and VALUES[event.value] < VALUES["quarter"]
                text += " " if text and not (beams and short and joined and at % beat) else ""
                # Without a time signature the length of a measure's rest is unknown.
                is_measure_rest = measure_rests and self.time and measure.is_rest
                # `Z` means the same, but verovio (6.4) ignores it.
                text += "Z1" if is_measure_rest else self._abc_event(event)
                at, joined = at + event.length, short
            lines.append(f"{text} {_ABC_BARS[measure.bar] if measure.bar else ''}".strip())
        time = f"M:{self.time}\n" if self.time else ""
        # One line, in which `%` would begin a comment.
        title = " ".join(title.split()).replace("%", "\\%")
        # By default, ABC's accidentals hold in every octave.
        return (
            f"X:{number}\nT:{title}\n%%propagate-accidentals octave\nL:1/16\n{time}"
            f"K:{_MAJOR[self.key + 7]} clef={_ABC_CLEFS[self.clef]}\n{' '.join(lines)}\n"
        )

    def _begins_at(self) -> float:
        """The sixteenth on which the first measure begins: above 0 for an upbeat."""
        if self.time is None or len(self.measures) < 2:
            return 0.0
        full = TIMES[self.time]
        return max(0.0, full - self.measures[0].length(full))

    def _abc_event(self, event: Event) -> str:
        number = f"{event.length:g}" if event.length == int(event.length) else "3/2"
        number = "" if number == "1" else number
        if event.step is None:
            return f"z{number}"
        octave, letter = divmod(CLEFS[self.clef] + event.step, 7)
        name = "CDEFGAB"[letter]
        name = name + "," * (4 - octave) if octave < 5 else name.lower() + "'" * (octave - 5)
        return f"{_ABC_ACCIDENTALS[event.accidental]}{name}{number}"


def parse(symbols: Sequence[str]) -> Score:
    """The score of a sequence of symbols, in reading order.

    Raises:
        ScoreError: If one is unknown, or they do not form a score.
    """
    if unknown := sorted(set(symbols) - set(TOKENS)):
        raise ScoreError(f"unknown symbols: {unknown[:10]}")
    if not symbols or symbols[0] not in CLEFS:
        got = repr(symbols[0]) if symbols else "nothing"
        raise ScoreError(f"expected a clef first, got {got}")
    score, measure, accidental = Score(symbols[0]), Measure(), None
    for number, symbol in enumerate(symbols[1:], start=2):
        kind, _, rest = symbol.partition(".")
        fresh = not (score.measures or measure.events)
        if accidental and kind != "note":
            raise ScoreError(f"symbol {number}, {symbol!r}, follows an accidental without a note")
        if kind == "key" and fresh and not (score.key or score.time):
            score.key = KEYS[symbol]
        elif kind == "time" and fresh and not score.time:
            score.time = rest
        elif kind == "accidental":
            accidental = rest
        elif kind == "note":
            value, _, where = rest.partition("-")
            measure.events.append(Event(value, step=STEPS[where], accidental=accidental))
            accidental = None
        elif kind == "rest":
            measure.events.append(Event(rest))
        elif symbol == "dot" and measure.events and not measure.events[-1].dotted:
            event = measure.events[-1]
            measure.events[-1] = Event(event.value, True, event.step, event.accidental)
        elif symbol in BARS and measure.events:
            measure.bar = symbol
            score.measures.append(measure)
            measure = Measure()
        else:
            raise ScoreError(f"symbol {number}, {symbol!r}, cannot follow {symbols[number - 2]!r}")
    if accidental:
        raise ScoreError("the score ends with an accidental without a note")
    if measure.events:
        score.measures.append(measure)
    if not score.measures:
        raise ScoreError("the score has neither a note nor a rest")
    return score
