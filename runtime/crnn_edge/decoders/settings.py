"""Settings of decoders: parsed from a command line, and checked."""

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


def check_kind(kind: type, expected: str, **settings: Any) -> None:
    """Refuse settings of another type.

    Args:
        kind: `bool` or `str`.
        expected: The same in words.
        **settings: By name.

    Raises:
        DecodeError: Naming the first that is not.
    """
    for name, value in settings.items():
        if not isinstance(value, kind):
            raise _wrong(name, expected, value)


def check_number(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    whole: bool = False,
) -> None:
    """Refuse a setting that is not a number in its range. NumPy's numbers are numbers.

    Raises:
        DecodeError: Naming the setting, its range and what was given.
    """
    bounds = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    limits = " and ".join(f"{word} {x:,}" for word, x in bounds.items() if x is not None)
    kind: Any = Integral if whole else Real
    fits = isinstance(value, kind) and not isinstance(value, bool)
    fits = fits and (at_least is None or value >= at_least) and (above is None or value > above)
    fits = fits and (at_most is None or value <= at_most) and (below is None or value < below)
    if not fits:
        raise _wrong(name, f"a {'whole ' if whole else ''}number {limits}".rstrip(), value)


def _wrong(name: str, expected: str, value: Any) -> DecodeError:
    given = f"{type(value).__name__} {str(value)[:60]!r}"
    return DecodeError(f"decoder setting {name!r} must be {expected}, got {given}")


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
