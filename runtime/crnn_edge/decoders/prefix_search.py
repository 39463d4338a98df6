"""The most probable of all texts, for certain, unless the search gives up: prefix search.

Best-first search over everything that the charset can write; see `crnn_edge.decoders.best_first`.
Its cost depends on how sure the network is: half a millisecond for a clear word; noise ends at
`max_expansions`. Meant as the measure of the other decoders, and for texts that must be right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from crnn_edge.charset import Charset
from crnn_edge.decoders import ctc
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.best_first import search
from crnn_edge.decoders.checks import check_log_probs, check_number
from crnn_edge.decoders.greedy import best_paths
from crnn_edge.decoders.pattern import compile_pattern
from crnn_edge.types import FloatArray


class Decoder:
    """The prefix search decoder.

    A hypothesis is `optimal`, or the best that was found until the search gave up; never one that
    is less probable than the greedy result.

    Args:
        charset: What the classes stand for.
        max_expansions: Prefixes that are continued before it gives up; 10,000 take some 50 ms.
        pattern: A regular expression that the whole text must match, as for the beam. Where no
            text matches, the result is the greedy one, and `matches_constraint` is False.
    """

    nbest = 1
    strict = True

    def __init__(
        self, charset: Charset, max_expansions: float = 10_000, pattern: str | None = None
    ) -> None:
        """Check the settings."""
        check_number("max_expansions", max_expansions, at_least=1)
        self.charset = charset
        self.max_expansions = max_expansions
        self._constrained = None if pattern is None else True
        self.automaton = (
            Automaton.of_everything(charset.num_classes)
            if pattern is None
            else compile_pattern(pattern, charset)
        )

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Read log_probs `(N, T, C) float32`; an image gets one hypothesis."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        greedy = best_paths(log_probs)
        sums = ctc.forward_sum(log_probs, greedy)
        return [
            [self._decode(rows, text, math.exp(score))]
            for rows, text, score in zip(log_probs, greedy, sums.tolist(), strict=True)
        ]

    def _decode(self, rows: FloatArray, greedy: list[int], prob: float) -> Hypothesis:
        fits = self.automaton.accepts_text(greedy)
        above = prob if fits else 0.0
        found = search(rows, self.automaton, above=above, max_expansions=self.max_expansions)
        matches = self._constrained and (fits or found.text is not None)
        text = greedy if found.text is None else found.text
        return Hypothesis.of(text, rows, matches_constraint=matches, optimal=found.proven)
