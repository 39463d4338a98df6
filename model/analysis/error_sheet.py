"""The errors of a network as a picture: label above each crop, recognized text below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from model.analysis.breakdown import align
from model.analysis.contact_sheet import Cell, Span, contact_sheet
from model.analysis.evaluation import Reading

_WRONG = "#d00000"
_PLAIN = "black"
_NOTE = "#707070"
_MISSING = "▁"  # stands for a character that has no counterpart in the other text


def draw_errors(
    readings: Sequence[Reading], split: Callable[[str], Sequence[str]], target: Path
) -> None:
    """Draw misread crops into the PNG `target`, with the characters that differ in red.

    Args:
        readings: The crops with labels and texts.
        split: Splits a text into tokens.
        target: The file.

    Raises:
        CrnnError: If the file cannot be written.
    """
    contact_sheet([_cell(reading, split) for reading in readings], target)


def _cell(reading: Reading, split: Callable[[str], Sequence[str]]) -> Cell:
    label, text = split(reading.label), split(reading.text)
    between = " " if len("".join(label)) > len(label) else ""  # symbols such as notes
    above, below = [], []
    for expected, read in align(label, text):
        color = _PLAIN if expected == read else _WRONG
        above.append(Span((expected or _MISSING) + between, color))
        below.append(Span((read or _MISSING) + between, color))
    below.append(Span(f"  {reading.confidence:.2f}", _NOTE))
    return Cell(reading.image, (tuple(above),), (tuple(below),))
