"""Where a network makes errors: scores by kind of text and image, and confusions of characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from crnn_edge.metrics import Score, score
from crnn_edge.preprocess import VERTICAL_ASPECT_RATIO

_EDGES_CHARACTERS = (3, 5, 9)
_EDGES_PX = (8, 12, 15, 20)
_MOST_CONFUSIONS = 20  # printed

_KINDS: dict[str, str] = {
    "letters alone": r"[^\W\d_]+",
    "digits alone": r"\d+",
    "letters and digits": r"(?=.*\d)(?=.*[^\W\d_])[^\W_]+",
    "with punctuation": r".*[^\w\s].*|.*_.*",
    "with a space": r".*\s.*",
}
"""Kinds of text by a pattern of the whole text. A text may be of several kinds, or of none."""


class Case(NamedTuple):
    """The size, the label and the recognized text of one image.

    Attributes:
        height: In pixels.
        width: In pixels.
        label: The expected text.
        text: The recognized text.
    """

    height: int
    width: int
    label: str
    text: str


class Group(NamedTuple):
    """The score of the cases that have something in common.

    Attributes:
        by: The criterion, such as `characters`.
        name: The value of the criterion, such as `3 to below 5`.
        score: Their score.
    """

    by: str
    name: str
    score: Score

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"by": self.by, "name": self.name, **self.score.to_dict()}


def groups(cases: Sequence[Case], height: int) -> list[Group]:
    """Scores by length, by pixels per character, by kind of text and by shape of the image.

    A case may be in several groups of one criterion; empty groups are omitted.

    Args:
        cases: The results.
        height: Height of the network's input in pixels, at which pixels per character are counted.
    """
    result: list[Group] = []
    for by, name, belongs in _criteria(height):
        members = [case for case in cases if belongs(case)]
        if members:
            total = score([case.label for case in members], [case.text for case in members])
            result.append(Group(by, name, total))
    return result


def confusions(
    cases: Sequence[Case], split: Callable[[str], Sequence[str]] = list
) -> list[tuple[str, str, int]]:
    """`(expected, read, count)` of all differing tokens, the most frequent first.

    An empty string stands for a token that was deleted or inserted; see `align`.

    Args:
        cases: The results.
        split: Splits a text into tokens; by default into characters.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for case in cases:
        counted.update(edits(split(case.label), split(case.text)))
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [(expected, read, count) for (expected, read), count in ordered]


def lines(found: Sequence[Group], confused: Sequence[tuple[str, str, int]]) -> Iterator[str]:
    """Groups and the most frequent confusions as lines of a table."""
    wide = 2 + max((len(text) for group in found for text in (group.by, group.name)), default=0)
    by = None
    for group in found:
        if group.by != by:
            by = group.by
            yield f"\n  {by:<{wide}}     n   exact %   accuracy (STR) %      CER %"
        accuracy, exact, cer = group.score.accuracy, group.score.exact, group.score.cer
        yield (
            f"    {group.name:<{wide - 2}} {group.score.n:5}     {100 * exact:5.1f}   "
            f"{100 * accuracy:5.1f} [{100 * accuracy.low:4.1f}, {100 * accuracy.high:5.1f}]      "
            f"{100 * cer:5.1f}"
        )
    deleted = sum(count for _, read, count in confused if not read)
    inserted = sum(count for expected, _, count in confused if not expected)
    substituted = sum(count for *_, count in confused) - deleted - inserted
    yield f"\n  substituted {substituted}, deleted {deleted}, inserted {inserted}"
    if confused:
        yield "  most frequent: " + ", ".join(
            _described(*one) for one in confused[:_MOST_CONFUSIONS]
        )


def _described(expected: str, read: str, count: int) -> str:
    if not read:
        return f"{expected!r} deleted {count}×"
    return f"{read!r} inserted {count}×" if not expected else f"{expected!r} as {read!r} {count}×"


def edits(label: Sequence[str], text: Sequence[str]) -> list[tuple[str, str]]:
    """The substitutions, deletions and insertions of `align`, in order."""
    return [(expected, read) for expected, read in align(label, text) if expected != read]


def align(label: Sequence[str], text: Sequence[str]) -> list[tuple[str, str]]:
    """An alignment of a label and a text with the fewest edits: `(expected, read)` in order.

    An empty string stands for a missing counterpart. Of equally good alignments one with the most
    substitutions: one character was confused with another, rather than one deleted and one
    inserted.
    """
    rows = [list(range(len(text) + 1))]
    for i, expected in enumerate(label, start=1):
        row = [i]
        for j, read in enumerate(text, start=1):
            row.append(min(rows[-1][j - 1] + (expected != read), rows[-1][j] + 1, row[-1] + 1))
        rows.append(row)
    pairs = []
    i, j = len(label), len(text)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (label[i - 1] != text[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((label[i], text[j]))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            pairs.append((label[i], ""))
        else:
            j -= 1
            pairs.append(("", text[j]))
    return pairs[::-1]


def _criteria(height: int) -> Iterator[tuple[str, str, Callable[[Case], bool]]]:
    """The criterion and the name of each group, and whether a case belongs to it."""

    def px_per_character(case: Case) -> float:
        # As the runtime reads it: the line of a tall image runs up or down.
        across, along = (case.width, case.height) if _tall(case) else (case.height, case.width)
        return along * height / across / max(len(case.label), 1)

    for by, measure, edges in (
        ("characters", lambda case: len(case.label), _EDGES_CHARACTERS),
        (f"px per character at {height} px height", px_per_character, _EDGES_PX),
    ):
        for low, high in zip((None, *edges), (*edges, None), strict=True):
            yield by, _span(low, high), _within(measure, low, high)
    for name, pattern in _KINDS.items():
        yield "text", name, _matches(pattern)
    yield "image", "horizontal line", lambda case: not _tall(case)
    yield "image", "vertical line", _tall


def _matches(pattern: str) -> Callable[[Case], bool]:
    return lambda case: re.fullmatch(pattern, case.label) is not None


def _tall(case: Case) -> bool:
    return len(case.label) > 1 and case.height >= VERTICAL_ASPECT_RATIO * case.width


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
