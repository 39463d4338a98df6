"""Where a network misreads: its score by kind of text and picture, and what it takes for what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from crnn_edge.metrics import Score, score
from crnn_edge.preprocess import VERTICAL_ASPECT_RATIO

_EDGES_LETTERS = (3, 5, 9)
_EDGES_PX = (8, 12, 15, 20)
_MOST = 20  # confusions shown

_KINDS: dict[str, str] = {
    "letters alone": r"[^\W\d_]+",
    "digits alone": r"\d+",
    "letters and digits": r"(?=.*\d)(?=.*[^\W\d_])[^\W_]+",
    "with punctuation": r".*[^\w\s].*|.*_.*",
    "with a space": r".*\s.*",
}
"""Kinds of text, by what they match as a whole. Some texts are of two kinds, or of none."""


class Case(NamedTuple):
    """One picture, what it says, and what was read.

    Attributes:
        height: Rows of the picture, in pixels.
        width: Columns of the picture, in pixels.
        truth: Its label.
        reading: What was read.
    """

    height: int
    width: int
    truth: str
    reading: str


class Group(NamedTuple):
    """Cases with something in common.

    Attributes:
        by: What cases are told apart by.
        name: What these have in common.
        score: How well they are read.
    """

    by: str
    name: str
    score: Score

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"by": self.by, "name": self.name, **self.score.to_dict()}


def groups(cases: Sequence[Case], height: int) -> list[Group]:
    """Scores by length, by room for a letter, by kind of text and by shape of the picture.

    A case may be in several groups of one sort; groups that nothing is in are left out.

    Args:
        cases: What was read.
        height: Rows of the network's tensor, in pixels, at which a letter's room is told.
    """
    found = []
    for by, name, belongs in _sorts(height):
        members = [case for case in cases if belongs(case)]
        if members:
            result = score([case.truth for case in members], [case.reading for case in members])
            found.append(Group(by, name, result))
    return found


def confusions(
    cases: Sequence[Case], spell: Callable[[str], Sequence[str]] = list
) -> list[tuple[str, str, int]]:
    """What was read for what, most frequent first: `(true, read, times)`.

    An empty string stands for nothing: a character that was missed, or made up. Each reading is
    aligned with its truth by the fewest edits.

    Args:
        cases: What was read.
        spell: Makes tokens of a text; by default they are characters.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for case in cases:
        counted.update(edits(spell(case.truth), spell(case.reading)))
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [(true, read, times) for (true, read), times in ordered]


def lines(found: Sequence[Group], confused: Sequence[tuple[str, str, int]]) -> Iterator[str]:
    """Groups and the most frequent confusions, as a table to print."""
    wide = 2 + max((len(text) for group in found for text in (group.by, group.name)), default=0)
    by = None
    for group in found:
        if group.by != by:
            by = group.by
            yield f"\n  {by:<{wide}}     n   accuracy (STR) %      exact %   CER %"
        accuracy, exact, cer = group.score.accuracy, group.score.exact, group.score.cer
        yield (
            f"    {group.name:<{wide - 2}} {group.score.n:5}   {100 * accuracy:5.1f} "
            f"[{100 * accuracy.low:4.1f}, {100 * accuracy.high:5.1f}]        {100 * exact:5.1f}   "
            f"{100 * cer:5.1f}"
        )
    missed = sum(times for _, read, times in confused if not read)
    made_up = sum(times for true, _, times in confused if not true)
    changed = sum(times for *_, times in confused) - missed - made_up
    yield f"\n  taken for others {changed}, missed {missed}, made up {made_up}"
    if confused:
        yield "  most often: " + ", ".join(_told(*one) for one in confused[:_MOST])


def _told(true: str, read: str, times: int) -> str:
    if not read:
        return f"{true!r} missed {times}×"
    return f"{read!r} made up {times}×" if not true else f"{true!r} as {read!r} {times}×"


def edits(truth: Sequence[str], reading: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest substitutions, omissions and insertions from a truth to a reading, in order.

    Of equally few, those with most substitutions: a letter was taken for another, rather than one
    missed and one made up.
    """
    rows = [list(range(len(reading) + 1))]
    for i, true in enumerate(truth, start=1):
        row = [i]
        for j, read in enumerate(reading, start=1):
            row.append(min(rows[-1][j - 1] + (true != read), rows[-1][j] + 1, row[-1] + 1))
        rows.append(row)
    found = []
    i, j = len(truth), len(reading)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (truth[i - 1] != reading[j - 1]):
            i, j = i - 1, j - 1
            if truth[i] != reading[j]:
                found.append((truth[i], reading[j]))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            found.append((truth[i], ""))
        else:
            j -= 1
            found.append(("", reading[j]))
    return found[::-1]


def _sorts(height: int) -> Iterator[tuple[str, str, Callable[[Case], bool]]]:
    """What cases are told apart by, a name, and whether a case belongs."""

    def px_a_letter(case: Case) -> float:
        # As the runtime reads it: the line of a tall picture runs up or down.
        across, along = (case.width, case.height) if _tall(case) else (case.height, case.width)
        return along * height / across / max(len(case.truth), 1)

    for by, measure, edges in (
        ("characters", lambda case: len(case.truth), _EDGES_LETTERS),
        (f"px a character at {height} px height", px_a_letter, _EDGES_PX),
    ):
        for low, high in zip((None, *edges), (*edges, None), strict=True):
            yield by, _span(low, high), _within(measure, low, high)
    for name, pattern in _KINDS.items():
        yield "text", name, _matches(pattern)
    yield "picture", "a line across", lambda case: not _tall(case)
    yield "picture", "a line up or down", _tall


def _matches(pattern: str) -> Callable[[Case], bool]:
    return lambda case: re.fullmatch(pattern, case.truth) is not None


def _tall(case: Case) -> bool:
    return len(case.truth) > 1 and case.height >= VERTICAL_ASPECT_RATIO * case.width


def _span(low: int | None, high: int | None) -> str:
    if low is None:
        return f"below {high}"
    return f"{low} or more" if high is None else f"{low} to below {high}"


def _within(
    measure: Callable[[Case], float], low: int | None, high: int | None
) -> Callable[[Case], bool]:
    return lambda case: (
        (low is None or measure(case) >= low) and (high is None or measure(case) < high)
    )
