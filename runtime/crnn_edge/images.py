"""Pictures on disk, as the arrays that `Preprocess` takes.

Whichever library is installed reads them: Pillow, else OpenCV (`crnn_edge.images_cv2`), imported
when the first picture is read.
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
import numpy.typing as npt

from crnn_edge.errors import EngineError, ImageError

Image = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What `list_images` takes for a picture in a folder."""

FLOATS = "it holds floating-point levels: save it with 8 or 16 bits"
"""Why such a picture is refused."""


def read_image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image:
    """One picture, upright, as `uint8 (H, W)` gray or `(H, W, 3)` RGB.

    The camera's orientation note is obeyed, transparency is blended on white, 16-bit levels are
    scaled to 8.

    Args:
        source: A path, or the bytes of a picture file.

    Raises:
        ImageError: If it is missing, empty, truncated or no picture; or an array, which is an image
            already.
        EngineError: If neither Pillow nor OpenCV is installed.
    """
    decode = _decoder()
    if isinstance(source, bytes | bytearray | memoryview):
        source = bytes(source)
    elif not isinstance(source, str | os.PathLike):
        told = "expected a path or the bytes of a picture file (an array is an image already)"
        raise ImageError(f"{told}, got {type(source).__name__}")
    name = f"a picture of {len(source):,} bytes" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not data:
            raise ImageError("it is empty")
        return decode(data)
    except Exception as error:  # a damaged file raises nearly anything in nearly any reader
        raise ImageError(f"cannot read {name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    if "cannot identify" in reason:  # Pillow goes on with an address in memory
        return "it is no picture of a known format"
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
        "no library to read picture files: `pip install pillow` (the `images` extra) or "
        "OpenCV (the `camera` extra), or pass NumPy arrays"
    )


def _decode_pillow(data: bytes) -> Image:
    from PIL import Image as Picture
    from PIL import ImageOps

    picture: Any = Picture.open(BytesIO(data))
    picture.load()  # before the transposition, so that a truncated file is told as such
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        return to_uint8(np.asarray(picture))
    if picture.mode == "F":
        raise ImageError(FLOATS)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return composite_on_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))


def to_uint8(levels: npt.NDArray[Any]) -> Image:
    """Levels `uint8`, or of 16 bits, as `uint8`."""
    if levels.dtype == np.uint8:
        return levels
    return ((levels.clip(0, 65535).astype(np.int64) + 128) // 257).astype(np.uint8)


def composite_on_white(rgba: Image) -> Image:
    """A picture `(H, W, 4)` with its transparency, blended on white: `(H, W, 3)`."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)


def list_images(path: str | os.PathLike[str]) -> list[Path]:
    """The pictures of a folder and its subfolders, sorted; of a file, the file.

    Raises:
        ImageError: If there is no such path, or no picture in the folder.
    """
    try:
        os.stat(path)  # noqa: PTH116  # a Path makes the current folder of ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(f"no such picture or folder: {str(path)!r} ({_reason(error)})") from None
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise ImageError(f"no pictures in {path} (looked for {', '.join(sorted(SUFFIXES))})")
    return found
