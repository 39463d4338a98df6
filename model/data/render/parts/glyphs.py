"""Single glyphs, drawn once a process and kept: what styles set their lettering from.

A style scales each glyph on its own, as stamps, stencils and plate presses do, so that a face's own
proportions and spacing do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from model.data.fonts import Face, open_face
from model.data.render.geometry import Pixels

CAP = 48  # rows of a capital in a kept glyph
ABOVE, BELOW = 12, 20  # rows kept above a capital's top and below the baseline
_DIGITS = frozenset("0123456789")
_HEAVY = ("700", "bold")


@dataclass(frozen=True)
class Glyph:
    """One character of one face.

    Attributes:
        ink: Coverage `(ABOVE + CAP + BELOW, W) uint8`, cut to its columns.
        bearing: Columns between the pen and the ink.
        advance: Columns that the pen moves.
    """

    ink: Pixels
    bearing: float
    advance: float


@lru_cache(maxsize=1024)
def _em(path: Path) -> tuple[int, int]:
    """The size at which a face's capitals are `CAP` high, and how far down its baseline lies."""
    ink = open_face(path, 100).getbbox("H")
    size = max(8, round(100 * CAP / max(1, ink[3] - ink[1])))
    return size, int(open_face(path, size).getbbox("H")[3])


@lru_cache(maxsize=4096)
def scale_of(path: Path, rows: int) -> tuple[int, int]:
    """The size at which a face's capitals are some rows high, and how far down its baseline is."""
    size = max(5, round(_em(path)[0] * rows / CAP))
    return size, int(open_face(path, size).getbbox("H")[3])


@lru_cache(maxsize=20_000)
def glyph(path: Path, char: str) -> Glyph:
    """A character of a face; a zero with a slash or a dot comes without it."""
    if char == "0" and _struck(path):
        char = "O"
    size, base = _em(path)
    font = open_face(path, size)
    advance = float(font.getlength(char))
    picture = Image.new("L", (round(advance) + 2 * CAP, ABOVE + CAP + BELOW))
    ImageDraw.Draw(picture).text((CAP, ABOVE + CAP - base), char, 255, font)
    ink = np.asarray(picture)
    left, _, wide, _ = cv2.boundingRect(ink)
    if not wide:
        return Glyph(ink[:, :0], 0.0, advance)
    return Glyph(np.ascontiguousarray(ink[:, left : left + wide]), float(left - CAP), advance)


@lru_cache(maxsize=1024)
def _struck(path: Path) -> bool:
    """Whether a face marks its zero in the middle, which hardly anything printed does."""
    size, base = _em(path)
    picture = Image.new("L", (3 * CAP, ABOVE + CAP + BELOW))
    ImageDraw.Draw(picture).text((CAP, ABOVE + CAP - base), "0", 255, open_face(path, size))
    ink = np.asarray(picture)
    left, top, wide, high = cv2.boundingRect(ink)
    x, y = left + wide // 2, top + high // 2
    return bool(ink[y - 3 : y + 4, x - 2 : x + 3].max() > 128)


@lru_cache(maxsize=4096)
def word(path: Path, text: str, rows: int) -> Pixels:
    """Small print whose capitals are some rows high, `(H, W) uint8`, cut to its ink."""
    size = max(5, round(_em(path)[0] * rows / CAP))
    font = open_face(path, size)
    picture = Image.new("L", (round(font.getlength(text)) + 2 * size, 2 * size))
    ImageDraw.Draw(picture).text((size // 2, size // 4), text, 255, font)
    ink = np.asarray(picture)
    left, top, wide, high = cv2.boundingRect(ink)
    return np.ascontiguousarray(ink[top : top + high, left : left + wide])


def lay(canvas: Pixels, ink: Pixels, x: int, y: int, level: float) -> None:
    """Print ink of a gray level on `canvas` `(H, W) float32`, in place; what juts out is cut."""
    left, top = max(0, x), max(0, y)
    right, bottom = min(canvas.shape[1], x + ink.shape[1]), min(canvas.shape[0], y + ink.shape[0])
    if right <= left or bottom <= top:
        return
    part = canvas[top:bottom, left:right]
    alpha = ink[top - y : bottom - y, left - x : right - x] * np.float32(1 / 255)
    part += (np.float32(level) - part) * alpha


def suited(faces: Sequence[Face], families: frozenset[str], bold: bool) -> tuple[Face, ...]:
    """The upright faces with capitals and digits of some families; all faces' if there are none.

    Args:
        faces: What there is.
        families: Names as folders and files of fonts have them.
        bold: Leave out light weights, and take bold ones twice.
    """
    able = [
        face for face in faces if not face.numeric and face.covers >= _DIGITS and not _slanted(face)
    ]
    light = ("-300-", "light") if bold else ()
    named = [face for face in able if face.family in families]
    kept = [face for face in named if not any(word in face.path.stem.lower() for word in light)]
    heavy = [face for face in kept if bold and any(w in face.path.stem.lower() for w in _HEAVY)]
    return tuple(kept + heavy or named or able or faces)


def _slanted(face: Face) -> bool:
    return any(word in face.path.stem.lower() for word in ("italic", "oblique"))
