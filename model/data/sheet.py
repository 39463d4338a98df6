"""Many small pictures on one sheet, each with its caption: what people look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from runtime.errors import CrnnError

_COLUMNS, _WIDE, _HIGH = 8, 180, 52  # of a cell's picture, in pixels
_LINE, _LETTERS = 15, 10  # of a caption: from line to line, and the font's size


def contact_sheet(
    pictures: Sequence[npt.NDArray[np.uint8]], captions: Sequence[str], target: Path
) -> None:
    """Draw pictures in rows of eight into the PNG `target`, atomically.

    Args:
        pictures: `uint8 (H, W)` grey or `(H, W, 3)` RGB, of any size; each is scaled to its cell.
        captions: What stands below each, in one or more lines.
        target: The file.

    Raises:
        CrnnError: If the file cannot be written.
    """
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    cell = _HIGH + lines * _LINE + 6
    sheet = Image.new(
        "RGB", (_COLUMNS * _WIDE, max(1, -(-len(pictures) // _COLUMNS)) * cell), "white"
    )
    draw, font = ImageDraw.Draw(sheet), _font()
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        height, width = picture.shape[:2]
        scale = min(_HIGH / height, (_WIDE - 8) / width)
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        x, y = index % _COLUMNS * _WIDE, index // _COLUMNS * cell
        sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), (x, y))
        draw.multiline_text((x, y + _HIGH + 2), caption, "black", font, spacing=2)
    scratch = target.with_name(f".{target.name}.partial")
    try:
        sheet.save(scratch, format="PNG")
        scratch.replace(target)
    except OSError as error:
        raise CrnnError(f"cannot write {target}: {error.strerror}") from None


def _font() -> ImageFont.FreeTypeFont:
    """A font of many scripts: Pillow's own has little but ASCII, and draws boxes for the rest."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, _LETTERS)
