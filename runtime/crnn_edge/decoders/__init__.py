"""Decoders: `log_probs -> hypotheses`. A name is a file in this folder.

The contract is in `crnn_edge.decoders.base`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from crnn_edge import plugins
from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Decoder
from crnn_edge.decoders.token_filter import FilteredDecoder, TokenFilter
from crnn_edge.errors import DecodeError


def make_decoder(name: str, charset: Charset, /, **settings: Any) -> Decoder:
    """A decoder by name.

    Args:
        name: `X` is `crnn_edge/decoders/X.py`; a dotted name is a module of the caller's own with
            a class `Decoder`.
        charset: What the classes stand for.
        **settings: The decoder's own, and those of `TokenFilter`, which every decoder has.

    Raises:
        UnknownNameError: If there is no such decoder; the message lists those that exist.
        DecodeError: If the decoder has no such setting, needs one, or refuses a value.
    """
    kind, known = settings_of(name, settings)
    own = dict(settings)
    filtering = {k: own.pop(k) for k in _filter_settings(kind) if k in own}
    needed = {k for k, p in known.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
    if missing := sorted(needed - set(settings)):
        raise DecodeError(f"decoder {name!r} needs {missing}: it has {_shown(known)}")
    decoder: Decoder = kind(charset, **own)
    if not any(filtering.values()):
        return decoder
    return FilteredDecoder(decoder, TokenFilter(charset, **filtering))


def settings_of(name: str, given: Iterable[str] = ()) -> tuple[Any, dict[str, inspect.Parameter]]:
    """The class of a decoder, and what it may be told besides the charset.

    Args:
        name: As of `make_decoder`.
        given: Names of settings that it must have.

    Raises:
        UnknownNameError: If there is no such decoder.
        DecodeError: If it has no such setting.
    """
    kind = plugins.load(__name__, name, "Decoder")
    known = dict(inspect.signature(kind).parameters)
    known.pop("charset", None)
    known |= _filter_settings(kind)
    anything = any(p.kind is p.VAR_KEYWORD for p in known.values())
    if unknown := [] if anything else sorted(set(given) - set(known)):
        others = plugins.available(__name__, "Decoder")
        able = " and ".join(d for d in others if {*settings_of(d)[1]}.issuperset(unknown))
        told = f"{unknown} ({able} would)" if able else str(unknown)
        raise DecodeError(f"decoder {name!r} has no setting {told}: it has {_shown(known)}")
    return kind, known


def _filter_settings(kind: Any) -> dict[str, inspect.Parameter]:
    """The settings of `TokenFilter`, but for those that a decoder declares itself."""
    own = inspect.signature(kind).parameters
    shared = inspect.signature(TokenFilter).parameters
    return {k: p for k, p in shared.items() if k != "charset" and k not in own}


def _shown(known: dict[str, inspect.Parameter]) -> str:
    return ", ".join(str(p.replace(annotation=p.empty)) for p in known.values()) or "none"
