"""Float weights as int8 values and scales."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn_edge.types import FloatArray

_MIN_PEAK = np.float32(1e-30)  # so that weights that are all zero have a scale


def round_weights(
    weight: FloatArray, axes: int, levels: int = 127
) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Weights as int8 values and float scales: `weight ≈ values * scales`.

    Args:
        weight: The weights, float32 of any shape.
        axes: One scale for each index of the first `axes` axes; 0 for a single scale.
        levels: The largest int8 value to use.
    """
    flat = np.abs(weight).reshape(*weight.shape[:axes], -1)
    scale = np.maximum(flat.max(axis=-1), _MIN_PEAK) / np.float32(levels)
    broadcast = scale.reshape(scale.shape + (1,) * (weight.ndim - axes))
    return np.rint(weight / broadcast).astype(np.int8), scale.astype(np.float32)
