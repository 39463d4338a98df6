"""What decoders with settings refuse: a setting of another kind."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from runtime.errors import DecodeError


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
