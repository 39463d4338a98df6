"""What decoders refuse: arrays that cannot be a network's output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_edge.charset import BLANK
from crnn_edge.decoders.ctc import FloatArray
from crnn_edge.errors import DecodeError

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
