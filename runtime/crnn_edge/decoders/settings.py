"""Settings of decoders: as a command line has them, and what is refused of any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

from crnn_edge.decoders import settings_of
from crnn_edge.errors import DecodeError

_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}


def check_kind(kind: type, told: str, **settings: Any) -> None:
    """Refuse settings of another kind. NumPy's numbers are numbers; true and false are none.

    Args:
        kind: `Integral`, `Real`, `bool` or `str`.
        told: The same in words.
        **settings: By name.

    Raises:
        DecodeError: Telling the first that is not.
    """
    for name, value in settings.items():
        number = kind in (Integral, Real)
        if not isinstance(value, kind) or (number and isinstance(value, bool)):
            raise DecodeError(
                f"expected {told} for a decoder's setting {name!r}, got {type(value).__name__} "
                f"{str(value)[:60]!r}"
            )


def parse_settings(name: str | None, written: Sequence[str]) -> dict[str, Any]:
    """Settings of a decoder from a command line: `["width=20", "pattern=[0-9]+"]`.

    Values become what the decoder declares: `int`, `float`, `bool` (true or false); else text.

    Raises:
        UnknownNameError: If there is no such decoder.
        DecodeError: If one is not `NAME=VALUE`, or the decoder has no such setting, or the value is
            not of its kind, or it is told twice; or if no decoder is named whose settings they are.
    """
    if name is None:
        if written:
            raise DecodeError(f"{written[0]!r} is a setting of which decoder? --decoder names it")
        return {}
    settings: dict[str, Any] = {}
    for setting in written:
        key, equals, value = setting.partition("=")
        if not equals:
            raise DecodeError(f"expected a decoder's setting as NAME=VALUE, got {setting!r}")
        if key in settings:
            raise DecodeError(f"decoder {name!r} is told {key!r} twice: {setting!r} is the second")
        _, known = settings_of(name, [key])
        declared: Any = known[key].annotation if key in known else str
        convert = _READERS.get(getattr(declared, "__name__", declared), str)
        try:
            settings[key] = convert(value)
        except (ValueError, KeyError):
            raise DecodeError(
                f"setting {key!r} of decoder {name!r} is of the kind {declared}, got {value!r}"
            ) from None
    return settings
