"""Characters of dots: a 5 by 7 font of printable ASCII, and the outlines of its dots."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from model.data.render.parts.outline_view import Points
from model.data.render.parts.segments import Line

ROWS = 8  # with the one that descenders need
_COLUMNS = bytes.fromhex(
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0000070000"
    "001c224100 0041221c00 14083e0814 08083e0808 0050300000 0808080808 0060600000 2010080402"
    "3e4141413e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503"
    "3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 0041221408 0201510906"
    "324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e"
    "7f09090906 3e4151215e 7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f"
    "6314081463 0708700807 6151494543 007f414100 0204081020 0041417f00 0402010204 8080808080"
    "0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 18a4a4a47c"
    "7f08040478 00447d4000 2080847d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438"
    "fc24242418 18242418fc 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c"
    "4428102844 1c90907c00 4464544c44 0008364100 00007f0000 0041360800 1008081008"
)
"""Five columns a character, from the space on; the lowest bit is the top row."""

_SLASHED = np.array([0x3E, 0x51, 0x49, 0x45, 0x3E], np.uint8)


@lru_cache(maxsize=1)
def _font() -> npt.NDArray[np.bool_]:
    """Every character, `(95, ROWS, 5) bool`."""
    columns = np.frombuffer(_COLUMNS, np.uint8).reshape(95, 5)
    return _unpacked(columns)


def _unpacked(columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    bits = np.unpackbits(columns[..., None], axis=-1, bitorder="little")
    return np.moveaxis(bits, -1, -2).astype(bool)


def pattern(text: str, proportional: bool = False, gap: int = 1) -> npt.NDArray[np.bool_]:
    """Which dots a text lights, `(ROWS, columns) bool`.

    A zero has a slash where the text has a letter O, which it would else be.

    Args:
        text: Printable ASCII.
        proportional: Whether narrow characters take fewer columns than wide ones.
        gap: Columns between characters.
    """
    font, parts = _font(), []
    between = np.zeros((ROWS, gap), bool)
    for char in text:
        dots = font[ord(char) - 0x20]
        if char == "0" and "O" in text:
            dots = _unpacked(_SLASHED)
        if proportional:
            used = np.flatnonzero(dots.any(axis=0))
            dots = dots[:, used[0] : used[-1] + 1] if len(used) else dots[:, :3]
        parts += [dots, between]
    return np.concatenate(parts[:-1], axis=1)


def dot_line(text: str, fill: float, aspect: float, cells: bool) -> Line:
    """Lay out a text in square dots.

    Args:
        text: Printable ASCII.
        fill: Side of a dot, as a share of the room it has.
        aspect: Width of a dot, in its height.
        cells: Whether characters take cells of one width, whose other dots can be seen.
    """
    dots = pattern(text, proportional=not cells)
    pitch = 1 / 7
    rows, columns = np.nonzero(dots)
    line = Line(right=dots.shape[1] * aspect * pitch)
    line.lit = _squares(rows, columns, pitch, fill, aspect)
    if cells:
        rows, columns = np.nonzero(~dots)
        inside = (columns % 6 != 5) & (rows < 7)
        line.dark = _squares(rows[inside], columns[inside], pitch, fill, aspect)
    return line


def _squares(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    pitch: float,
    fill: float,
    wide: float,
) -> list[Points]:
    corners = np.array([[0, 0], [wide, 0], [wide, 1], [0, 1]]) * fill * pitch
    starts = np.stack([columns * wide, rows], axis=1) * pitch
    return list(starts[:, None] + corners)
