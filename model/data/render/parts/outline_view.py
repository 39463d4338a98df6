"""How a flat thing comes to stand in a crop: a map of its own units to pixels, seen askew.

Outlines are mapped point by point and filled at their final size, which is cheaper and sharper
than to draw them flat and then interpolate pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from model.data.render.geometry import Box, Pixels
from model.data.text.text_patterns import between, pick

Points = npt.NDArray[np.float64]
"""Corners of an outline, `(N, 2) float64`, in the units of the thing."""

_FINE = 40  # px high; lower crops are drawn twice as large, so that thin strokes keep their weight
_LEAST, _MOST = 12, 90  # px high; what would be lower or higher is scaled
_SHIFT = 4  # fractional bits of a coordinate that OpenCV fills between


@dataclass(frozen=True)
class Askew:
    """How far a camera stands off.

    Attributes:
        turn: Degrees the line is turned, one standard deviation; long lines are turned less.
        shear: Most sideways lean, of the height.
        stretch: Range of the width, of what the thing's own units say.
        tilt: Most change of scale from one end of the crop to the other, as a share.
    """

    turn: float = 2.0
    shear: float = 0.06
    stretch: tuple[float, float] = (0.85, 1.15)
    tilt: float = 0.12


@dataclass(frozen=True)
class View:
    """A map of a thing's units onto an upright crop.

    Attributes:
        matrix: `(3, 3) float64`, from units to pixels of the masks.
        height: Rows of the crop.
        width: Columns of the crop.
        zoom: Pixels of a mask per pixel of the crop, each way.
    """

    matrix: npt.NDArray[np.float64]
    height: int
    width: int
    zoom: int

    def mask(self) -> Pixels:
        """A mask with nothing in it, `(zoom * H, zoom * W) uint8`."""
        return np.zeros((self.zoom * self.height, self.zoom * self.width), np.uint8)

    def fill(self, mask: Pixels, outlines: Sequence[Points], level: int = 255) -> None:
        """Fill outlines that do not overlap, in place."""
        if not outlines:
            return
        corners = np.concatenate(outlines)
        seen = corners @ self.matrix[:, :2].T + self.matrix[:, 2]
        fixed = np.round(seen[:, :2] * ((1 << _SHIFT) / seen[:, 2:])).astype(np.int32)
        ends = np.cumsum([len(outline) for outline in outlines])[:-1]
        cv2.fillPoly(mask, np.split(fixed, ends), level, cv2.LINE_AA, _SHIFT)

    def place(self, mask: Pixels, tile: Pixels, box: Box) -> None:
        """Lay a picture `(h, w) uint8` over a box of the thing's units, where it is lighter."""
        rows, columns = tile.shape
        across, down = box.width / columns, box.height / rows
        onto = self.matrix @ np.array([[across, 0, box.left], [0, down, box.top], [0, 0, 1]])
        size = (mask.shape[1], mask.shape[0])
        np.maximum(mask, cv2.warpPerspective(tile, onto, size), out=mask)

    def look(self, picture: Pixels, box: Box) -> Pixels:
        """A picture `(h, w) float32` of a box of the thing, as the crop `(H, W)` shows it."""
        rows, columns = picture.shape
        onto = self.matrix @ np.array(
            [
                [box.width / columns, 0, box.left],
                [0, box.height / rows, box.top],
                [0, 0, 1],
            ]
        )
        onto[:2] /= self.zoom
        size, border = (self.width, self.height), cv2.BORDER_REPLICATE
        return cv2.warpPerspective(picture, onto, size, flags=cv2.INTER_LINEAR, borderMode=border)

    def coverage(self, mask: Pixels) -> Pixels:
        """A mask at the crop's size, `(H, W) float32` from 0 to 1."""
        if self.zoom > 1:
            size = (self.width, self.height)
            mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        shares: Pixels = mask * np.float32(1 / 255)
        return shares


Margins = tuple[float, float, float, float]
"""Room left, above, right and below of a thing, in its heights; negative cuts."""


def random_margins(rng: np.random.Generator, *spans: tuple[float, float]) -> Margins:
    """Room around a thing: boxes are tight or wide, as who drew them.

    Args:
        rng: The source of chance.
        spans: The ranges of each kind of box, of which every kind is as frequent.
    """
    span = pick(rng, spans)
    return between(rng, span), between(rng, span), between(rng, span), between(rng, span)


def random_view(
    rng: np.random.Generator,
    box: Box,
    height: float,
    margins: Margins,
    askew: Askew,
) -> View:
    """A crop around a box, as somebody who stands about in front of it takes it.

    Args:
        rng: The source of chance.
        box: What the crop is of, in the thing's units.
        height: Rows that the box is to have, in pixels, unless its crop gets very low or high.
        margins: Room around it.
        askew: How far off the camera may stand.
    """
    turn = math.radians(max(-3.0, min(3.0, float(rng.standard_normal()))) * askew.turn)
    turn *= min(1.0, 4 * box.height / box.width)
    stretch = between(rng, askew.stretch)
    lean = askew.shear * (2 * rng.random() - 1)
    tilt_x, tilt_y = askew.tilt * (2 * rng.random(2) - 1) / (box.width, box.height)
    scale = height / box.height
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    matrix = np.array(
        [
            [cos * stretch, -cos * lean - sin, 0],
            [sin * stretch, cos - sin * lean, 0],
            [tilt_x, tilt_y, 1],
        ]
    )
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    matrix[:, 2] -= matrix[:, 0] * middle[0] + matrix[:, 1] * middle[1]
    matrix[2, 2] = 1 - (tilt_x * middle[0] + tilt_y * middle[1])
    left, top, right, bottom = margins
    x = (box.left - left * box.height, box.right + right * box.height)
    y = (box.top - top * box.height, box.bottom + bottom * box.height)
    seen = matrix @ np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]], [1.0] * 4])
    seen = seen[:2] / seen[2]
    low, high = seen.min(axis=1), seen.max(axis=1)
    across, down = (high - low).tolist()
    fit = min(max(1.0, _LEAST / down), _MOST / down)
    wide, tall = max(8, round(across * fit)), round(down * fit)
    matrix[:2] -= np.outer(low, matrix[2])
    matrix[:2] *= fit
    zoom = 2 if tall < _FINE else 1
    matrix[:2] *= zoom
    return View(matrix, tall, wide, zoom)
