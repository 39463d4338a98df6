"""The text that network and language model together hold most probable.

Prefix beam search with shallow fusion: `log p(text | image) + lm_weight * (log p(text) +
token_insertion_bonus * tokens)` (A. Hannun, A. Maas, D. Jurafsky, A. Ng: *First-Pass Large
Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs*, 2014).

What is written somewhere is not always a word. So p(text) interpolates the n-grams with a uniform
model of characters: a serial number that the n-grams hold for all but impossible is then as
probable as any other of its length, and what the network saw decides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.decoders import beam
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.beam_search import RESCALE_BELOW, Step, candidate_mask, steps_of, tokens_of
from crnn_edge.decoders.checks import check_log_probs, check_number
from crnn_edge.decoders.ngrams import NAT, shared_ngrams
from crnn_edge.errors import DecodeError
from crnn_edge.types import FloatArray

DEFAULT_LM = Path(__file__).parents[1] / "models" / "english.lm"
"""The bundled language model: English words, numbers and notation."""

_MATCHING = 20  # texts that match a pattern and are ranked
_UNIFORM_NATS = 4.0  # a character of the uniform model: one of 55

LmState = tuple[float, int, float, int]
"""Of a prefix: what the language model adds to its score, its state in the n-grams, its
log-probability by the n-grams, its number of tokens."""

Prefix = tuple[float, float, float, int]
"""A prefix in the beam."""


class Decoder:
    """The decoder with a language model.

    Args:
        charset: What the classes stand for.
        lm: A language model's file (`python -m model.lm` makes one); None for the bundled one, of
            English words, numbers and notation.
        lm_weight: How much log p(text) counts beside log p(text | image).
        token_insertion_bonus: Added to log p(text) for each token, because each token makes a text
            less probable.
        uniform_weight: Weight of the uniform model in the interpolation, 0…1.
        beam_size: Prefixes kept at a time step, at most 1,000.
        min_token_prob: Tokens less probable than this at a step are not tried there, and prefixes
            are dropped that have less than this share of the best. 0 tries everything.
        blank_skip_threshold: A step where the blank is at least this probable is taken for a blank.
        nbest: How many hypotheses an image gets at most.
        pattern: A regular expression that the whole text must match; see
            `crnn_edge.decoders.pattern`. The texts are then those of the beam decoder with this
            pattern, ranked anew with the language model. Where no text matches, the result is the
            one without a pattern, and `matches_constraint` is False.
    """

    strict = True

    def __init__(
        self,
        charset: Charset,
        lm: str | os.PathLike[str] | None = None,
        lm_weight: float = 0.3,
        token_insertion_bonus: float = 2.0,
        uniform_weight: float = 0.1,
        beam_size: int = 6,
        min_token_prob: float = 0.02,
        blank_skip_threshold: float = 0.98,
        nbest: int = 1,
        pattern: str | None = None,
    ) -> None:
        """Check the settings, and read the model."""
        check_number("lm_weight", lm_weight, at_least=0, at_most=10)
        check_number("token_insertion_bonus", token_insertion_bonus, at_least=0, at_most=10)
        check_number("uniform_weight", uniform_weight, at_least=0, at_most=1)
        check_number("beam_size", beam_size, at_least=1, at_most=1000, whole=True)
        check_number("min_token_prob", min_token_prob, at_least=0, below=1)
        check_number("blank_skip_threshold", blank_skip_threshold, above=0, at_most=1)
        check_number("nbest", nbest, at_least=1, whole=True)
        self.charset = charset
        self.lm_weight = float(lm_weight)
        self.token_insertion_bonus = float(token_insertion_bonus)
        self.beam_size = int(beam_size)
        self.min_token_prob = min_token_prob
        self.blank_skip_threshold = blank_skip_threshold
        self.nbest = int(nbest)
        self.ngrams = shared_ngrams(DEFAULT_LM if lm is None else lm)
        self._matching = pattern and beam.Decoder(
            charset, _MATCHING, min_token_prob, blank_skip_threshold, _MATCHING, pattern
        )
        self._share = math.log(min_token_prob) if min_token_prob else -math.inf
        self._words = math.log1p(-uniform_weight) if uniform_weight < 1 else -math.inf
        self._uniform = math.log(uniform_weight) if uniform_weight > 0 else -math.inf
        lookup = self.ngrams.lookup
        if missing := [token for token in charset.tokens if token not in lookup]:
            raise DecodeError(
                f"the language model {DEFAULT_LM if lm is None else os.fspath(lm)} does not "
                f"know {len(missing)} of the {len(charset.tokens)} tokens, such as {missing[:5]}: "
                "make one of such texts with `python -m model.lm`, or take another decoder"
            )
        self._number = [(self.ngrams.end, 0), *(lookup[token] for token in charset.tokens)]

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Read log_probs `(N, T, C) float32`; the best texts of each image."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        if self._matching:
            decoded = self._matching(log_probs)
            unfit = [i for i, found in enumerate(decoded) if found[0].matches_constraint is False]
            decoded = [self._ranked(found) for found in decoded]
            for i, found in zip(unfit, self._decode(log_probs[unfit]), strict=True):
                decoded[i] = [replace(one, matches_constraint=False) for one in found]
            return decoded
        return self._decode(log_probs)

    def _decode(self, log_probs: FloatArray) -> list[list[Hypothesis]]:
        """The best texts of each image, whatever they are."""
        probs = np.exp(log_probs)
        mask = candidate_mask(probs, self.min_token_prob, self.blank_skip_threshold)
        return [
            [
                Hypothesis.of(text, rows, lm_score)
                for lm_score, text in self._search(steps)[: self.nbest]
            ]
            for steps, rows in zip(steps_of(probs, mask), log_probs, strict=True)
        ]

    def _ranked(self, found: list[Hypothesis]) -> list[Hypothesis]:
        """The best of some hypotheses, each with its score by the language model."""
        scored = []
        for one in found:
            tokens = [self.charset.tokens[k - 1] for k in one.classes]
            lm_score = self.lm_score(self.ngrams.log_prob(tokens), len(tokens) + 1)
            scored.append(replace(one, lm_score=lm_score, optimal=False))
        scored.sort(key=lambda one: one.log_prob + one.lm_score, reverse=True)
        return scored[: self.nbest]

    def lm_score(self, log_prob: float, length: int) -> float:
        """What the language model adds to a text's score.

        Args:
            log_prob: What the n-grams give it.
            length: How many tokens it has, its end among them if it has ended.
        """
        word, code = self._words + log_prob, self._uniform - _UNIFORM_NATS * length
        low, high = (code, word) if code < word else (word, code)
        return self.lm_weight * (
            high + math.log1p(math.exp(low - high)) + self.token_insertion_bonus * length
        )

    def _search(self, steps: list[Step]) -> list[tuple[float, list[int]]]:
        """The texts that the beam ends with, best first, after what the language model adds.

        In the beam there are a prefix's score, p of its alignments that end on a blank, p of those
        that end on its last token, and its number, which holds its tokens, some bits each: the
        prefix before it is a shift away.
        """
        bits = self.charset.num_classes.bit_length()
        mask = (1 << bits) - 1
        states: dict[int, LmState] = {0: (0.0, self.ngrams.start, 0.0, 0)}
        beam = [(0.0, 1.0, 0.0, 0)]
        on_blanks = True
        for blank, candidates in steps:
            if not candidates:
                if not on_blanks:
                    beam = [(score, a + b, 0.0, key) for score, a, b, key in beam]
                    on_blanks = True
                continue
            on_blanks = False
            prob_of = {token: p for p, token in candidates}
            floor = self.min_token_prob * candidates[0][0] * max([a + b for _, a, b, _ in beam])
            arrived = {}
            for _, on_blank, on_token, key in beam:
                last, seen, key = key & mask, on_blank + on_token, key << bits
                for p, token in candidates:
                    made = p * (on_blank if token == last else seen)
                    if made > floor:
                        arrived[key | token] = made
            grown = []
            for _, on_blank, on_token, key in beam:
                seen = (on_blank + on_token) * blank
                on_token = on_token * prob_of.get(key & mask, 0.0) + arrived.pop(key, 0.0)
                if seen + on_token:
                    score = math.log(seen + on_token) + states[key][0]
                    grown.append((score, seen, on_token, key))
            for key, made in arrived.items():
                if key not in states:
                    states[key] = self._continued(states[key >> bits], key & mask)
                grown.append((math.log(made) + states[key][0], 0.0, made, key))
            beam = self._best(grown)
        ended = []
        for _, on_blank, on_token, key in beam:
            _, state, log_prob, length = states[key]
            cost, _ = self.ngrams.step(state, self.ngrams.end)
            prior = self.lm_score(log_prob - cost / NAT, length + 1)
            ended.append((math.log(on_blank + on_token) + prior, prior, tokens_of(key, bits)))
        return [(prior, text) for _, prior, text in sorted(ended, reverse=True)]

    def _continued(self, before: LmState, token: int) -> LmState:
        """What the language model says of a prefix with a token more."""
        _, state, log_prob, length = before
        number, extra = self._number[token]
        cost, state = self.ngrams.step(state, number)
        log_prob -= (cost + extra) / NAT
        return self.lm_score(log_prob, length + 1), state, log_prob, length + 1

    def _best(self, grown: list[Prefix]) -> list[Prefix]:
        """The prefixes that are kept, best first."""
        if len(grown) > 1:
            grown.sort(reverse=True)
            floor = grown[0][0] + self._share
            del grown[self.beam_size :]
            while grown[-1][0] < floor:
                grown.pop()
        _, on_blank, on_token, _ = grown[0]
        if on_blank + on_token < RESCALE_BELOW:
            grown = [
                (score, a / RESCALE_BELOW, b / RESCALE_BELOW, key) for score, a, b, key in grown
            ]
        return grown
