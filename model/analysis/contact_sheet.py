"""Many small pictures on one sheet, each with its caption: what people look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_path

_SHEET = 1440  # px across
_WIDE, _HIGH, _GAP = 180, 52, 8  # px: a cell, at least; its picture; between two cells
_LINE, _LETTERS = 15, 10  # of a caption: from line to line, and the font's size


def check_sheet(path: Path) -> None:
    """Refuse, before any work, a path at which no sheet could be written.

    Raises:
        CrnnError: If it is a folder, is no `.png`, or lies in no folder.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise CrnnError(f"a sheet of pictures is a .png file, got {path}")
    if not path.parent.is_dir():
        raise CrnnError(f"cannot write {path}: there is no folder {path.parent}")


def contact_sheet(
    pictures: Sequence[npt.NDArray[np.uint8]], captions: Sequence[str], target: Path
) -> None:
    """Draw pictures in rows of eight, of fewer if most are long, into the PNG `target`, atomically.

    Args:
        pictures: `uint8 (H, W)` gray or `(H, W, 3)` RGB, of any size; each is scaled to its cell.
        captions: What stands below each, in one or more lines, which end where the cell does.
        target: The file.

    Raises:
        CrnnError: If the file cannot be written.
    """
    font = _font()
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    needed = [
        max(_HIGH * picture.shape[1] / picture.shape[0], _length(caption, font))
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    typical = float(np.median(needed)) + _GAP if needed else _WIDE
    columns = max(1, int(_SHEET / max(_WIDE, typical)))
    high, wide = _HIGH + lines * _LINE + 6, _SHEET // columns
    rows = max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * wide, rows * high), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        height, width = picture.shape[:2]
        scale = min(_HIGH / height, (wide - _GAP) / width)
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        x, y = index % columns * wide, index // columns * high
        sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), (x, y))
        shown = "\n".join(_fitting(line, wide - _GAP, font) for line in caption.split("\n"))
        draw.multiline_text((x, y + _HIGH + 2), shown, "black", font, spacing=2)
    with atomic_path(target) as partial:
        sheet.save(partial, format="PNG")


def _length(caption: str, font: ImageFont.FreeTypeFont) -> float:
    return max(font.getlength(line) for line in caption.split("\n"))


def _fitting(line: str, wide: int, font: ImageFont.FreeTypeFont) -> str:
    """As much of a line as there is room for."""
    if font.getlength(line) <= wide:
        return line
    while line and font.getlength(f"{line}…") > wide:
        line = line[:-1]
    return f"{line}…"


def _font() -> ImageFont.FreeTypeFont:
    """A font of many scripts: Pillow's own has little but ASCII, and draws boxes for the rest."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, _LETTERS)
