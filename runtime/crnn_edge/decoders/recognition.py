"""What a decoder found: the text, how probable it is, and where its characters stand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crnn_edge.charset import BLANK, Charset
from crnn_edge.decoders import ctc
from crnn_edge.errors import DecodeError


@dataclass(frozen=True)
class Character:
    """One token of a reading.

    Attributes:
        token: The token, usually one character.
        confidence: The highest p(token) among the time steps that the best alignment gives it,
            0…1: how sure the network was where it saw the token best.
        start: Where those steps begin, in pixels of the caller's image (of a decoder: in steps).
        end: Where they end.
    """

    token: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class Recognition:
    """A reading: the text, and the evidence from which its score and spans are computed.

    Score and spans cost more than greedy reading itself (about 0.2 ms against 0.01), so they are
    computed when first asked for, and kept.

    Attributes:
        text: What was read.
        tokens: The same, token by token.
        classes: The same in class ids, without blanks.
        scores: `(T, C) float32`: the log-probabilities that the decoder was given, or the logits.
        logits: Whether they are logits, whose softmax waits until somebody asks for a probability.
        alternatives: Other texts for the same image, most probable first, where a decoder gives
            them.
        constrained: Whether the text is as a decoder was told that it must be (a word of the
            lexicon, a match of the pattern); None if it was told nothing.
        proven: Whether the decoder knows that no other text that it may choose is more probable.
        prior: What a language model's opinion of the text added to `log_prob` when it was chosen;
            0 where none was asked.
        step_px: Width of a time step, in pixels of the caller's image.
        width_px: Width of that image: no span goes beyond.
        turned: Degrees against the clock by which a tall image was turned to be read, 0, 90 or 270.
            Spans are then along the turned image's width, which is the caller's height.
    """

    text: str
    tokens: tuple[str, ...]
    classes: Sequence[int] = field(repr=False, compare=False)
    scores: ctc.FloatArray = field(repr=False, compare=False)
    logits: bool = field(default=False, repr=False, compare=False)
    alternatives: tuple[Recognition, ...] = ()
    constrained: bool | None = None
    proven: bool = False
    prior: float = 0.0
    step_px: float = 1.0
    width_px: float = math.inf
    turned: int = 0

    @classmethod
    def of(
        cls,
        charset: Charset,
        classes: Sequence[int],
        scores: ctc.FloatArray,
        alternatives: Sequence[Recognition] = (),
        constrained: bool | None = None,
        proven: bool = False,
        logits: bool = False,
        owned: bool = False,
        prior: float = 0.0,
    ) -> Recognition:
        """The recognition of class ids without blanks, read from scores `(T, C) float32`.

        They are log-probabilities, unless `logits` says otherwise; and copied, unless `owned` says
        that they belong to no batch and to nobody else.
        """
        tokens = tuple([charset.tokens[k - 1] for k in classes])
        made = object.__new__(cls)
        # Written out, here and below, because a frozen class sets field by field: in a read of a
        # small network's, that takes as long as an argmax.
        made.__dict__.update(
            text=charset.join(tokens),
            tokens=tokens,
            classes=classes,
            scores=scores if owned else scores.copy(),  # keeps no batch alive, and stays as it is
            logits=logits,
            alternatives=tuple(alternatives),
            constrained=constrained,
            proven=proven,
            prior=prior,
        )
        return made  # what is not set here, the class has a value for

    def in_pixels(self, step_px: float, width_px: float, turned: int = 0) -> Recognition:
        """The same reading with spans in pixels of the caller's image, perhaps turned."""
        others = self.alternatives
        if others:
            others = tuple([other.in_pixels(step_px, width_px, turned) for other in others])
        placed = object.__new__(Recognition)
        placed.__dict__.update(
            self.__dict__, alternatives=others, step_px=step_px, width_px=width_px, turned=turned
        )
        placed.__dict__.pop("characters", None)  # computed already, in other pixels
        return placed

    @cached_property
    def evidence(self) -> ctc.FloatArray:
        """Log-probabilities `(T, 1 + K) float32` of the blank and the text's K different tokens."""
        log_probs = ctc.log_softmax(self.scores) if self.logits else self.scores
        return log_probs.take([BLANK, *dict.fromkeys(self.classes)], axis=1)

    @cached_property
    def _columns(self) -> list[int]:
        """The text in columns of `evidence`."""
        column = {token: k for k, token in enumerate(dict.fromkeys(self.classes), start=1)}
        return [column[token] for token in self.classes]

    @cached_property
    def log_prob(self) -> float:
        """The log p(text | image): the CTC forward sum over all alignments."""
        found = float(ctc.forward_sum(self.evidence[None], [self._columns])[0])
        return 0.0 if found > 0 else found  # by rounding

    def reaches(self, log_prob: float) -> bool:
        """Whether this text is at least so probable.

        The best alignment alone often tells, in a tenth of the time that their sum takes.
        """
        if "log_prob" not in self.__dict__:
            path = ctc.merged(self.evidence.argmax(axis=1).tolist())
            if path == self._columns and float(self.evidence.max(axis=1).sum()) >= log_prob:
                return True
        return self.log_prob >= log_prob

    @property
    def confidence(self) -> float:
        """The p(text | image), 0…1."""
        return math.exp(self.log_prob)

    @cached_property
    def characters(self) -> tuple[Character, ...]:
        """The tokens with their confidences and spans, from the best alignment of the text.

        An impossible text, of probability 0, has no alignment, and so no characters.
        """
        try:
            path = ctc.align(self.evidence, self._columns)
        except DecodeError:
            return ()
        characters = []
        for index, (token, column) in enumerate(zip(self.tokens, self._columns, strict=True)):
            (steps,) = (path == index).nonzero()
            peak = float(self.evidence[steps, column].max())
            start, end = float(steps[0]) * self.step_px, float(steps[-1] + 1) * self.step_px
            span = min(start, self.width_px), min(end, self.width_px)
            characters.append(Character(token, min(1.0, math.exp(peak)), *span))
        return tuple(characters)

    def to_dict(self) -> dict[str, Any]:
        """Everything that is to be known, for JSON."""
        return {
            "text": self.text,
            "confidence": self.confidence,
            "log_prob": self.log_prob,
            "prior": self.prior,
            "characters": [dataclasses.asdict(character) for character in self.characters],
            "alternatives": [
                {"text": x.text, "log_prob": x.log_prob, "prior": x.prior}
                for x in self.alternatives
            ],
            "constrained": self.constrained,
            "proven": self.proven,
            "turned": self.turned,
        }
