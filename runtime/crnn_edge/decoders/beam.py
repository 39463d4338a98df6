"""The most probable text that a beam of prefixes finds: prefix beam search.

Step by step the most probable prefixes are kept. Alignments of one prefix are added up, those that
end on its last token apart from those that end on a blank, because only from a blank the same
token can come once more (A. Hannun, A. Maas, D. Jurafsky, A. Ng: *First-Pass Large Vocabulary
Continuous Speech Recognition using Bi-Directional Recurrent DNNs*, 2014, algorithm 1; A. Graves,
N. Jaitly: *Towards End-to-End Speech Recognition with Recurrent Neural Networks*, ICML 2014).

What a beam drops is missing from its sums. So the texts it ends with are ranked by their exact
forward sums, unless the first leads by more than all that was dropped: then nothing can beat it,
and the reading is `optimal`.

The search itself is in `crnn_edge.decoders.beam_search`, and once more, for many unclear images at
once, in `crnn_edge.decoders.beam_vectorized`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from crnn_edge.charset import BLANK, Charset
from crnn_edge.decoders import beam_search, beam_vectorized, ctc
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.beam_search import Text
from crnn_edge.decoders.checks import check_log_probs, check_number
from crnn_edge.decoders.greedy import best_paths
from crnn_edge.decoders.pattern import compile_pattern
from crnn_edge.types import FloatArray

_MARGIN = 1e-4  # float32 log-softmax sums to 1 within 1e-6 a step
_FEW = 8  # images: to look for clear readings first pays in a batch
_MUCH = 100  # tokens to try at a step of all images: from here on NumPy is quicker
_WIDE = 64  # and up to here
_WIDEST = 10_000  # with a pattern, this many prefixes of an unclear line take a minute


class Decoder:
    r"""The beam search decoder.

    Args:
        charset: What the classes stand for.
        beam_size: Prefixes kept at a time step, at most 10,000.
        min_token_prob: Tokens less probable than this at a step are not tried there, and prefixes
            are dropped that have less than this share of the best. 0 tries everything.
        blank_skip_threshold: A step where the blank is at least this probable is taken for a blank.
        nbest: How many hypotheses an image gets at most.
        pattern: A regular expression that the whole text must match, such as `[A-Z]{2}\d{4}`;
            see `crnn_edge.decoders.pattern`. Only `beam_size` limits the search then. Where no text
            matches, the result is the one without a pattern, and `matches_constraint` is False.
    """

    strict = True

    def __init__(
        self,
        charset: Charset,
        beam_size: int = 10,
        min_token_prob: float = 0.02,
        blank_skip_threshold: float = 0.99,
        nbest: int = 1,
        pattern: str | None = None,
    ) -> None:
        """Check the settings."""
        check_number("beam_size", beam_size, at_least=1, at_most=_WIDEST, whole=True)
        check_number("min_token_prob", min_token_prob, at_least=0, below=1)
        check_number("blank_skip_threshold", blank_skip_threshold, above=0, at_most=1)
        check_number("nbest", nbest, at_least=1, whole=True)
        self.charset = charset
        self.beam_size = int(beam_size)
        self.min_token_prob = min_token_prob
        self.blank_skip_threshold = blank_skip_threshold
        self.nbest = int(nbest)
        self.automaton = None if pattern is None else compile_pattern(pattern, charset)

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Read log_probs `(N, T, C) float32`; the best texts of each image."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        decoded = self._decode(log_probs, self.automaton)
        unfit = [i for i, hypotheses in enumerate(decoded) if not hypotheses]
        if unfit:
            for i, hypotheses in zip(unfit, self._decode(log_probs[unfit], None), strict=True):
                decoded[i] = [replace(one, matches_constraint=False) for one in hypotheses]
        return decoded

    def _decode(self, log_probs: FloatArray, automaton: Automaton | None) -> list[list[Hypothesis]]:
        """The hypotheses of each image; none where no text fits the automaton."""
        greedy = best_paths(log_probs)
        fits = [automaton is None or automaton.accepts_text(text) for text in greedy]
        searched = list(range(len(greedy)))
        found: list[list[Text]] = [[] for _ in greedy]
        if len(greedy) >= _FEW and self.nbest == 1:
            # A text with more than half of the probability needs no search: nothing can beat it.
            sums = np.exp(ctc.forward_sum(log_probs, greedy)).tolist()
            found = [[(p, text)] for p, text in zip(sums, greedy, strict=True)]
            searched = [i for i in searched if not fits[i] or not _optimal(found[i])]
        doubtful = []
        for i, texts in zip(searched, self._search(log_probs[searched], automaton), strict=True):
            found[i] = texts
            if self.nbest > 1 or not _optimal(texts):
                doubtful.append(i)
                found[i] = self._rivals(texts)
                if fits[i] and all(text != greedy[i] for _, text in found[i]):
                    found[i].append((0.0, greedy[i]))  # no reading shall be below the greedy one
        images = [k for k, i in enumerate(doubtful) for _ in found[i]]
        together = [text for i in doubtful for _, text in found[i]]
        scores: Iterator[float] = iter(())
        if doubtful:
            scores = iter(ctc.forward_sum(log_probs[doubtful], together, images).tolist())
        for i in doubtful:
            ranked = sorted(((next(scores), text) for _, text in found[i]), reverse=True)
            found[i] = [(math.exp(score), text) for score, text in ranked]
        return [
            self._hypotheses(texts, rows, None if automaton is None else True)
            for texts, rows in zip(found, log_probs, strict=True)
        ]

    def _hypotheses(
        self, texts: list[Text], rows: FloatArray, matches: bool | None
    ) -> list[Hypothesis]:
        optimal = _optimal(texts)
        return [
            Hypothesis.of(text, rows, matches_constraint=matches, optimal=optimal and place == 0)
            for place, (_, text) in enumerate(texts[: self.nbest])
        ]

    def _rivals(self, texts: list[Text]) -> list[Text]:
        """The texts that may be the most probable one if all that is unseen is theirs."""
        unseen = _unseen(texts)
        return [text for text in texts if self.nbest > 1 or text[0] + unseen >= texts[0][0]]

    def _search(self, log_probs: FloatArray, automaton: Automaton | None) -> list[list[Text]]:
        """The texts that the beam of each image ends with."""
        _, steps, classes = log_probs.shape
        # What a pattern demands may be less probable than a float32 can say, 1e-45.
        probs = np.exp(log_probs, dtype=np.float32 if automaton is None else np.float64)
        if automaton is not None:
            mask = np.zeros(log_probs.shape, dtype=np.bool_)
            mask[:, :, automaton.alphabet] = True
            mask &= probs > 0
            mask[:, :, BLANK] = False
        else:
            mask = beam_search.candidate_mask(probs, self.min_token_prob, self.blank_skip_threshold)
        if automaton is None and self.beam_size <= _WIDE and np.count_nonzero(mask) > _MUCH * steps:
            return beam_vectorized.search(probs, mask, self.beam_size, self.min_token_prob)
        share = self.min_token_prob if automaton is None else 0.0
        return [
            beam_search.search(candidates, classes, self.beam_size, share, automaton)
            for candidates in beam_search.steps_of(probs, mask)
        ]


def _optimal(texts: list[Text]) -> bool:
    """Whether the first of some texts, most probable first, leads by more than all others have."""
    if not texts:
        return False
    second = texts[1][0] if len(texts) > 1 else 0.0
    return texts[0][0] - second > _unseen(texts) + _MARGIN


def _unseen(texts: list[Text]) -> float:
    """The probability that some texts leave to all others."""
    seen = 0.0
    for p, _ in texts:  # there mostly is one, for which a loop takes half as long as `sum`
        seen += p
    return 1.0 - seen
