"""The result of reading an image: the text, its probability, and its characters' positions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.spans import token_spans


@dataclass(frozen=True)
class Character:
    """One token of a recognition.

    Attributes:
        token: The token, usually one character.
        confidence: The highest p(token) among the time steps that the best alignment gives it,
            0…1: the network's certainty where the token is clearest.
        start: Where the token begins, in pixels of the caller's image; see
            `crnn_edge.decoders.spans`.
        end: Where it ends.
    """

    token: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class Recognition:
    """The text of an image: a frozen value that can be compared and pickled.

    Score and characters are computed when they are first asked for; see `Hypothesis`.

    Attributes:
        text: The text.
        tokens: The same, token by token.
        hypothesis: The decoder's result in class ids, from which score and characters follow.
        alternatives: Other texts for the same image, most probable first, where the decoder was
            asked for several.
        step_px: Width of a time step, in pixels of the caller's image.
        width_px: Width of that image, which no character exceeds.
        rotation: Degrees counter-clockwise by which vertical text was rotated to be read: 0, 90 or
            270. Positions are along the rotated image's width, the caller's height.
    """

    text: str
    tokens: tuple[str, ...]
    hypothesis: Hypothesis = field(repr=False)
    alternatives: tuple[Recognition, ...] = ()
    step_px: float = 1.0
    width_px: float = math.inf
    rotation: int = 0

    @classmethod
    def of(
        cls,
        charset: Charset,
        hypotheses: Sequence[Hypothesis],
        step_px: float = 1.0,
        width_px: float = math.inf,
        rotation: int = 0,
    ) -> Recognition:
        """The recognition of a decoder's hypotheses, best first; see the attributes."""
        best, *others = hypotheses
        tokens = tuple([charset.tokens[k - 1] for k in best.classes])
        place = step_px, width_px, rotation
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
        """Whether the decoder knows that no other text that it may choose is more probable."""
        return self.hypothesis.optimal

    @property
    def confidence(self) -> float:
        """The p(text | image), 0…1."""
        return math.exp(self.log_prob)

    @cached_property
    def characters(self) -> tuple[Character, ...]:
        """The tokens with confidences and positions, from the best alignment of the text.

        An impossible text, of probability 0, has no alignment, and so no characters.
        """
        path = self.hypothesis.alignment
        if path is None:
            return ()
        spans = token_spans(path, len(self.tokens))
        parts = zip(self.tokens, self.hypothesis.peaks, spans, strict=True)
        return tuple(
            Character(token, peak, *(min(edge * self.step_px, self.width_px) for edge in span))
            for token, peak, span in parts
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
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
            "rotation": self.rotation,
        }
