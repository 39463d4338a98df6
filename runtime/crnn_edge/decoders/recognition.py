"""What was read: the text, how probable it is, and where its characters stand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Hypothesis


@dataclass(frozen=True)
class Character:
    """One token of a recognition.

    Attributes:
        token: The token, usually one character.
        confidence: The highest p(token) among the time steps that the best alignment gives it,
            0…1: how sure the network was where it saw the token best.
        start: Where those steps begin, in pixels of the caller's image.
        end: Where they end.
    """

    token: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class Recognition:
    """What was read in an image.

    Attributes:
        text: The text.
        tokens: The same, token by token.
        hypothesis: What the decoder found, in class ids, and its evidence.
        alternatives: Other texts for the same image, most probable first, where the decoder was
            asked for several.
        step_px: Width of a time step, in pixels of the caller's image.
        width_px: Width of that image: no span goes beyond.
        turned: Degrees counter-clockwise by which a tall image was turned to be read, 0, 90 or
            270. Spans are then along the turned image's width, which is the caller's height.
    """

    text: str
    tokens: tuple[str, ...]
    hypothesis: Hypothesis = field(repr=False)
    alternatives: tuple[Recognition, ...] = ()
    step_px: float = 1.0
    width_px: float = math.inf
    turned: int = 0

    @classmethod
    def of(
        cls,
        charset: Charset,
        hypotheses: Sequence[Hypothesis],
        step_px: float = 1.0,
        width_px: float = math.inf,
        turned: int = 0,
    ) -> Recognition:
        """The recognition that a decoder's hypotheses, best first, stand for."""
        best, *others = hypotheses
        tokens = tuple([charset.tokens[k - 1] for k in best.classes])
        place = step_px, width_px, turned
        alternatives = tuple([cls.of(charset, [other], *place) for other in others])
        return cls(charset.join(tokens), tokens, best, alternatives, *place)

    @property
    def log_prob(self) -> float:
        """The log p(text | image): the CTC forward sum over all alignments."""
        return self.hypothesis.log_prob

    @property
    def lm_score(self) -> float:
        """What a language model added to `log_prob` when the text was chosen; 0 without one."""
        return self.hypothesis.lm_score

    @property
    def matches_constraint(self) -> bool | None:
        """Whether the text matches the decoder's pattern or lexicon; None if it has neither."""
        return self.hypothesis.matches_constraint

    @property
    def optimal(self) -> bool:
        """Whether no other text that the decoder may choose is more probable, for certain."""
        return self.hypothesis.optimal

    @property
    def confidence(self) -> float:
        """The p(text | image), 0…1."""
        return math.exp(self.log_prob)

    @cached_property
    def characters(self) -> tuple[Character, ...]:
        """The tokens with their confidences and spans, from the best alignment of the text.

        An impossible text, of probability 0, has no alignment, and so no characters.
        """
        path = self.hypothesis.alignment
        if path is None:
            return ()
        characters = []
        for index, (token, peak) in enumerate(zip(self.tokens, self.hypothesis.peaks, strict=True)):
            (steps,) = (path == index).nonzero()
            start, end = float(steps[0]) * self.step_px, float(steps[-1] + 1) * self.step_px
            span = min(start, self.width_px), min(end, self.width_px)
            characters.append(Character(token, peak, *span))
        return tuple(characters)

    def to_dict(self) -> dict[str, Any]:
        """Everything that is to be known, for JSON."""
        return {
            "text": self.text,
            "confidence": self.confidence,
            "log_prob": self.log_prob,
            "lm_score": self.lm_score,
            "characters": [dataclasses.asdict(character) for character in self.characters],
            "alternatives": [
                {"text": x.text, "log_prob": x.log_prob, "lm_score": x.lm_score}
                for x in self.alternatives
            ],
            "matches_constraint": self.matches_constraint,
            "optimal": self.optimal,
            "turned": self.turned,
        }
