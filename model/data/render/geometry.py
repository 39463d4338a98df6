"""How flat lettering comes to stand in a picture: slanted, turned, bent, seen from the side.

All of it is one map from the drawing to the crop, so that pixels are interpolated once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from model.data.render.parameters import Viewpoint

Pixels = npt.NDArray[Any]
"""An array that goes through OpenCV, whose stubs promise no more; docstrings tell its dtype."""


_BENT = 9  # points along a curved line that bound it


@dataclass(frozen=True)
class Box:
    """An upright rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Rows it spans."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """Columns it spans."""
        return self.right - self.left


@dataclass(frozen=True)
class Warp:
    """A map of a drawing onto an upright crop around one box of it.

    Attributes:
        matrix: `(3, 3) float64`, from the drawing's pixels to the crop's.
        bend: Amplitude in the drawing's pixels, cycles across the text, phase.
        inner: Where the text lies in the crop.
        height: Rows of the crop.
        width: Columns of the crop.
        text: Where the text lies in the drawing.
    """

    matrix: npt.NDArray[np.float64]
    bend: tuple[float, float, float]
    inner: Box
    height: int
    width: int
    text: Box

    def __call__(self, drawing: Pixels) -> Pixels:
        """The crop of a drawing `(H, W) float32` or `(H, W, 2) float32`; 0 outside."""
        size = (self.width, self.height)
        if not self.bend[0]:
            return cv2.warpPerspective(drawing, self.matrix, size, flags=cv2.INTER_LINEAR)
        back = np.linalg.inv(self.matrix).astype(np.float32)
        x = np.arange(self.width, dtype=np.float32)[None, :]
        y = np.arange(self.height, dtype=np.float32)[:, None]
        depth = 1 / (back[2, 0] * x + back[2, 1] * y + back[2, 2])
        source_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) * depth
        source_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) * depth
        source_y -= _curve(self.bend, self.text, source_x)
        return cv2.remap(drawing, source_x, source_y, cv2.INTER_LINEAR)


def _curve(bend: tuple[float, float, float], text: Box, x: Pixels) -> Pixels:
    """How far down the baseline goes at `x`, in pixels of the drawing."""
    amplitude, cycles, phase = bend
    angle = (x - np.float32(text.left)) * np.float32(2 * np.pi * cycles / text.width) + phase
    down: Pixels = np.float32(amplitude) * np.sin(angle, dtype=np.float32)
    return down


def random_warp(
    rng: np.random.Generator,
    viewpoint: Viewpoint,
    text: Box,
    scale: float,
    padding: tuple[float, float, float, float],
) -> Warp:
    """A view of a text.

    Args:
        rng: The source of chance.
        viewpoint: How far text is turned, bent and tilted.
        text: The text's box in the drawing.
        scale: Pixels of the crop per pixel of the drawing.
        padding: Room left, above, right and below, in heights of the text; negative cuts. Beside
            the text these are squeezed as it is, and so is what was drawn there.
    """
    deviation, less = viewpoint.stretch
    stretch = math.exp(deviation * rng.standard_normal() - less)
    chances = rng.random(4)
    shear = 0.0 if chances[0] < viewpoint.upright else _normal(rng, *viewpoint.shear)
    degrees = next(normal for until, *normal in viewpoint.turns if chances[1] < until)
    turn = math.radians(_normal(rng, *degrees))
    long = text.width / text.height
    if (
        long > viewpoint.long
    ):  # a long word turned far would be a thin line across a large empty crop
        turn *= viewpoint.long / long
    bend = (0.0, 0.0, 0.0)
    if chances[2] < viewpoint.bent and long > viewpoint.bent_from:
        most, per_length = viewpoint.bend
        amplitude = text.height * min(most, per_length * long) * rng.random()
        arc = rng.random()
        arch, bowl = viewpoint.arches
        if arc < bowl:
            bend = ((-2 if arc < arch else 2) * amplitude, 0.5, 0.0)
        else:
            bend = (amplitude, 0.5 + rng.random(), 2 * math.pi * rng.random())
    tilt_x = tilt_y = 0.0
    if chances[3] < viewpoint.tilted:
        tilt_x = _normal(rng, *viewpoint.tilt_x) / text.width
        tilt_y = _normal(rng, *viewpoint.tilt_y) / text.height
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    middle_x, middle_y = (text.left + text.right) / 2, (text.top + text.bottom) / 2
    matrix = np.array(
        [
            [cos * stretch, -cos * shear - sin, 0],
            [sin * stretch, cos - sin * shear, 0],
            [tilt_x, tilt_y, 1],
        ]
    )
    matrix[:, 2] -= matrix[:, 0] * middle_x + matrix[:, 1] * middle_y

    seen = matrix @ _outline(text, bend)
    seen = seen[:2] / seen[2]
    (left, top), (right, bottom) = seen.min(axis=1).tolist(), seen.max(axis=1).tolist()
    unit = scale * text.height
    beside = unit * stretch
    room = [m * per for m, per in zip(padding, (beside, unit, beside, unit), strict=True)]
    left, right = left - room[0], right + room[2]
    top, bottom = top - room[1], bottom + room[3]
    shrink = min(1.0, math.sqrt(viewpoint.largest_px / ((right - left) * (bottom - top))))
    width, height = max(4, round((right - left) * shrink)), max(8, round((bottom - top) * shrink))
    matrix[0] = (matrix[0] - left * matrix[2]) * shrink
    matrix[1] = (matrix[1] - top * matrix[2]) * shrink
    room = [pixels * shrink for pixels in room]
    inner = Box(room[0], room[1], width - room[2], height - room[3])
    return Warp(matrix, bend, inner, height, width, text)


def _normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return max(-limit, min(limit, deviation * rng.standard_normal()))


def _outline(text: Box, bend: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Points `(3, P) float64`, homogeneous, whose bounds are the bent text's."""
    if not bend[0]:
        x = [text.left, text.right, text.left, text.right]
        y = [text.top, text.top, text.bottom, text.bottom]
        return np.array([x, y, [1.0] * 4])
    along = np.linspace(text.left, text.right, _BENT, dtype=np.float32)
    down = _curve(bend, text, along)
    edges = np.concatenate([text.top + down, text.bottom + down])
    return np.stack([np.tile(along, 2), edges, np.ones(2 * _BENT)])
