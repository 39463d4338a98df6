"""What lies around and above a display or counter: its rim, its glass, the light on both."""

from __future__ import annotations

import cv2
import numpy as np

from model.data.render.background import gradient
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.outline_view import View
from model.data.text.text_patterns import between


def rim(rng: np.random.Generator, view: View, surface: Pixels, window: Box) -> None:
    """Draw the rim of a window, in place.

    Args:
        rng: The source of chance.
        view: How the window stands in the crop.
        surface: `(H, W) float32`.
        window: What stays free, in the thing's units.
    """
    level, edge = 255 * rng.random(), 255 * rng.random()
    # A ridge that catches light or throws shade runs along the window.
    ridge = (0.02 + 0.06 * float(rng.random())) * window.height
    for grow, shade in ((0.0, edge), (ridge, level)):
        x, y = (window.left - grow, window.right + grow), (window.top - grow, window.bottom + grow)
        mask = view.mask()
        view.fill(mask, [np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])])
        surface += (np.float32(shade) - surface) * (1 - view.coverage(mask))


def glare(rng: np.random.Generator, surface: Pixels, strength: float) -> None:
    """Lay reflections over glass, in place: slanted bands, or soft-edged patches of a room.

    Args:
        rng: The source of chance.
        surface: `(H, W) float32`.
        strength: Most that they hide of what is behind, as a share.
    """
    height, width = surface.shape
    light = np.zeros((height, width), np.float32)
    for _ in range(1 + int(3 * rng.random())):
        x, wide = width * (1.2 * rng.random() - 0.1), height * (0.2 + 1.8 * rng.random())
        if rng.random() < 0.5:
            slope = height * (2 * rng.random() - 1)
            corners = [(x, 0), (x + wide, 0), (x + wide + slope, height), (x + slope, height)]
        else:
            y, tall = height * (1.2 * rng.random() - 0.2), height * (0.1 + 0.6 * rng.random())
            lean = 0.4 * wide * (rng.random() - 0.5)
            corners = [(x, y), (x + wide, y + lean), (x + wide, y + tall), (x - lean, y + tall)]
        points = np.round(np.array(corners) * 16).astype(np.int32)
        cv2.fillConvexPoly(light, points, strength * (0.2 + 0.8 * rng.random()), cv2.LINE_8, 4)
    side = 2 * int(1 + 0.12 * height * rng.random()) + 1
    # A mirror of something white: what is behind grows pale, but never quite goes.
    surface += (255 - surface) * cv2.blur(light, (side, side))


def uneven(rng: np.random.Generator, surface: Pixels, most: float) -> None:
    """Light one end more than the other, in place, by up to a share `most` of the light."""
    surface *= 1 + gradient(rng, *surface.shape) * np.float32(most * rng.random())


def levels(
    rng: np.random.Generator, ground: tuple[float, float], contrast: tuple[float, float]
) -> tuple[float, float]:
    """Gray levels of a ground and of something darker on it, by shares of the light it gives back.

    Args:
        rng: The source of chance.
        ground: Range of the ground's level.
        contrast: Range of what the darker thing swallows, as a share.
    """
    light = between(rng, ground)
    return light, light * (1 - between(rng, contrast))
