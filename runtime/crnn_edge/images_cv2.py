"""Decoding image files with OpenCV: what `read_image` does where there is no Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_edge.errors import ImageError
from crnn_edge.image_header import check_header
from crnn_edge.pixels import FLOAT_PIXELS, composite, to_uint8
from crnn_edge.types import Image


def decode(data: bytes) -> Image:
    """The image in the bytes of a file, upright, gray or RGB.

    OpenCV's own log is silent meanwhile: a damaged file is reported once, by the exception.

    Raises:
        ImageError: If it is truncated, not an image of a known format, or has too many pixels.
    """
    import cv2

    _, divisor = check_header(data)
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return _decode(cv2, data, divisor)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decode(cv2: Any, data: bytes, divisor: int) -> Image:
    # OpenCV fills the rest of a truncated image with gray and only warns.
    end = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}.get(data[:2], b"")
    if end and data.find(end, len(data) // 2) < 0:
        raise ImageError("the image is truncated")
    buffer = np.frombuffer(data, dtype=np.uint8)
    if divisor > 1:  # a large JPEG, which has neither transparency nor more than 8 bits
        decoded = cv2.imdecode(buffer, cv2.IMREAD_REDUCED_COLOR_2)
        if decoded is None:
            raise ImageError("not an image of a known format")
        return np.ascontiguousarray(decoded[..., ::-1])
    decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ImageError("not an image of a known format")
    if decoded.dtype.kind == "f":
        raise ImageError(FLOAT_PIXELS)
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        return composite(to_uint8(decoded)[..., [2, 1, 0, 3]])
    # Only without IMREAD_UNCHANGED does OpenCV obey the orientation tag.
    decoded = cv2.imdecode(buffer, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    decoded = to_uint8(decoded)
    return np.ascontiguousarray(decoded[..., ::-1] if decoded.ndim == 3 else decoded)
