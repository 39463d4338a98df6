"""A line of text in one face, flat and in one ink, with what stands beside it on the sign."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw

from model.data.fonts import Face, open_face
from model.data.render.geometry import Box, Pixels

_SIZES = (13, 15, 18, 21, 25, 30, 36, 43, 50)  # px of the em; the warp scales by what is between
_SHARES = np.cumsum([4, 6, 9, 12, 15, 17, 16, 12, 9]) / 100
_ALL_LIT = str.maketrans("0123456789", "8" * 10)
_BESIDE = 0.2  # how often something stands on each side


def lettering(
    rng: np.random.Generator,
    face: Face,
    text: str,
    neighbor: Callable[[], str],
    margins: tuple[float, float, float, float],
) -> tuple[Pixels, Box]:
    """Draw a line of text.

    Args:
        rng: The source of chance.
        face: What to write in.
        text: What to write.
        neighbor: Gives texts for what stands beside it.
        margins: How much will be seen left, above, right and below, in heights of the text.

    Returns:
        Coverage `(H, W) uint8`, and the box of the text's own ink in it.
    """
    size = _SIZES[int(np.searchsorted(_SHARES, rng.random()))]
    picture, box = _written(rng, face, text, size)
    beside = rng.random(4)
    if beside.min() < _BESIDE:
        sides = [side for side in range(4) if beside[side] < _BESIDE]
        _surround(rng, picture, box, face, size, sides, neighbor, margins)
    ink = np.asarray(picture)
    look = rng.random()
    if look < 0.015 and box.height > 16:
        return _lamps(rng, ink, box), box
    if look < 0.05:
        return cv2.dilate(ink, np.ones((2, 2 + (box.height > 20)), np.uint8)), box
    if look < 0.07 and box.height > 22:
        return cv2.erode(ink, np.ones((2, 2), np.uint8)), box
    return ink, box


def _written(rng: np.random.Generator, face: Face, text: str, size: int) -> tuple[Image.Image, Box]:
    """The text alone on a sheet with room around it, and the box of its ink."""
    pad = round(0.8 * size)
    font = open_face(face.path, size)
    kind = rng.random()
    if kind > 0.26:
        # Measuring costs as much as drawing, so the sheet is guessed and checked: few faces are
        # wider than 0.8 em a letter.
        wide = round(0.8 * size * len(text)) + size
        for width in (wide, 4 * wide):
            picture = Image.new("L", (width + 2 * pad, round(1.6 * size) + 2 * pad))
            draw = ImageDraw.Draw(picture)
            if face.numeric and kind > 0.6:  # segments that are off can still be seen
                draw.text((pad, pad), text.translate(_ALL_LIT), round(70 * kind) - 35, font)
            draw.text((pad, pad), text, 255, font)
            left, top, right, bottom = picture.getbbox() or (pad, pad, pad + size, pad + size)
            if right <= width + pad:
                break
        sheet = (max(0, left - pad), max(0, top - pad), right + pad, bottom + pad)
        return picture.crop(sheet), Box(*_moved((left, top, right, bottom), sheet))
    spread = size * (-0.05 + 0.4 * rng.random() ** 2) if kind < 0.18 else 0.0
    wave = size * 0.08 * rng.random() if 0.16 < kind < 0.21 else 0.0
    # Signs set words in small capitals with a tall first letter; nothing tells them from
    # capitals, which is how they are labelled.
    tall = kind > 0.21 and len(text) > 2 and text.isupper()
    first = open_face(face.path, round(size * (1.15 + 0.25 * rng.random()))) if tall else font
    rise = first.getmetrics()[0] - font.getmetrics()[0]
    advances = [(first if at == 0 else font).getlength(c) + spread for at, c in enumerate(text)]
    width = round(sum(advances)) + size
    picture = Image.new("L", (width + 2 * pad, round(1.9 * size) + 2 * pad))
    draw = ImageDraw.Draw(picture)
    x = float(pad)
    for at, char in enumerate(text):
        y = pad + (0 if at == 0 else rise) + wave * (2 * rng.random() - 1)
        draw.text((x, y), char, 255, font if at else first)
        x += advances[at]
    left, top, right, bottom = picture.getbbox() or (pad, pad, pad + size, pad + size)
    sheet = (max(0, left - pad), max(0, top - pad), right + pad, bottom + pad)
    return picture.crop(sheet), Box(*_moved((left, top, right, bottom), sheet))


def _moved(
    box: tuple[int, int, int, int], sheet: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    return box[0] - sheet[0], box[1] - sheet[1], box[2] - sheet[0], box[3] - sheet[1]


def _surround(
    rng: np.random.Generator,
    picture: Image.Image,
    box: Box,
    face: Face,
    size: int,
    sides: list[int],
    neighbor: Callable[[], str],
    margins: tuple[float, float, float, float],
) -> None:
    """Write other texts beside the box, in place, where the crop will show a piece of them.

    Never so much of one, nor so near, that it could be read as part of the text.
    """
    draw = ImageDraw.Draw(picture)
    for side in sides:
        font = open_face(face.path, size)
        # Beside the text even a narrow letter must not be seen whole.
        seen = 0.02 + (0.3 if side % 2 else 0.13) * rng.random()
        gap = (margins[side] - seen) * box.height
        if gap < (0.06 if side % 2 else 0.22) * size:
            continue
        other = face.spell(neighbor())
        if other is None:
            continue
        if side % 2:
            font = open_face(face.path, round(size * (0.6 + 0.7 * rng.random())))
        left, top, right, bottom = font.getbbox(other)
        x = box.left + (rng.random() - 0.5) * box.width - left
        y = box.top - top
        if side == 0:
            x = box.left - gap - right
        elif side == 1:
            y = box.top - gap - bottom
        elif side == 2:
            x = box.right + gap - left
        else:
            y = box.bottom + gap - top
        draw.text((x, y), other, 255, font)


def _lamps(rng: np.random.Generator, ink: Pixels, box: Box) -> Pixels:
    """The same lettering as a board of lamps shows it."""
    cell = max(2, round(box.height / (8 + 6 * rng.random())))
    rows, columns = -(-ink.shape[0] // cell), -(-ink.shape[1] // cell)
    small = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
    lamp: Pixels = np.zeros((cell * 4, cell * 4), np.uint8)
    cv2.circle(lamp, (cell * 2, cell * 2), int(cell * (1.4 + 0.7 * rng.random())), 255, -1)
    lamp = cv2.resize(lamp, (cell, cell), interpolation=cv2.INTER_AREA)
    lit = (small > 100).astype(np.uint8)
    return np.ascontiguousarray(np.kron(lit, lamp)[: ink.shape[0], : ink.shape[1]])
