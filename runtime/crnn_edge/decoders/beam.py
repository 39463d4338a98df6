"""The most probable text that a beam of prefixes finds: prefix beam search.

Step by step the most probable prefixes are kept. Alignments of one prefix are added up, those that
end on its last token apart from those that end on a blank, because only from a blank the same
token can come once more (A. Hannun, A. Maas, D. Jurafsky, A. Ng: *First-Pass Large Vocabulary
Continuous Speech Recognition using Bi-Directional Recurrent DNNs*, 2014, algorithm 1; A. Graves,
N. Jaitly: *Towards End-to-End Speech Recognition with Recurrent Neural Networks*, ICML 2014).

What a beam drops is missing from its sums. So the texts it ends with are ranked by their exact
forward sums, unless the first leads by more than all that was dropped: then nothing can beat it,
and the reading is `proven`.

The search itself is in `crnn_edge.decoders.beam_search`, and once more, for many unclear images at
once, in `crnn_edge.decoders.beam_batch`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from numbers import Integral, Real

import numpy as np

from crnn_edge.charset import BLANK, Charset
from crnn_edge.decoders import beam_batch, beam_search, ctc
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.beam_search import Text
from crnn_edge.decoders.checks import check_log_probs
from crnn_edge.decoders.ctc import FloatArray
from crnn_edge.decoders.greedy import best_paths
from crnn_edge.decoders.pattern import compile_pattern
from crnn_edge.decoders.recognition import Recognition
from crnn_edge.decoders.settings import check_kind
from crnn_edge.errors import DecodeError

_MARGIN = 1e-4  # float32 log-softmax sums to 1 within 1e-6 a step
_FEW = 8  # images: to look for clear readings first pays in a batch
_MUCH = 100  # tokens to try at a step of all images: from here on NumPy is quicker
_WIDE = 64  # and up to here
_WIDEST = 10_000  # with a pattern, this many prefixes of an unclear line take a minute


class Decoder:
    r"""The beam search decoder.

    Args:
        charset: What the classes stand for.
        width: Prefixes kept at a time step, at most 10,000.
        token_prob: Tokens less probable than this at a step are not tried there, and prefixes
            are dropped that have less than this share of the best. 0 tries everything.
        blank_prob: A step where the blank is at least this probable is taken for a blank.
        alternatives: How many other texts a reading comes with, at most.
        pattern: A regular expression that the whole text must match, such as `[A-Z]{2}\d{4}`;
            see `crnn_edge.decoders.pattern`. Nothing but `width` limits the search then. Where no
            text fits, the reading is the one without a pattern, and `constrained` is False.
    """

    def __init__(
        self,
        charset: Charset,
        width: int = 10,
        token_prob: float = 0.02,
        blank_prob: float = 0.99,
        alternatives: int = 0,
        pattern: str | None = None,
    ) -> None:
        """Check the settings."""
        check_kind(Integral, "a whole number", width=width, alternatives=alternatives)
        check_kind(Real, "a number", token_prob=token_prob, blank_prob=blank_prob)
        probable = 0 <= token_prob < 1 and 0 < blank_prob <= 1
        if not (1 <= width <= _WIDEST and alternatives >= 0 and probable):
            raise DecodeError(
                f"a beam takes a width from 1 to {_WIDEST:,}, 0 <= token_prob < 1, "
                f"0 < blank_prob <= 1 and alternatives >= 0, got width={width}, "
                f"token_prob={token_prob}, blank_prob={blank_prob}, alternatives={alternatives}"
            )
        self.charset = charset
        self.width = width
        self.token_prob = token_prob
        self.blank_prob = blank_prob
        self.alternatives = alternatives
        self.automaton = None if pattern is None else compile_pattern(pattern, charset)

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[Recognition]:
        """Read log_probs `(N, T, C) float32`; spans are in time steps."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        readings = self._read(log_probs, self.automaton)
        unfit = [i for i, reading in enumerate(readings) if reading is None]
        if unfit:
            for i, reading in zip(unfit, self._read(log_probs[unfit], None), strict=True):
                readings[i] = reading and replace(reading, constrained=False)
        return [reading for reading in readings if reading]

    def _read(self, log_probs: FloatArray, automaton: Automaton | None) -> list[Recognition | None]:
        """The readings; None where no text fits the automaton."""
        greedy = best_paths(log_probs)
        fits = [automaton is None or automaton.accepts_text(text) for text in greedy]
        searched = list(range(len(greedy)))
        found: list[list[Text]] = [[] for _ in greedy]
        if len(greedy) >= _FEW and not self.alternatives:
            # A text with more than half of the probability needs no search: nothing can beat it.
            sums = np.exp(ctc.forward_sum(log_probs, greedy)).tolist()
            found = [[(p, text)] for p, text in zip(sums, greedy, strict=True)]
            searched = [i for i in searched if not fits[i] or not _proven(found[i])]
        doubtful = []
        for i, texts in zip(searched, self._search(log_probs[searched], automaton), strict=True):
            found[i] = texts
            if self.alternatives or not _proven(texts):
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
            self._recognition(texts, rows, None if automaton is None else True)
            for texts, rows in zip(found, log_probs, strict=True)
        ]

    def _recognition(
        self, texts: list[Text], rows: FloatArray, constrained: bool | None
    ) -> Recognition | None:
        if not texts:
            return None
        others = [
            Recognition.of(self.charset, text, rows, (), constrained)
            for _, text in texts[1 : 1 + self.alternatives]
        ]
        read = self.charset, texts[0][1], rows
        return Recognition.of(*read, others, constrained, _proven(texts))

    def _rivals(self, texts: list[Text]) -> list[Text]:
        """The texts that may be the most probable one if all that is unseen is theirs."""
        unseen = _unseen(texts)
        return [text for text in texts if self.alternatives or text[0] + unseen >= texts[0][0]]

    def _search(self, log_probs: FloatArray, automaton: Automaton | None) -> list[list[Text]]:
        """The texts that the beam of each image ends with."""
        _, steps, classes = log_probs.shape
        # What a pattern demands may be less probable than a float32 can say, 1e-45.
        probs = np.exp(log_probs, dtype=np.float32 if automaton is None else np.float64)
        if automaton is not None:
            tried = np.zeros(log_probs.shape, dtype=np.bool_)
            tried[:, :, automaton.alphabet] = True
            tried &= probs > 0
            tried[:, :, BLANK] = False
        else:
            tried = beam_search.worth_trying(probs, self.token_prob, self.blank_prob)
        if automaton is None and self.width <= _WIDE and np.count_nonzero(tried) > _MUCH * steps:
            return beam_batch.search(probs, tried, self.width, self.token_prob)
        share = self.token_prob if automaton is None else 0.0
        return [
            beam_search.search(offers, classes, self.width, share, automaton)
            for offers in beam_search.steps_of(probs, tried)
        ]


def _proven(texts: list[Text]) -> bool:
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
