"""Image files, as the arrays that `Preprocess` takes.

Pillow decodes them, or else OpenCV (`crnn_edge.images_cv2`), imported when the first file is read.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.errors import EngineError, ImageError
from crnn_edge.install_hint import install_hint
from crnn_edge.pixels import FLOAT_PIXELS, composite_on_white, to_uint8
from crnn_edge.types import Image

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Suffixes by which `list_images` finds images in a folder."""


def read_image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image:
    """One image, upright, as `uint8 (H, W)` gray or `(H, W, 3)` RGB.

    The camera's orientation tag is obeyed, transparency is blended on white, 16-bit pixels are
    scaled to 8.

    Args:
        source: A path, or the bytes of an image file.

    Raises:
        ImageError: If the file is missing, empty, damaged or not an image; or if `source` is an
            array, which is an image already.
        EngineError: If neither Pillow nor OpenCV is installed.
    """
    decode = _decoder()
    if isinstance(source, bytes | bytearray | memoryview):
        source = bytes(source)
    elif not isinstance(source, str | os.PathLike):
        raise ImageError(
            "expected a path or the bytes of an image file (an array is an image already), got "
            f"{type(source).__name__}"
        )
    name = f"an image of {len(source):,} bytes" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not data:
            raise ImageError("the file is empty")
        return decode(data)
    except Exception as error:  # a damaged file raises nearly anything in nearly any reader
        raise ImageError(f"cannot read {name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    if "cannot identify" in reason:  # Pillow adds an address in memory
        return "not an image of a known format"
    return reason or type(error).__name__


def _decoder() -> Callable[[bytes], Image]:
    with suppress(ImportError):
        importlib.import_module("PIL.Image")
        return _decode_pillow
    with suppress(ImportError):
        importlib.import_module("cv2")
        from crnn_edge.images_cv2 import decode

        return decode
    raise EngineError(
        "reading image files needs Pillow or OpenCV, and neither is installed: "
        f"{install_hint('images')}; or pass NumPy arrays"
    )


def _decode_pillow(data: bytes) -> Image:
    from PIL import Image as PillowImage
    from PIL import ImageOps

    decoded: Any = PillowImage.open(BytesIO(data))
    decoded.load()  # before the transposition, which hides that a file is truncated
    decoded = ImageOps.exif_transpose(decoded)
    if decoded.mode.startswith("I"):
        return to_uint8(np.asarray(decoded))
    if decoded.mode == "F":
        raise ImageError(FLOAT_PIXELS)
    if "transparency" in decoded.info or decoded.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return composite_on_white(np.asarray(decoded.convert("RGBA")))
    return np.array(decoded.convert("L" if decoded.mode in ("1", "L") else "RGB"))


def list_images(path: str | os.PathLike[str]) -> list[Path]:
    """The images of a folder and its subfolders, sorted; of a file, the file itself.

    Raises:
        ImageError: If there is no such path, or no image in the folder.
    """
    try:
        os.stat(path)  # noqa: PTH116  # a Path makes the current folder of ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(f"no such image or folder: {str(path)!r} ({_reason(error)})") from None
    path = Path(path)
    if not path.is_dir():
        return [path]
    images = sorted(
        p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
    )
    if not images:
        raise ImageError(f"no images in {path} (suffixes: {', '.join(sorted(IMAGE_SUFFIXES))})")
    return images
