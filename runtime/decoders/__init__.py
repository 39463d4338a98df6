"""Decoders: `log_probs -> recognition`. A name is a file in this folder.

A decoder finds a text; what a text scores and where its characters stand is defined here, once,
whichever decoder found it.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, Protocol

from runtime import names
from runtime.charset import BLANK, Charset
from runtime.decoders import ctc
from runtime.errors import DecodeError


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
        scores: `(T, C) float32`: what the decoder was given, logits or log-probabilities.
        alternatives: Other texts for the same image, most probable first, where a decoder gives
            them.
        constrained: Whether the text is as a decoder was told that it must be (a word of the
            lexicon, a match of the pattern); None if it was told nothing.
        proven: Whether the decoder knows that no other text that it may choose is more probable.
        step_px: Width of a time step, in pixels of the caller's image.
        width_px: Width of that image: no span goes beyond.
        turned: Degrees against the clock by which a tall image was turned to be read, 0, 90 or 270.
            Spans are then along the turned image's width, which is the caller's height.
    """

    text: str
    tokens: tuple[str, ...]
    classes: Sequence[int] = field(repr=False, compare=False)
    scores: ctc.FloatArray = field(repr=False, compare=False)
    alternatives: tuple[Recognition, ...] = ()
    constrained: bool | None = None
    proven: bool = False
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
    ) -> Recognition:
        """The recognition of class ids without blanks, read from scores `(T, C) float32`."""
        tokens = tuple([charset.tokens[k - 1] for k in classes])
        scores = scores.copy()  # it keeps no batch alive, and nobody can change it
        read = charset.join(tokens), tokens, classes, scores
        return cls(*read, tuple(alternatives), constrained, proven)

    def in_pixels(self, step_px: float, width_px: float, turned: int = 0) -> Recognition:
        """The same reading with spans in pixels of the caller's image, perhaps turned."""
        others = self.alternatives
        if others:
            others = tuple([other.in_pixels(step_px, width_px, turned) for other in others])
        # Written out because `dataclasses.replace` takes thrice as long, as long as an argmax.
        placed = object.__new__(Recognition)
        placed.__dict__.update(
            self.__dict__, alternatives=others, step_px=step_px, width_px=width_px, turned=turned
        )
        placed.__dict__.pop("characters", None)  # computed already, in other pixels
        return placed

    @cached_property
    def evidence(self) -> ctc.FloatArray:
        """Log-probabilities `(T, 1 + K) float32` of the blank and the text's K different tokens.

        Greedy reading compares logits alone; their normaliser waits until somebody asks. What is
        a log-probability already stays as it is.
        """
        return ctc.log_softmax(self.scores).take([BLANK, *dict.fromkeys(self.classes)], axis=1)

    @cached_property
    def _columns(self) -> list[int]:
        """The text in columns of `evidence`."""
        column = {token: k for k, token in enumerate(dict.fromkeys(self.classes), start=1)}
        return [column[token] for token in self.classes]

    @cached_property
    def log_prob(self) -> float:
        """The log p(text | image): the CTC forward sum over all alignments."""
        return min(0.0, float(ctc.forward_sum(self.evidence[None], [self._columns])[0]))

    def reaches(self, log_prob: float) -> bool:
        """Whether this text is at least so probable.

        The best alignment alone often tells, in a tenth of the time that their sum takes.
        """
        if "log_prob" not in self.__dict__:
            path = [k for k, _ in groupby(self.evidence.argmax(axis=1).tolist()) if k != BLANK]
            if path == self._columns and float(self.evidence.max(axis=1).sum()) >= log_prob:
                return True
        return self.log_prob >= log_prob

    @property
    def confidence(self) -> float:
        """The p(text | image), 0…1."""
        return math.exp(self.log_prob)

    @cached_property
    def characters(self) -> tuple[Character, ...]:
        """The tokens with their confidences and spans, from the best alignment of the text."""
        path = ctc.align(self.evidence, self._columns)
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
            "characters": [dataclasses.asdict(character) for character in self.characters],
            "alternatives": [{"text": x.text, "log_prob": x.log_prob} for x in self.alternatives],
            "constrained": self.constrained,
            "proven": self.proven,
            "turned": self.turned,
        }


class Decoder(Protocol):
    """Log-probabilities into recognitions, one an image, spans in time steps.

    A decoder that reads the same text in logits, unnormalised, may say `takes_logits = True`: a
    `Recognizer` then spares it the softmax.
    """

    def __call__(
        self, log_probs: ctc.FloatArray, lengths: Sequence[int] | None = None
    ) -> list[Recognition]:
        """Read log_probs.

        Args:
            log_probs: `(N, T, C) float32`, or `(T, C)` for one image.
            lengths: How many steps of each image count, if not all.

        Returns:
            A recognition an image.

        Raises:
            DecodeError: If they are no log-probabilities of this charset.
        """
        ...


def make_decoder(name: str, charset: Charset, **settings: Any) -> Decoder:
    """A decoder by name.

    Args:
        name: `X` is `runtime/decoders/X.py`; a dotted name is a module of the caller's own with
            a class `Decoder`.
        charset: What the classes stand for.
        **settings: The decoder's own.

    Raises:
        UnknownNameError: If there is no such decoder; the message lists those that exist.
        DecodeError: If the decoder has no such setting, needs one, or refuses a value.
    """
    kind, known = _settings(name)
    unknown = sorted(set(settings) - set(known))
    missing = [k for k, p in known.items() if p.default is p.empty and k not in settings]
    if unknown or missing:
        reason = f"has no setting {unknown}" if unknown else f"needs {missing}"
        shown = ", ".join(str(p.replace(annotation=p.empty)) for p in known.values())
        raise DecodeError(f"decoder {name!r} {reason}: it has {shown or 'none'}")
    decoder: Decoder = kind(charset, **settings)
    return decoder


def parse_settings(name: str, written: Sequence[str]) -> dict[str, Any]:
    """Settings of a decoder from a command line: `["width=20", "pattern=[0-9]+"]`.

    Values become what the decoder declares: `int`, `float`, `bool` (true or false); else text.

    Raises:
        UnknownNameError: If there is no such decoder.
        DecodeError: If one is not `NAME=VALUE`, or the value is not of its kind.
    """
    _, known = _settings(name)
    settings: dict[str, Any] = {}
    for setting in written:
        key, equals, value = setting.partition("=")
        if not equals:
            raise DecodeError(f"expected a decoder's setting as NAME=VALUE, got {setting!r}")
        declared: Any = known[key].annotation if key in known else str
        convert = _KINDS.get(getattr(declared, "__name__", declared), str)
        try:
            settings[key] = convert(value)
        except (ValueError, KeyError):
            raise DecodeError(
                f"setting {key!r} of decoder {name!r} is of the kind {declared}, got {value!r}"
            ) from None
    return settings


_KINDS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}


def _settings(name: str) -> tuple[Any, dict[str, inspect.Parameter]]:
    """The class of a decoder, and what it may be told besides the charset."""
    kind = names.find(__name__, name, "Decoder")
    parameters = dict(inspect.signature(kind).parameters)
    parameters.pop("charset", None)
    return kind, parameters
