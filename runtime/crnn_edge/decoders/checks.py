"""What decoders refuse: arrays that cannot be a network's output, impossible settings."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from crnn_edge.charset import BLANK
from crnn_edge.errors import DecodeError
from crnn_edge.types import FloatArray

_TOLERANCE = 1e-3  # float32 log-softmax of 100 classes ends up to 1e-6 above 0


def check_log_probs(
    log_probs: FloatArray, num_classes: int, lengths: Sequence[int] | None = None
) -> FloatArray:
    """Refuse what cannot be log-probabilities. One pass over the array: 1 µs.

    Minus infinity is allowed: it is log 0.

    Args:
        log_probs: `(N, T, C) float32`, or `(T, C)` for one image.
        num_classes: The C that is expected.
        lengths: How many steps of each image count, if not all. The others become certain
            blanks, with which every text has the very probability that it has without them.

    Returns:
        `(N, T, C) float32`.

    Raises:
        DecodeError: If the shape is wrong, there is no time step, or a value is NaN or above 0.
    """
    log_probs = log_probs[None] if log_probs.ndim == 2 else log_probs
    _check_shape(log_probs, num_classes)
    if lengths is not None:
        log_probs = _blank_beyond(log_probs, lengths)
    if len(log_probs) and not (peak := log_probs.max()) <= _TOLERANCE:
        raise DecodeError(
            f"expected log-probabilities, at most 0, but the largest is {peak}: apply log-softmax "
            "to logits. If it is NaN already, the model file is damaged"
        )
    return log_probs


def _check_shape(log_probs: FloatArray, num_classes: int) -> None:
    if log_probs.ndim != 3 or log_probs.shape[2] != num_classes or log_probs.shape[1] == 0:
        raise DecodeError(
            "expected log_probs (N, T, C) with T > 0 and "
            f"C = {num_classes} (the charset's tokens and the blank), got shape {log_probs.shape}"
        )


def _blank_beyond(log_probs: FloatArray, lengths: Sequence[int]) -> FloatArray:
    n, steps, _ = log_probs.shape
    if len(lengths) != n or not all(0 < length <= steps for length in lengths):
        raise DecodeError(
            f"expected {n} lengths of 1 to {steps} time steps for log_probs of shape "
            f"{log_probs.shape}, got {list(lengths)}"
        )
    padded = log_probs.copy()
    for rows, length in zip(padded, lengths, strict=True):
        rows[length:] = -np.inf
        rows[length:, BLANK] = 0
    return padded


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
