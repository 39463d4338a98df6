"""The text that is most probable by what is seen and by what people write: a language model.

Prefix beam search with shallow fusion: `log p(text | image) + weight * (log p(text) + bonus *
tokens)` (A. Hannun, A. Maas, D. Jurafsky, A. Ng: *First-Pass Large Vocabulary Continuous Speech
Recognition using Bi-Directional Recurrent DNNs*, 2014).

What is written somewhere is not always a word. So p(text) is that of a mixture: most texts are as
the n-grams have it, and some are codes, whose characters tell nothing of each other. What the
n-grams hold for all but impossible is then a code, one as probable as any other of its length, and
what the network saw decides: see `model/RUNS.md`, "A language model".
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.beam_search import TINY, Step, steps_of, tokens_of, worth_trying
from crnn_edge.decoders.checks import check_log_probs
from crnn_edge.decoders.ctc import FloatArray
from crnn_edge.decoders.ngrams import NAT, NGrams
from crnn_edge.decoders.settings import check_kind
from crnn_edge.errors import DecodeError

DEFAULT = Path(__file__).parents[1] / "models" / "english.lm"
"""The language model that comes with the runtime: English words, numbers and notation."""

_CODE = 4.0  # nats a character of a code: one of 55

Told = tuple[float, int, float, int]
"""What the language model says of a prefix: what its prior adds to its score, its state in the
automaton, its log-probability, how many tokens it has."""

Prefix = tuple[float, float, float, int]
"""A prefix in the beam."""


class Decoder:
    """The decoder with a language model.

    Args:
        charset: What the classes stand for.
        model: A language model's file (`python -m model.lm` makes one); none for the one that
            comes along, of English words, numbers and notation.
        weight: How much log p(text) counts beside log p(text | image).
        bonus: Added to log p(text) for each token, because every one makes a text less probable.
        codes: The share of texts that are codes, 0…1: 1 knows no words.
        width: Prefixes kept at a time step, at most 1,000.
        token_prob: Tokens less probable than this at a step are not tried there, and prefixes
            are dropped that have less than this share of the best. 0 tries everything.
        blank_prob: A step where the blank is at least this probable is taken for a blank.
        nbest: How many hypotheses an image gets at most.
    """

    strict = True

    def __init__(
        self,
        charset: Charset,
        model: str | os.PathLike[str] | None = None,
        weight: float = 0.25,
        bonus: float = 1.0,
        codes: float = 0.1,
        width: int = 6,
        token_prob: float = 0.02,
        blank_prob: float = 0.98,
        nbest: int = 1,
    ) -> None:
        """Check the settings, and read the model."""
        check_kind(Integral, "a whole number", width=width, nbest=nbest)
        check_kind(
            Real, "a number", weight=weight, bonus=bonus, codes=codes, token_prob=token_prob,
            blank_prob=blank_prob,
        )  # fmt: skip
        probable = 0 <= codes <= 1 and 0 <= token_prob < 1 and 0 < blank_prob <= 1
        weighed = 0 <= weight <= 10 and 0 <= bonus <= 10
        if not (weighed and probable and 1 <= width <= 1000 and nbest >= 1):
            raise DecodeError(
                "a language model takes 0 <= weight <= 10, 0 <= bonus <= 10, 0 <= codes <= 1, a "
                "width from 1 to 1,000, 0 <= token_prob < 1, 0 < blank_prob <= 1 and "
                f"nbest >= 1, got weight={weight}, bonus={bonus}, codes={codes}, "
                f"width={width}, token_prob={token_prob}, blank_prob={blank_prob}, "
                f"nbest={nbest}"
            )
        self.charset = charset
        self.weight = float(weight)
        self.bonus = float(bonus)
        self.width = int(width)
        self.token_prob = token_prob
        self.blank_prob = blank_prob
        self.nbest = int(nbest)
        self.ngrams = NGrams.read(DEFAULT if model is None else model)
        self._share = math.log(token_prob) if token_prob else -math.inf
        self._words = math.log1p(-codes) if codes < 1 else -math.inf
        self._codes = math.log(codes) if codes > 0 else -math.inf
        number = {token: k for k, token in enumerate(self.ngrams.tokens)}
        if missing := [token for token in charset.tokens if token not in number]:
            raise DecodeError(
                f"the language model {DEFAULT if model is None else os.fspath(model)} does not "
                f"know {len(missing)} of the {len(charset.tokens)} tokens, such as {missing[:5]}: "
                "make one of such texts with `python -m model.lm`, or take another decoder"
            )
        self._number = [self.ngrams.end, *(number[token] for token in charset.tokens)]

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Read log_probs `(N, T, C) float32`; the best texts of each image."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        probs = np.exp(log_probs)
        tried = worth_trying(probs, self.token_prob, self.blank_prob)
        return [
            [
                Hypothesis.of(text, rows, lm_score)
                for lm_score, text in self._search(steps)[: self.nbest]
            ]
            for steps, rows in zip(steps_of(probs, tried), log_probs, strict=True)
        ]

    def lm_score(self, log_prob: float, length: int) -> float:
        """What a text's prior probability adds to its score.

        Args:
            log_prob: What the n-grams give it.
            length: How many tokens it has, its end among them if it has ended.
        """
        word, code = self._words + log_prob, self._codes - _CODE * length
        low, high = (code, word) if code < word else (word, code)
        return self.weight * (high + math.log1p(math.exp(low - high)) + self.bonus * length)

    def _search(self, steps: list[Step]) -> list[tuple[float, list[int]]]:
        """The texts that the beam ends with, best first, after what their priors add.

        In the beam there are a prefix's score, p of its alignments that end on a blank, p of those
        that end on its last token, and its number, which holds its tokens, some bits each: the
        prefix before it is a shift away.
        """
        bits = self.charset.num_classes.bit_length()
        mask = (1 << bits) - 1
        told: dict[int, Told] = {0: (0.0, self.ngrams.start, 0.0, 0)}
        beam = [(0.0, 1.0, 0.0, 0)]
        on_blanks = True
        for blank, offers in steps:
            if not offers:
                if not on_blanks:
                    beam = [(score, a + b, 0.0, key) for score, a, b, key in beam]
                    on_blanks = True
                continue
            on_blanks = False
            prob_of = {token: p for p, token in offers}
            floor = self.token_prob * offers[0][0] * max([a + b for _, a, b, _ in beam])
            arrived = {}
            for _, on_blank, on_token, key in beam:
                last, seen, key = key & mask, on_blank + on_token, key << bits
                for p, token in offers:
                    made = p * (on_blank if token == last else seen)
                    if made > floor:
                        arrived[key | token] = made
            grown = []
            for _, on_blank, on_token, key in beam:
                seen = (on_blank + on_token) * blank
                on_token = on_token * prob_of.get(key & mask, 0.0) + arrived.pop(key, 0.0)
                if seen + on_token:
                    score = math.log(seen + on_token) + told[key][0]
                    grown.append((score, seen, on_token, key))
            for key, made in arrived.items():
                if key not in told:
                    told[key] = self._continued(told[key >> bits], key & mask)
                grown.append((math.log(made) + told[key][0], 0.0, made, key))
            beam = self._best(grown)
        ended = []
        for _, on_blank, on_token, key in beam:
            _, state, log_prob, length = told[key]
            cost, _ = self.ngrams.step(state, self.ngrams.end)
            prior = self.lm_score(log_prob - cost / NAT, length + 1)
            ended.append((math.log(on_blank + on_token) + prior, prior, tokens_of(key, bits)))
        return [(prior, text) for _, prior, text in sorted(ended, reverse=True)]

    def _continued(self, before: Told, token: int) -> Told:
        """What the language model says of a prefix with a token more."""
        _, state, log_prob, length = before
        cost, state = self.ngrams.step(state, self._number[token])
        log_prob -= cost / NAT
        return self.lm_score(log_prob, length + 1), state, log_prob, length + 1

    def _best(self, grown: list[Prefix]) -> list[Prefix]:
        """The prefixes that are kept, best first."""
        if len(grown) > 1:
            grown.sort(reverse=True)
            floor = grown[0][0] + self._share
            del grown[self.width :]
            while grown[-1][0] < floor:
                grown.pop()
        _, on_blank, on_token, _ = grown[0]
        if on_blank + on_token < TINY:
            grown = [(score, a / TINY, b / TINY, key) for score, a, b, key in grown]
        return grown
