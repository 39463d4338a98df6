"""Lines of type as printers set them, and the faces that suit a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from model.data.fonts import PRINTABLE, Face, open_face
from model.data.render.geometry import Pixels
from model.data.render.parts.glyphs import ABOVE, BELOW, CAP, glyph, scale_of, suited
from model.data.text.lines import LONGEST

_ASCII = frozenset(PRINTABLE)


def is_line(text: str) -> bool:
    """Whether a text is one line of printable ASCII without spaces at its ends."""
    return 0 < len(text) <= LONGEST and text == text.strip() and _ASCII.issuperset(text)


def random_rows(rng: np.random.Generator, bounds: tuple[float, float], count: int, few: int) -> int:
    """A height of capitals in pixels: less for texts that are long.

    Args:
        rng: The source of chance.
        bounds: The height, from and to.
        count: Characters of the text.
        few: So many are set as large as one is.
    """
    low, high = bounds
    tall = low * (high / low) ** rng.random() * min(1.0, few / count + 0.3)
    return int(max(round(low), round(tall)))


def type_line(path: Path, text: str, rows: int, stretch: float = 1.0, gap: int = 0) -> Pixels:
    """One line of type, `(H, W) uint8`, cut to its columns.

    Args:
        path: The face.
        text: What it says.
        rows: Height of a capital; `rows * ABOVE / CAP` rows lie above it.
        stretch: How much wider than the face is.
        gap: Columns put in at the last space, as between an item and its price.
    """
    size, base = scale_of(path, rows)
    font = open_face(path, size)
    above, height = round(rows * ABOVE / CAP), round(rows * (ABOVE + CAP + BELOW) / CAP)
    head, space, tail = text.rpartition(" ") if gap else ("", "", text)
    shift = font.getlength(head + space) + gap if head else 0.0
    width = round(shift + font.getlength(tail)) + 2 * size
    picture = Image.new("L", (width, height))
    draw = ImageDraw.Draw(picture)
    if head:
        draw.text((size, above + rows - base), head, 255, font)
    draw.text((size + shift, above + rows - base), tail, 255, font)
    ink = np.asarray(picture)
    left, _, wide, _ = cv2.boundingRect(ink)
    ink = ink[:, left : left + max(1, wide)]
    if stretch != 1.0:
        size_px = (max(1, round(ink.shape[1] * stretch)), height)
        ink = cv2.resize(ink, size_px, interpolation=cv2.INTER_LINEAR)
    return ink


def put(mask: Pixels, ink: Pixels, x: int, y: int) -> None:
    """Add ink to `mask` `(H, W) uint8`, in place; what juts out is cut."""
    left, top = max(0, x), max(0, y)
    right, bottom = min(mask.shape[1], x + ink.shape[1]), min(mask.shape[0], y + ink.shape[0])
    if right > left and bottom > top:
        part = mask[top:bottom, left:right]
        np.maximum(part, ink[top - y : bottom - y, left - x : right - x], out=part)


class _Faces:
    """Faces that are told apart by which object they are, so that looking them up costs nothing."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = faces

    def __hash__(self) -> int:
        return id(self.faces)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Faces) and self.faces is other.faces


@lru_cache(maxsize=64)
def _chosen(families: tuple[str, ...], bold: bool, faces: _Faces) -> tuple[Face, ...]:
    return suited(faces.faces, frozenset(families), bold)


def faces_of(
    families: tuple[str, ...], faces: Sequence[Face], bold: bool = False
) -> tuple[Face, ...]:
    """The upright faces of some families, found once for each sequence of faces."""
    return _chosen(families, bold, _Faces(faces))


def face_for(
    text: str, families: tuple[str, ...], faces: Sequence[Face], rng: np.random.Generator
) -> Face:
    """A face of some families that has all of a text's characters, or of any family."""
    for choice in (faces_of(families, faces), tuple(faces)):
        for _ in range(12):
            face = choice[int(rng.random() * len(choice))]
            if face.covers.issuperset(text):
                return face
    return next((face for face in faces if face.covers.issuperset(text)), face)


def spread_line(
    path: Path, text: str, rows: int, stretch: float = 1.0, tracking: float = 0.0
) -> Pixels:
    """One line of type set glyph by glyph, `(H, W) uint8`, cut to its columns.

    Args:
        path: The face.
        text: What it says.
        rows: Height of a capital; `rows * ABOVE / CAP` rows lie above it.
        stretch: How much wider than the face is.
        tracking: Columns put in after every character.
    """
    scale = rows / CAP
    height = round((ABOVE + CAP + BELOW) * scale)
    glyphs = [glyph(path, c) for c in text]
    pens, pen = [], 0.0
    for one in glyphs:
        pens.append(pen + one.bearing * scale * stretch)
        pen += one.advance * scale * stretch + tracking
    mask = np.zeros((height, round(pen) + 4 * rows), np.uint8)
    for one, x in zip(glyphs, pens, strict=True):
        if one.ink.shape[1]:
            size = (max(1, round(one.ink.shape[1] * scale * stretch)), height)
            put(mask, cv2.resize(one.ink, size, interpolation=cv2.INTER_AREA), rows + round(x), 0)
    left, _, wide, _ = cv2.boundingRect(mask)
    return mask[:, left : left + max(1, wide)]
