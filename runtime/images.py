"""Pictures on disk, as the arrays that `Preprocess` takes.

The only file of the runtime that reads pictures. Whichever library is installed does it: Pillow
first, else OpenCV, imported when the first picture is read.
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

from runtime.errors import EngineError, ImageError

Image = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What `list_images` takes for a picture in a folder."""

_FLOATS = "it holds floating-point levels: save it with 8 or 16 bits"


def read_image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image:
    """One picture, upright, as `uint8 (H, W)` grey or `(H, W, 3)` RGB.

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
    for module, decode in (("PIL.Image", _decode_pillow), ("cv2", _decode_cv2)):
        with suppress(ImportError):
            importlib.import_module(module)
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
        return _to_8_bit(np.asarray(picture))
    if picture.mode == "F":
        raise ImageError(_FLOATS)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _on_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))


def _decode_cv2(data: bytes) -> Image:
    import cv2

    # OpenCV fills the rest of a truncated picture with grey and only warns.
    end = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}.get(data[:2], b"")
    if end and data.find(end, len(data) // 2) < 0:
        raise ImageError("the picture is truncated")
    buffer = np.frombuffer(data, dtype=np.uint8)
    picture: Any = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ImageError("it is no picture of a known format")
    if picture.dtype.kind == "f":
        raise ImageError(_FLOATS)
    if picture.ndim == 3 and picture.shape[2] == 4:
        return _on_white(_to_8_bit(picture)[..., [2, 1, 0, 3]])
    # Only without IMREAD_UNCHANGED does OpenCV obey the orientation note.
    picture = cv2.imdecode(buffer, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    picture = _to_8_bit(picture)
    return np.ascontiguousarray(picture[..., ::-1] if picture.ndim == 3 else picture)


def _to_8_bit(levels: npt.NDArray[Any]) -> Image:
    if levels.dtype == np.uint8:
        return levels
    return ((levels.clip(0, 65535).astype(np.int64) + 128) // 257).astype(np.uint8)


def _on_white(rgba: Image) -> Image:
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
