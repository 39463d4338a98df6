"""Small print and signs beside a reading, which nobody would read as part of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from crnn_edge.errors import CrnnError
from model.data.fonts import Face, open_face
from model.data.render.geometry import Pixels
from model.data.text.text_patterns import listed

PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))
"""Printable ASCII, the space included."""


class Suited:
    """Those of some faces that suit a purpose: looked for once, not once a picture."""

    def __init__(self, suits: Callable[[Face], bool]) -> None:
        """Choose what is looked for.

        Args:
            suits: Whether a face does.
        """
        self._suits = suits
        self._of: Sequence[Face] | None = None
        self._found: tuple[Face, ...] = ()

    def __call__(self, faces: Sequence[Face]) -> tuple[Face, ...]:
        """Those of `faces` that suit; the same sequence is not looked through again."""
        if self._of is not faces:
            self._of, self._found = faces, tuple(face for face in faces if self._suits(face))
        return self._found


_PLAIN = listed(
    "abel asap archivo arimo barlow cabin din dejavu dosis fira gothic heebo inter jost karla lato "
    "liberation manrope mono oswald overpass oxygen pathway pt-sans public rajdhani roboto rubik "
    "saira share sofia source teko ubuntu varela work yantramanav league khand"
)
"""Parts of the names of faces without flourishes, as technical things have them."""


def _upright(face: Face) -> bool:
    return face.covers >= PRINTABLE and "talic" not in face.path.name


def _named(face: Face) -> bool:
    return any(word in face.path.name.lower() for word in _PLAIN)


_full = Suited(_upright)
_plain = Suited(lambda face: _upright(face) and _named(face))


def full(faces: Sequence[Face]) -> Sequence[Face]:
    """Upright faces that have all of printable ASCII.

    Raises:
        CrnnError: If there are none.
    """
    if found := _full(faces):
        return found
    raise CrnnError(
        f"none of {len(faces)} font faces is upright and has all of printable ASCII, as this style "
        "needs: give it other fonts"
    )


def plain(faces: Sequence[Face]) -> Sequence[Face]:
    """Those of `full` without flourishes, or all of these if there are none.

    Raises:
        CrnnError: If there are none at all.
    """
    return _plain(faces) or full(faces)


@lru_cache(maxsize=8192)
def lettered(path: Path, text: str, size: int) -> Pixels:
    """A text in a font, cut to its ink, `(h, w) uint8`; kept, so not to be changed."""
    font = open_face(path, size)
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    picture = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), text, 255, font)
    return np.asarray(picture)


@lru_cache(maxsize=64)
def drawn(kind: int, size: int) -> Pixels:
    """A sign of a display, `(size, size) uint8`: arrow, triangle, battery, circle, bars, bell."""
    tile = np.zeros((size, size), np.uint8)
    full = np.array([size - 1, size - 1])
    thick = max(1, size // 8)
    if kind == 0:
        points = full * [
            [0, 0.35],
            [0.5, 0.35],
            [0.5, 0],
            [1, 0.5],
            [0.5, 1],
            [0.5, 0.65],
            [0, 0.65],
        ]
        cv2.fillPoly(tile, [points.astype(np.int32)], 255)
    elif kind == 1:
        cv2.fillPoly(tile, [(full * [[0, 1], [0.5, 0], [1, 1]]).astype(np.int32)], 255)
    elif kind == 2:
        cv2.rectangle(tile, (0, size // 4), (size - thick - 1, 3 * size // 4), 255, thick)
        cv2.rectangle(tile, (size - thick, size // 3), (size - 1, 2 * size // 3), 255, -1)
    elif kind == 3:
        cv2.circle(tile, (size // 2, size // 2), size // 2 - thick, 255, thick)
    elif kind == 4:
        for at in range(4):
            left = at * size // 4
            cv2.rectangle(tile, (left, size - (at + 1) * size // 4), (left + thick, size), 255, -1)
    else:
        cv2.fillPoly(tile, [(full * [[0, 0], [1, 0], [0.5, 1]]).astype(np.int32)], 255)
    return tile


SIGNS = 6
"""How many kinds `drawn` knows."""
