"""Image files, as the arrays that `Preprocess` takes.

Pillow decodes them, or else OpenCV (`crnn_edge.images_cv2`), imported when the first file is read.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.errors import EngineError, ImageError
from crnn_edge.file_input import read_regular
from crnn_edge.image_header import FORMATS, MAX_BYTES, check_header
from crnn_edge.install_hint import install_hint
from crnn_edge.pixels import FLOAT_PIXELS, composite, to_uint8
from crnn_edge.types import Image

log = logging.getLogger("crnn_edge")

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"}
    | {".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Suffixes by which `list_images` finds images in a folder."""

_OTHER_SUFFIXES = frozenset(
    {".avif", ".cr2", ".dng", ".eps", ".exr", ".heic", ".heif", ".ico", ".j2k", ".jp2", ".jpf"}
    | {".jpx", ".jxl", ".pcx", ".pdf", ".psd", ".svg", ".tga"}
)
"""Suffixes of images that cannot be read: in a folder, they are reported."""


def read_image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image:
    """One image, upright, as `uint8 (H, W)` gray or `(H, W, 3)` RGB.

    The camera's orientation tag is obeyed, transparency is blended on white (or on black, if the
    ink is white), 16-bit pixels are scaled to 8. Formats and sizes that are read are those of
    `crnn_edge.image_header`; a JPEG of more pixels is returned at half its width and height.

    Args:
        source: A path, or the bytes of an image file.

    Raises:
        ImageError: If the file is missing, empty, damaged, too large, not a regular file or not
            an image; or if `source` is an array, which is an image already.
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
        data = source if isinstance(source, bytes) else read_regular(source, MAX_BYTES)
        if not data:
            raise ImageError("the file is empty")
        if len(data) > MAX_BYTES:
            raise ImageError(f"it has more than {MAX_BYTES:,} bytes, the most that are read")
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

    header, divisor = check_header(data)
    # Only the format of the header: of the others, PostScript would start another program.
    decoded: Any = PillowImage.open(BytesIO(data), formats=[header.format])
    if decoded.width * decoded.height > header.width * header.height:
        raise ImageError(f"it has {decoded.width}×{decoded.height} pixels, unlike its header")
    if divisor > 1:
        decoded.draft(None, (decoded.width // divisor, decoded.height // divisor))
    decoded.load()  # before the transposition, which hides that a file is truncated
    decoded = ImageOps.exif_transpose(decoded)
    if decoded.mode.startswith("I"):
        return to_uint8(np.asarray(decoded))
    if decoded.mode == "F":
        raise ImageError(FLOAT_PIXELS)
    if "transparency" in decoded.info or decoded.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return composite(np.asarray(decoded.convert("RGBA")))
    return np.array(decoded.convert("L" if decoded.mode in ("1", "L") else "RGB"))


def list_images(
    path: str | os.PathLike[str], on_error: Callable[[ImageError], None] | None = None
) -> list[Path]:
    """The images of a folder and its subfolders, sorted; of a file, the file itself.

    Images of formats that cannot be read are passed over with a warning.

    Args:
        path: A folder or a file.
        on_error: Called for each subfolder that cannot be listed; None to raise the error.

    Raises:
        ImageError: If there is no such path, no image in the folder, or a subfolder cannot be
            listed.
    """
    try:
        os.stat(path)  # noqa: PTH116  # a Path makes the current folder of ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(f"no such image or folder: {str(path)!r} ({_reason(error)})") from None
    path = Path(path)
    if not path.is_dir():
        return [path]

    def report(error: OSError) -> None:
        failure = ImageError(f"cannot list the folder {error.filename}: {_reason(error)}")
        if on_error is None:
            raise failure from None
        on_error(failure)

    walk = os.walk(path, onerror=report)
    files = [Path(folder, name) for folder, _, names in walk for name in names]
    suffixes = [file.suffix.lower() for file in files]
    others = Counter(suffix for suffix in suffixes if suffix in _OTHER_SUFFIXES)
    if others:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
        log.warning("%s", f"{path}: files not read: {counts} (formats that are read: {FORMATS})")
    images = sorted(
        file for file, suffix in zip(files, suffixes, strict=True) if suffix in IMAGE_SUFFIXES
    )
    if not images:
        raise ImageError(f"no images in {path} (suffixes: {', '.join(sorted(IMAGE_SUFFIXES))})")
    return images
