"""A line of text in one face, flat and in one ink, with what stands beside it on the sign."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw

from model.data.fonts import Face, open_face
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Lettering

_ALL_LIT = str.maketrans("0123456789", "8" * 10)


def rasterize(
    rng: np.random.Generator,
    lettering: Lettering,
    face: Face,
    text: str,
    distractor_text: Callable[[], str],
    padding: tuple[float, float, float, float],
) -> tuple[Pixels, Box]:
    """Draw a line of text.

    Args:
        rng: The source of chance.
        lettering: How text is set, and what stands beside it.
        face: What to write in.
        text: What to write.
        distractor_text: Gives texts for what stands beside it.
        padding: How much will be seen left, above, right and below, in heights of the text.

    Returns:
        Coverage `(H, W) uint8`, and the box of the text's own ink in it.
    """
    shares = np.cumsum(lettering.size_shares)
    size = lettering.sizes_px[int(np.searchsorted(shares / shares[-1], rng.random()))]
    if len(text) > lettering.line_from:  # a whole line in the picture leaves a letter few pixels
        size = min(size, max(lettering.sizes_px[0], round(lettering.line_em / len(text))))
    shown = text
    if len(text) > 2 and set(text[1::2]) == {" "}:
        # Single characters stand so far apart that they cannot be taken for a word set wide.
        shown = text.replace(" ", " " * (2 + int(3 * rng.random())))
    picture, box = _written(rng, lettering, face, shown, size)
    beside = rng.random(4)
    if beside.min() < lettering.beside:
        sides = [side for side in range(4) if beside[side] < lettering.beside]
        _surround(rng, lettering, picture, box, face, size, sides, distractor_text, padding)
    ink = np.asarray(picture)
    draw = rng.random()
    if draw < lettering.lamps_until and box.height > 16:
        return _lamps(rng, lettering, ink, box), box
    if draw < lettering.bold_until:
        return cv2.dilate(ink, np.ones((2, 2 + (box.height > 20)), np.uint8)), box
    if draw < lettering.thin_until and box.height > 22:
        return cv2.erode(ink, np.ones((2, 2), np.uint8)), box
    return ink, box


def _written(
    rng: np.random.Generator, lettering: Lettering, face: Face, text: str, size: int
) -> tuple[Image.Image, Box]:
    """The text alone on a sheet with room around it, and the box of its ink."""
    pad = round(0.8 * size)
    font = open_face(face.path, size)
    kind = rng.random()
    if kind > lettering.plain_from:
        # Measuring costs as much as drawing, so the sheet is guessed and checked: few faces are
        # wider than 0.8 em a letter.
        wide = round(0.8 * size * len(text)) + size
        for width in (wide, 4 * wide):
            picture = Image.new("L", (width + 2 * pad, round(1.6 * size) + 2 * pad))
            draw = ImageDraw.Draw(picture)
            if face.numeric and kind > lettering.ghosts_from:  # unlit segments
                draw.text((pad, pad), text.translate(_ALL_LIT), round(70 * kind) - 35, font)
            draw.text((pad, pad), text, 255, font)
            left, top, right, bottom = picture.getbbox() or (pad, pad, pad + size, pad + size)
            if right <= width + pad:
                break
        sheet = (max(0, left - pad), max(0, top - pad), right + pad, bottom + pad)
        return picture.crop(sheet), Box(*_moved((left, top, right, bottom), sheet))
    low, more = lettering.spacing
    spread = size * (low + more * rng.random() ** 2) if kind < lettering.spaced_until else 0.0
    low, high = lettering.waving
    wave = size * lettering.wave * rng.random() if low < kind < high else 0.0
    # Signs set words in small capitals with a tall first letter; nothing tells them from
    # capitals, which is how they are labelled.
    tall = kind > lettering.tall_first_from and len(text) > 2 and text.isupper()
    low, more = lettering.tall_first
    first = open_face(face.path, round(size * (low + more * rng.random()))) if tall else font
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
    lettering: Lettering,
    picture: Image.Image,
    box: Box,
    face: Face,
    size: int,
    sides: list[int],
    distractor_text: Callable[[], str],
    padding: tuple[float, float, float, float],
) -> None:
    """Write other texts beside the box, in place, where the crop will show a piece of them.

    Never so much of one, nor so near, that it could be read as part of the text.
    """
    draw = ImageDraw.Draw(picture)
    for side in sides:
        font = open_face(face.path, size)
        # Beside the text even a narrow letter must not be seen whole.
        more = lettering.peek_above if side % 2 else lettering.peek_beside
        seen = lettering.peek + more * rng.random()
        gap = (padding[side] - seen) * box.height
        if gap < (lettering.gap_above if side % 2 else lettering.gap_beside) * size:
            continue
        other = face.spell(distractor_text())
        if other is None:
            continue
        if side % 2:
            low, more = lettering.other_size
            font = open_face(face.path, round(size * (low + more * rng.random())))
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


def _lamps(rng: np.random.Generator, lettering: Lettering, ink: Pixels, box: Box) -> Pixels:
    """The same lettering as a board of lamps shows it."""
    low, more = lettering.lamp_rows
    cell = max(2, round(box.height / (low + more * rng.random())))
    rows, columns = -(-ink.shape[0] // cell), -(-ink.shape[1] // cell)
    small = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
    lamp: Pixels = np.zeros((cell * 4, cell * 4), np.uint8)
    low, more = lettering.lamp_radius
    radius = int(cell * (low + more * rng.random()))
    cv2.circle(lamp, (cell * 2, cell * 2), radius, 255, -1)
    lamp = cv2.resize(lamp, (cell, cell), interpolation=cv2.INTER_AREA)
    lit = (small > lettering.lamp_from).astype(np.uint8)
    return np.ascontiguousarray(np.kron(lit, lamp)[: ink.shape[0], : ink.shape[1]])
