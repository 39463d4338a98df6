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


MIN_CONTRAST = 32
"""Where a transparent image on white has no pixel darker than this, its ink is white."""


def composite(rgba: Image) -> Image:
    """An image `(H, W, 4)` with transparency, blended on white: `(H, W, 3)`.

    White ink would vanish on white: if nothing can be seen there, it is blended on black.
    """
    blended = _composite_on(255, rgba)
    if int(blended.min()) > 255 - MIN_CONTRAST and int(rgba[..., 3].min()) < 255:
        return _composite_on(0, rgba)
    return blended


def _composite_on(ground: int, rgba: Image) -> Image:
    alpha = rgba[..., 3].astype(np.uint16)
    rest = ground * (255 - alpha) + 127
    blended = np.empty((*rgba.shape[:2], 3), np.uint8)
    for channel in range(3):  # one by one, for the memory of large images
        blended[..., channel] = (rgba[..., channel] * alpha + rest) // 255
    return blended
