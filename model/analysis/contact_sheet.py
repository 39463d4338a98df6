"""Many small images on one sheet, each with captions above and below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_path

_SHEET = 1440  # width of the sheet, px
_MIN_CELL, _IMAGE_HEIGHT = 180, 52  # px: least width of a cell; height of its image
_MARGIN, _GAP = 6, 16  # px: around each cell's content; between an image's right end and the next
_LINE, _FONT_SIZE = 16, 12  # px
_FRAME = "#d8d8d8"


class Span(NamedTuple):
    """A part of a caption line in one color."""

    text: str
    color: str = "black"


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Cell:
    """An image with its captions.

    Attributes:
        image: `uint8 (H, W)` gray or `(H, W, 3)` RGB, of any size; it is scaled to the cell.
        above: Lines above it.
        below: Lines below it.
    """

    image: npt.NDArray[np.uint8]
    above: tuple[Line, ...] = ()
    below: tuple[Line, ...] = ()


def check_sheet(path: Path) -> None:
    """Refuse, before any work, a path at which no sheet can be written.

    Raises:
        CrnnError: If it is a folder, is not a `.png`, or its folder does not exist.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise CrnnError(f"expected the name of a .png file for the sheet of images, got {path}")
    if not path.parent.is_dir():
        raise CrnnError(f"cannot write {path}: there is no folder {path.parent}")


def contact_sheet(cells: Sequence[Cell], target: Path) -> None:
    """Draw cells in rows of eight, or fewer if most are wide, into the PNG `target`, atomically.

    Captions that do not fit into their cell are truncated.

    Args:
        cells: The images with their captions.
        target: The file.

    Raises:
        CrnnError: If the file cannot be written.
    """
    font = _font()
    above = max((len(cell.above) for cell in cells), default=0)
    below = max((len(cell.below) for cell in cells), default=1)
    columns = max(1, int(_SHEET / _cell_width(cells, font)))
    width = _SHEET // columns
    height = _IMAGE_HEIGHT + (above + below) * _LINE + 3 * _MARGIN
    rows = max(1, -(-len(cells) // columns))
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        x, y = index % columns * width + _MARGIN, index // columns * height + _MARGIN
        room = width - _GAP
        for line in cell.above:
            _draw_line(draw, (x, y), line, room, font)
            y += _LINE
        y += (above - len(cell.above)) * _LINE
        _paste(sheet, draw, cell.image, (x, y), room)
        y += _IMAGE_HEIGHT + _MARGIN // 2
        for line in cell.below:
            _draw_line(draw, (x, y), line, room, font)
            y += _LINE
    with atomic_path(target) as partial:
        sheet.save(partial, format="PNG")


def _cell_width(cells: Sequence[Cell], font: ImageFont.FreeTypeFont) -> float:
    """The width that suits most cells, px."""
    if not cells:
        return _MIN_CELL
    needed = [
        max(
            _IMAGE_HEIGHT * cell.image.shape[1] / cell.image.shape[0],
            *(_length(line, font) for line in (*cell.above, *cell.below, ())),
        )
        for cell in cells
    ]
    return max(_MIN_CELL, min(float(np.median(needed)) + _GAP, _SHEET))


def _paste(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    image: npt.NDArray[np.uint8],
    at: tuple[int, int],
    room: int,
) -> None:
    """Scale an image to its cell, in a frame that separates it from the sheet."""
    height, width = image.shape[:2]
    scale = min(_IMAGE_HEIGHT / height, room / width)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    sheet.paste(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), at)
    x, y = at
    draw.rectangle((x - 1, y - 1, x + size[0], y + size[1]), outline=_FRAME)


def _draw_line(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    line: Line,
    room: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    x, y = at
    end = x + room
    whole = _length(line, font) <= room
    offset = float(x)
    for span in line:
        for character in span.text:
            step = font.getlength(character)
            if not whole and offset + step + font.getlength("…") > end:
                draw.text((offset, y), "…", span.color, font)
                return
            draw.text((offset, y), character, span.color, font)
            offset += step


def _length(line: Line, font: ImageFont.FreeTypeFont) -> float:
    return sum(font.getlength(character) for span in line for character in span.text)


def _font() -> ImageFont.FreeTypeFont:
    """A font of many scripts: Pillow's own has little more than ASCII."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, _FONT_SIZE)
