"""Drums of a mechanical counter: digits at any turn of them, and cogs that turn the next one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.geometry import Pixels
from model.data.render.parts.signs import lettered
from model.data.text.text_patterns import below, between

_DRAWN = 44  # px of the em at which digits are drawn, once each, before they get their size


@dataclass(frozen=True)
class Drums:
    """One counter: what all of its drums share, in heights of the window.

    Attributes:
        height: Rows of the window.
        pitch: From drum to drum.
        digit: Height of a digit.
        turn: From digit to digit on a drum.
        wide: Width of a drum's window.
        stretch: Width of digits, of what the face says.
        ground: Gray level of the drums.
        ink: Gray level of the digits.
    """

    height: int
    pitch: float
    digit: float
    turn: float
    wide: float
    stretch: float
    ground: float
    ink: float


def _digit(path: Path, digit: int, rows: int, stretch: float, most: int) -> Pixels:
    """A digit, `(rows, w) uint8`, at most `most` wide."""
    tile = lettered(path, str(digit), _DRAWN)
    wide = min(most, max(2, round(tile.shape[1] * stretch * rows / tile.shape[0])))
    return cv2.resize(tile, (wide, rows), interpolation=cv2.INTER_AREA)


def draw_digit(
    ink: Pixels, drums: Drums, face: Face, digit: int, share: float, middle: float
) -> None:
    """Draw the digit of one drum, and what is seen of its neighbors, in place.

    Args:
        ink: Coverage of all drums `(h, w) uint8`.
        drums: What they look like.
        face: What digits look like.
        digit: The one to read.
        share: How far it is below the middle, of the way from digit to digit.
        middle: Column of the drum's middle.
    """
    high, wide = ink.shape
    rows, most = round(drums.digit * high), round(0.86 * drums.wide * high)
    for step in (-1, 0, 1):
        y = round((0.5 + (share + step) * drums.turn) * high - rows / 2)
        top, bottom = max(0, y), min(high, y + rows)
        if top >= bottom:
            continue
        tile = _digit(face.path, (digit + step) % 10, rows, drums.stretch, most)
        x = round(min(max(0.0, middle - tile.shape[1] / 2), wide - tile.shape[1]))
        piece = ink[top:bottom, x : x + tile.shape[1]]
        np.maximum(piece, tile[top - y : bottom - y], out=piece)


def draw_cogs(rng: np.random.Generator, surface: Pixels, drums: Drums, pitch: int) -> None:
    """Draw the cogs that turn the next drum, at the right of each, in place."""
    high, wide = surface.shape
    tooth, deep = max(2, round(high * between(rng, (0.1, 0.3)))), max(1, round(0.14 * pitch))
    level = np.float32(drums.ink + (drums.ground - drums.ink) * 0.7 * rng.random())
    for x in range(pitch, wide + 1, pitch):
        for y in range(-below(rng, 2 * tooth), high, 2 * tooth):
            surface[max(0, y) : max(0, y + tooth), x - deep : x] = level
