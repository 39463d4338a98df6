"""Decoders: `log_probs -> recognition`. A name is a file in this folder.

A decoder finds a text; what a text scores and where its characters stand is defined here, once,
whichever decoder found it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

from runtime import names
from runtime.charset import Charset
from runtime.decoders import ctc
from runtime.decoders.recognition import Recognition
from runtime.errors import DecodeError


class Decoder(Protocol):
    """Log-probabilities into recognitions, one an image, spans in time steps.

    If its class itself has a method `of_logits(logits)`, which reads the same in a network's logits
    `(N, T, C) float32`, a `Recognizer` calls that and spares it the softmax. It may keep them: a
    backend gives them away.
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
    kind, known = settings_of(name)
    anything = {k for k, p in known.items() if p.kind is p.VAR_KEYWORD}
    unknown = [] if anything else sorted(set(settings) - set(known))
    needed = {k for k, p in known.items() if p.default is p.empty}
    missing = sorted(needed - anything - set(settings))
    if unknown or missing:
        reason = f"has no setting {unknown}" if unknown else f"needs {missing}"
        there = names.available(__name__, "Decoder") if unknown else []
        able = " and ".join(d for d in there if {*settings_of(d)[1]}.issuperset(unknown))
        reason += f" ({able} would)" if able else ""
        shown = ", ".join(str(p.replace(annotation=p.empty)) for p in known.values())
        raise DecodeError(f"decoder {name!r} {reason}: it has {shown or 'none'}")
    decoder: Decoder = kind(charset, **settings)
    return decoder


def settings_of(name: str) -> tuple[Any, dict[str, inspect.Parameter]]:
    """The class of a decoder, and what it may be told besides the charset.

    Raises:
        UnknownNameError: If there is no such decoder.
    """
    kind = names.find(__name__, name, "Decoder")
    parameters = dict(inspect.signature(kind).parameters)
    parameters.pop("charset", None)
    return kind, parameters
