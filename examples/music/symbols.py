"""The charset of the music reader: symbols of one voice on one staff of five lines.

A symbol is named by its appearance, not by its sound: `note.quarter-L2` is a quarter note on the
second line from below, in any clef. So the network need not remember the clef; what symbols mean
together is computed by rules (`score.py`).

Names follow the "agnostic" encoding of PrIMuS (J. Calvo-Zaragoza, D. Rizo: *End-to-End Neural
Optical Music Recognition of Monophonic Scores*, Applied Sciences 8, 2018), with differences that
keep the vocabulary small: a time signature is one symbol, and so is a key signature; beamed notes
are named like flagged ones; and only notes have heights, because an accidental stands before its
note and a dot behind it.
"""

from __future__ import annotations

from crnn_edge.charset import Charset

CLEFS = {"clef.G": 30, "clef.F": 18}
"""The note on the lowest line: seven times its octave, and its letter counted from C."""

ALTERATIONS = {"#": 1, "b": -1}
KEYS = {
    f"key.{count}{kind}": count * way for kind, way in ALTERATIONS.items() for count in range(1, 8)
}
"""Number of sharps, or, below zero, of flats."""

TIMES = {
    "C": 16,
    "C|": 16,
    "2/2": 16,
    "2/4": 8,
    "3/4": 12,
    "4/4": 16,
    "3/8": 6,
    "6/8": 12,
    "9/8": 18,
}
"""Sixteenths in a measure."""

ACCIDENTALS = {"sharp": 1, "flat": -1, "natural": 0}
"""By how many semitones each alters a letter's note."""

BARS = ("barline", "barline.double", "barline.final")
VALUES = {"whole": 16, "half": 8, "quarter": 4, "eighth": 2, "sixteenth": 1}
"""Sixteenths that a note or a rest lasts; a dot makes it half as long again."""

LOWEST, HIGHEST = -5, 13
"""Steps from the lowest line: as far as just beyond a second ledger line."""


def place(step: int) -> str:
    """The name of a step: the lowest line is `L1`, the space above it `S1`, then `L2`."""
    return f"{'LS'[step % 2]}{step // 2 + 1}"


STEPS = {place(step): step for step in range(LOWEST, HIGHEST + 1)}

TOKENS = (
    *CLEFS,
    *KEYS,
    *(f"time.{name}" for name in TIMES),
    *(f"accidental.{name}" for name in ACCIDENTALS),
    "dot",
    *BARS,
    *(f"rest.{value}" for value in VALUES),
    *(f"note.{value}-{where}" for value in VALUES for where in STEPS),
)
"""Every symbol."""

CHARSET = Charset(TOKENS, separator=" ")
"""The tokens of the network."""
