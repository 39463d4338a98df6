"""The contract of decoders: log-probabilities in, hypotheses out.

A decoder finds texts. What a text scores and how it is aligned is defined here once, whichever
decoder found it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from crnn_edge.charset import BLANK
from crnn_edge.decoders import ctc
from crnn_edge.decoders.ctc import IntArray
from crnn_edge.errors import DecodeError
from crnn_edge.types import FloatArray


@dataclass(frozen=True)
class Hypothesis:
    """One text that an image may show.

    Score and alignment cost more than finding a text (about 0.2 ms against 0.03 ms), so they are
    computed when they are first asked for, and kept.

    Attributes:
        classes: The text in class ids, without blanks.
        text_log_probs: `(T, 1 + K) float32`: the log-probabilities of the blank and of the text's K
            different classes, in the order in which they first occur. They are all that score and
            alignment depend on.
        lm_score: What a language model, or the prior of a lexicon, added to `log_prob` when the
            text was chosen; 0 where there was none.
        matches_constraint: Whether the text matches the pattern or is in the lexicon; None where
            the decoder has no such constraint.
        optimal: Whether the decoder knows that no other text that it may choose is more probable.
    """

    classes: tuple[int, ...]
    text_log_probs: FloatArray = field(repr=False, compare=False)
    lm_score: float = 0.0
    matches_constraint: bool | None = None
    optimal: bool = False

    @classmethod
    def of(
        cls,
        classes: Sequence[int],
        log_probs: FloatArray,
        lm_score: float = 0.0,
        matches_constraint: bool | None = None,
        optimal: bool = False,
    ) -> Hypothesis:
        """The hypothesis that an image of log_probs `(T, C) float32` shows these classes.

        What it needs of `log_probs` is copied.
        """
        columns = [BLANK, *dict.fromkeys(classes)]
        kept = log_probs.take(columns, axis=1)
        return cls(tuple(classes), kept, lm_score, matches_constraint, optimal)

    @cached_property
    def _columns(self) -> list[int]:
        """The text in columns of `text_log_probs`."""
        column = {token: k for k, token in enumerate(dict.fromkeys(self.classes), start=1)}
        return [column[token] for token in self.classes]

    @cached_property
    def log_prob(self) -> float:
        """The log p(text | image): the CTC forward sum over all alignments."""
        found = float(ctc.forward_sum(self.text_log_probs[None], [self._columns])[0])
        return 0.0 if found > 0 else found  # by rounding

    def is_at_least(self, log_prob: float) -> bool:
        """Whether the text is at least this probable.

        The best alignment alone often answers that, in a tenth of the time that the sum over all
        alignments takes.
        """
        if "log_prob" not in self.__dict__:
            path = ctc.merged(self.text_log_probs.argmax(axis=1).tolist())
            best = float(self.text_log_probs.max(axis=1).sum())
            if path == self._columns and best >= log_prob:
                return True
        return self.log_prob >= log_prob

    @cached_property
    def alignment(self) -> IntArray | None:
        """`(T,)`: for each time step the index into `classes` by the best alignment, -1 for blank.

        None for a text of probability 0, which has no alignment.
        """
        try:
            return ctc.align(self.text_log_probs, self._columns)
        except DecodeError:
            return None

    @cached_property
    def peaks(self) -> tuple[float, ...]:
        """Of each token the highest p(token) among the time steps that the alignment gives it."""
        if self.alignment is None:
            return (0.0,) * len(self.classes)
        best = [-math.inf] * len(self.classes)
        for rows, index in zip(self.text_log_probs, self.alignment.tolist(), strict=True):
            if index >= 0:
                best[index] = max(best[index], float(rows[self._columns[index]]))
        return tuple(min(1.0, math.exp(peak)) for peak in best)


class Decoder(Protocol):
    """Log-probabilities into hypotheses.

    Attributes:
        nbest: How many hypotheses an image gets at most.
        strict: Whether a hypothesis that does not match the decoder's constraint is always worse
            than one that does. It decides between several views of one image; a decoder without a
            constraint says True.
    """

    nbest: int
    strict: bool

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Decode the network's output.

        Args:
            log_probs: `(N, T, C) float32`, or `(T, C)` for one image.
            lengths: How many time steps of each image count, if not all.

        Returns:
            For each image at least one hypothesis, the best first.

        Raises:
            DecodeError: If `log_probs` are not log-probabilities of the decoder's charset.
        """
        ...
