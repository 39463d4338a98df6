"""Settings of decoders as a command line has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crnn_edge.decoders import settings_of
from crnn_edge.errors import DecodeError

_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}


def parse_settings(name: str | None, written: Sequence[str]) -> dict[str, Any]:
    """Settings of a decoder from a command line: `["beam_size=20", "pattern=[0-9]+"]`.

    Values become what the decoder declares: `int`, `float`, `bool` (true or false); else text.

    Raises:
        UnknownNameError: If there is no such decoder.
        DecodeError: If one is not `NAME=VALUE`, or the decoder has no such setting, or the value is
            not of its type, or it is given twice; or if there are settings without a decoder.
    """
    if name is None:
        if written:
            raise DecodeError(f"--set {written[0]} needs --decoder")
        return {}
    settings: dict[str, Any] = {}
    for setting in written:
        key, equals, value = setting.partition("=")
        if not equals:
            raise DecodeError(f"expected --set NAME=VALUE, got {setting!r}")
        if key in settings:
            raise DecodeError(f"setting {key!r} of decoder {name!r} is given twice")
        _, known = settings_of(name, [key])
        declared: Any = known[key].annotation if key in known else str
        convert = _READERS.get(getattr(declared, "__name__", declared), str)
        try:
            settings[key] = convert(value)
        except (ValueError, KeyError):
            raise DecodeError(
                f"setting {key!r} of decoder {name!r} must be {declared}, got {value!r}"
            ) from None
    return settings
