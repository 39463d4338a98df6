"""Pixel values of decoded image files as `uint8`, whichever library decoded them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.types import Image

FLOAT_PIXELS = "it has floating-point pixels: save it with 8 or 16 bits per channel"
"""Why an image file with such pixels is refused."""


def to_uint8(pixels: npt.NDArray[Any]) -> Image:
    """Pixels `uint8`, or of 16 bits, as `uint8`."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.clip(0, 65535).astype(np.int64) + 128) // 257).astype(np.uint8)


def composite_on_white(rgba: Image) -> Image:
    """An image `(H, W, 4)` with transparency, blended on white: `(H, W, 3)`."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)
