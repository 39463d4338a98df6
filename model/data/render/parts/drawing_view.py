"""A flat thing seen from somewhere: turned, slanted, in perspective, cut out with room around."""

from __future__ import annotations

import math

import numpy as np

from model.data.render.geometry import Box, Pixels, Warp

_LEAST, _MOST = 13, 88  # rows of a crop


def random_turn(
    rng: np.random.Generator, deviation: float, most: float, times_less: float = 1.0
) -> float:
    """An angle in radians.

    Args:
        rng: The source of chance.
        deviation: Standard deviation, in degrees.
        most: The largest, in degrees.
        times_less: Divides the angle if it is more than 1: a long line that is turned far would be
            a thin diagonal across an empty crop.
    """
    degrees = max(-most, min(most, deviation * rng.standard_normal()))
    return math.radians(degrees) / max(1.0, times_less)


def look_at(
    rng: np.random.Generator,
    box: Box,
    angle: float,
    room: Pixels,
    slant: float = 0.06,
    tilt: float = 0.07,
    bend: float = 0.0,
) -> Warp:
    """A map of a drawing onto a crop around one box of it.

    Args:
        rng: The source of chance.
        box: What the crop is cut around, in the drawing.
        angle: How far it is turned, in radians.
        room: Margins left, above, right and below, in heights of the box; negative cuts.
        slant: Standard deviation of the slants that a view from the side gives.
        tilt: Standard deviation of how much one side is larger than the other.
        bend: How far down the middle of the box sags, in its heights.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    slants = rng.standard_normal(4)
    across, down = slant * slants[0], slant * slants[1]
    matrix = np.array(
        [
            [cos, -sin + across, 0],
            [sin + 0.5 * down, cos, 0],
            [tilt * slants[2] / box.width, tilt * slants[3] / box.height, 1],
        ]
    )
    matrix[0] *= math.exp(0.1 * rng.standard_normal())
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    matrix[:, 2] -= matrix[:, 0] * x + matrix[:, 1] * y
    corners = np.array(
        [
            [box.left, box.right, box.left, box.right],
            [box.top, box.top, box.bottom, box.bottom],
            [1.0] * 4,
        ]
    )
    seen = matrix @ corners
    seen = seen[:2] / seen[2]
    (left, top), (right, bottom) = seen.min(axis=1).tolist(), seen.max(axis=1).tolist()
    rooms = (room * box.height).tolist()
    left, right = left - rooms[0], right + rooms[2]
    sag = bend * box.height
    top, bottom = top - rooms[1] + min(0.0, sag), bottom + rooms[3] + max(0.0, sag)
    scale = min(max(1.0, _LEAST / (bottom - top)), _MOST / (bottom - top))
    width, height = max(8, round((right - left) * scale)), round((bottom - top) * scale)
    matrix[0] = (matrix[0] - left * matrix[2]) * scale
    matrix[1] = (matrix[1] - top * matrix[2]) * scale
    inner = Box(
        rooms[0] * scale, rooms[1] * scale, width - rooms[2] * scale, height - rooms[3] * scale
    )
    arc = (bend * box.height, 0.5, 0.0)
    return Warp(matrix, arc, inner, height, width, box)
