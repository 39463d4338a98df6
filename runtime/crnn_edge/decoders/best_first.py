"""The most probable text of a set, for certain: prefix search, best first.

All texts that begin alike have a probability together, and it follows from the alignments of what
they begin with ("prefix search decoding", A. Graves, S. Fernández, F. Gomez, J. Schmidhuber:
*Connectionist Temporal Classification*, ICML 2006, section 3.2). So a search that always goes on
with the most probable beginnings is done when none of them has more than the best whole text:
branch and bound, exact, and quick when the network knows what it sees.

The set of texts is an automaton: a lexicon, a pattern, or everything. Some hundred beginnings are
continued at a time, because NumPy's calls cost more than its sums.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from crnn_edge.charset import BLANK
from crnn_edge.decoders.automaton import Automaton, Ints
from crnn_edge.decoders.ctc import DoubleArray
from crnn_edge.types import FloatArray

MIN_PROB = 1e-300
"""Probabilities below are taken for 0: floats end soon."""

_TOGETHER = 64  # beginnings continued at a time, at least
_BLOCK = 1 << 18  # multiplications: from here on OpenBLAS starts threads, which take thrice as long


class Found(NamedTuple):
    """What a search ends with.

    Attributes:
        text: In class ids; None if no text is above the bound.
        prob: Its p(text | image), or the bound.
        proven: Whether no text has more; False if the search gave up.
    """

    text: list[int] | None
    prob: float
    proven: bool


def search(
    log_probs: FloatArray,
    automaton: Automaton,
    *,
    above: float = 0.0,
    max_expansions: float = math.inf,
) -> Found:
    """The most probable text of an automaton.

    Args:
        log_probs: `(T, C) float32`.
        automaton: The texts to choose from.
        above: Only texts more probable than this count: the more, the quicker. At least 1e-300.
        max_expansions: Give up when so many prefixes have been continued.
    """
    opened = _Opened(np.exp(log_probs, dtype=np.float64), automaton)
    best = Found(None, max(above, MIN_PROB), False)
    rows: Ints = np.zeros(1, np.intp)
    nodes: Ints = rows
    pool = _Pool(np.zeros(0), rows[:0], rows[:0])
    while True:
        sums = np.where(automaton.accepts[nodes], opened.total[rows, -1], 0.0)
        if sums.max() > best.prob:
            top = int(sums.argmax())
            best = Found(opened.text(int(rows[top])), float(sums[top]), False)
        pool = pool.joined(_continue(opened, automaton, rows, nodes))
        pool = pool.take((pool.mass > best.prob).nonzero()[0])
        if not len(pool.mass) or opened.count > max_expansions:
            return best._replace(proven=not len(pool.mass))
        n = max(_TOGETHER, opened.count // 8)
        order = np.argpartition(pool.mass, -n) if n < len(pool.mass) else np.arange(len(pool.mass))
        chosen, pool = pool.take(order[-n:]), pool.take(order[:-n])
        rows = opened.add(chosen.row, automaton.token[chosen.arc].astype(np.intp))
        nodes = automaton.target[chosen.arc]


class _Pool(NamedTuple):
    """Beginnings that might be continued.

    Attributes:
        mass: The probability `(P,)` of all texts that begin so.
        row: What they continue, in `_Opened`.
        arc: And with which arc of the automaton.
    """

    mass: DoubleArray
    row: Ints
    arc: Ints

    def take(self, index: Ints) -> _Pool:
        return _Pool(self.mass[index], self.row[index], self.arc[index])

    def joined(self, other: _Pool) -> _Pool:
        return _Pool(
            np.concatenate([self.mass, other.mass]),
            np.concatenate([self.row, other.row]),
            np.concatenate([self.arc, other.arc]),
        )


class _Opened:
    """Beginnings that were continued, each a row: row 0 is the empty one.

    Attributes:
        count: Rows that there are; the arrays have room for more.
        total: `(rows, T + 1)`: p of the alignments of the first t steps that spell it.
        blank: `(rows, T + 1)`: the part of them that ends on a blank.
        last: `(rows,)`: its last token.
        before: `(rows,)`: the row that it continues.
    """

    def __init__(self, probs: DoubleArray, automaton: Automaton) -> None:
        self.probs = probs
        # After each step, the probability of all endings that only have tokens of the automaton.
        usual = probs[:, BLANK] + probs[:, automaton.alphabet].sum(axis=1)
        self.ending = np.append(np.cumprod(usual[:0:-1])[::-1], 1.0)
        self.count = 1
        self.total = np.concatenate([[1.0], np.cumprod(probs[:, BLANK])])[None]
        self.blank = self.total
        self.last = np.array([BLANK])
        self.before = np.array([-1])

    def add(self, before: Ints, token: Ints) -> Ints:
        """Continue rows with a token each: the numbers of the new rows."""
        steps = len(self.probs)
        repeats = (self.last[before] == token)[:, None]
        arriving = np.where(repeats, self.blank[before], self.total[before]).T
        emitted = self.probs[:, token]
        on_token, on_blank = np.zeros((2, steps + 1, len(token)))
        for t in range(steps):
            np.add(on_token[t], arriving[t], out=on_token[t + 1])
            on_token[t + 1] *= emitted[t]
            np.add(on_token[t], on_blank[t], out=on_blank[t + 1])
            on_blank[t + 1] *= self.probs[t, BLANK]
        first, self.count = self.count, self.count + len(token)
        if self.count > len(self.last):  # make room for as many again, so that copying stays rare
            for name in ("total", "blank", "last", "before"):
                old = getattr(self, name)
                room = np.empty((2 * self.count, *old.shape[1:]), dtype=old.dtype)
                room[:first] = old[:first]
                setattr(self, name, room)
        self.total[first : self.count] = (on_token + on_blank).T
        self.blank[first : self.count] = on_blank.T
        self.last[first : self.count] = token
        self.before[first : self.count] = before
        return np.arange(first, self.count)

    def mass(self, rows: Ints, which: Ints, token: Ints) -> DoubleArray:
        """The probability of all texts that begin with row `rows[which]` and a token more."""
        total = self.total[rows, :-1] * self.ending
        size = max(1, _BLOCK // self.probs.size)
        blocks = [total[i : i + size] @ self.probs for i in range(0, len(rows), size)]
        mass: DoubleArray = np.concatenate(blocks)[which, token]
        repeats = (self.last[rows][which] == token).nonzero()[0]
        blank = self.blank[rows[which[repeats]], :-1] * self.ending
        mass[repeats] = np.einsum("nt,tn->n", blank, self.probs[:, token[repeats]])
        return mass

    def text(self, row: int) -> list[int]:
        """The beginning that a row stands for, in class ids."""
        text = []
        while row:
            text.append(int(self.last[row]))
            row = int(self.before[row])
        return text[::-1]


def _continue(opened: _Opened, automaton: Automaton, rows: Ints, nodes: Ints) -> _Pool:
    """Everything that rows, which stand at nodes, can be continued with."""
    which, arcs = automaton.expand(nodes)
    mass = opened.mass(rows, which, automaton.token[arcs])
    return _Pool(mass, rows[which], arcs)
