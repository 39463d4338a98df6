"""How a line is looked at: stretched, and along a slope."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Look(NamedTuple):
    """How a line is looked at.

    Attributes:
        stretch: How many times as wide as usual it is made.
        slope: How many pixels it falls by for each pixel to the right; below 0, it climbs.
    """

    stretch: float = 1.0
    slope: float = 0.0


IDENTITY = Look()


def level(gray: FloatArray, rows: int, slope: float) -> FloatArray:
    """So many rows of gray levels `(H, W) float32` about a line through the middle, made level.

    The line falls by `slope` rows a column. Beyond an edge, what is at the edge goes on.
    """
    height, width = gray.shape
    top = (height - rows) / 2 + slope * (np.arange(width) - (width - 1) / 2)
    y = np.add.outer(np.arange(rows), top).clip(0, height - 1).astype(np.float32)
    above = y.astype(np.intp)
    upper = np.take_along_axis(gray, above, axis=0)
    lower = np.take_along_axis(gray, np.minimum(above + 1, height - 1), axis=0)
    levelled: FloatArray = upper + (lower - upper) * (y - above.astype(np.float32))
    return levelled
