"""What lettering is made of: paint, outline, shadow, depth, light on its edges."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from model.data.render.background import gradient, texture
from model.data.render.geometry import Box, Pixels


class _Canvas:
    """Two planes of one size: gray premultiplied with opacity, and opacity."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.gray = np.zeros(shape, np.float32)
        self.opacity = np.zeros(shape, np.float32)

    def over(self, mask: Pixels, level: float | Pixels, opacity: float = 1.0) -> None:
        """Lay a coat of a gray level over what is there, where a mask `(H, W) uint8` has it."""
        alpha = mask * np.float32(opacity / 255)
        for plane, coat in ((self.gray, level), (self.opacity, None)):
            plane -= plane * alpha
            plane += alpha if coat is None else alpha * np.float32(coat)


def _shift(mask: Pixels, dx: float, dy: float) -> Pixels:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]))


def _disc(radius: float) -> Pixels:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


class _Job:
    """One word to paint: its ink, its height in pixels, its gray level and the ground's."""

    def __init__(
        self, rng: np.random.Generator, ink: Pixels, box: Box, level: float, ground: float
    ) -> None:
        self.rng, self.ink, self.box, self.level, self.ground = rng, ink, box, level, ground
        self.high = box.height
        self.contrast = abs(level - ground)
        self.canvas = _Canvas(ink.shape)
        # A level on the far side of the text's, as seen from the ground, or of the ground's.
        self.beyond = 255.0 if level > ground else 0.0

    def plain(self) -> None:
        self.canvas.over(self.ink, self.level, 1.0 if self.rng.random() < 0.85 else 0.6)

    def uneven(self) -> None:
        """Paint with a gradient, worn, or of two colors."""
        kind, reach = self.rng.random(), np.float32(self.contrast)
        if kind < 0.45:
            fill = self.level + gradient(self.rng, *self.ink.shape) * (reach * np.float32(0.5))
        elif kind < 0.85:
            fill = self.level + texture(self.rng, *self.ink.shape) * (reach * np.float32(0.2))
        else:
            fill = np.full(self.ink.shape, self.level, np.float32)
            part = int(self.box.left + self.box.width * self.rng.random())
            fill[:, part:] = self.level + (self.beyond - self.level) * self.rng.random()
        self.canvas.over(self.ink, fill)

    def shadow(self) -> None:
        rng, ground = self.rng, self.ground
        dx, dy = (rng.random(2) * 0.2 - 0.07) * self.high
        cast = _shift(self.ink, dx, dy)
        if rng.random() < 0.6:
            cast = cv2.GaussianBlur(cast, (0, 0), 0.5 + 0.06 * self.high * rng.random())
        shade = ground * 0.6 * rng.random() if rng.random() < 0.8 else 255 * rng.random()
        self.canvas.over(cast, shade, 0.35 + 0.6 * rng.random())

    def depth(self) -> None:
        """Letters cut from a thick board, seen from aside."""
        reach = 2 + int(0.17 * self.high * self.rng.random())
        line = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
        angle = 6.28 * self.rng.random()
        end = (reach + round(reach * np.cos(angle)), reach + round(reach * np.sin(angle)))
        cv2.line(line, (reach, reach), end, 1)
        other = self.ground if self.rng.random() < 0.6 else 255 - self.beyond
        shade = self.level + (other - self.level) * (0.3 + 0.7 * self.rng.random())
        self.canvas.over(cv2.dilate(self.ink, line), shade)

    def outline(self) -> None:
        rim = 255 * self.rng.random() if self.rng.random() < 0.5 else 255 - self.beyond
        radius = (0.02 + 0.06 * self.rng.random()) * self.high
        self.canvas.over(cv2.dilate(self.ink, _disc(radius)), rim)

    def hollow(self) -> None:
        """The letters' outline alone."""
        rim = cv2.morphologyEx(self.ink, cv2.MORPH_GRADIENT, _disc(0.015 * self.high))
        self.canvas.over(rim, self.level)

    def glow(self) -> None:
        """A halo, as of neon."""
        sigma = 1 + 0.12 * self.high * self.rng.random()
        halo = cv2.GaussianBlur(self.ink, (0, 0), sigma)
        self.canvas.over(halo, self.level, 0.5 + 0.5 * self.rng.random())

    def relief(self) -> None:
        """Raised or sunken letters, told mostly by light on their edges."""
        soft = cv2.GaussianBlur(self.ink, (0, 0), 0.5 + 0.02 * self.high)
        reach, angle = 0.5 + 0.03 * self.high * self.rng.random(), 6.28 * self.rng.random()
        dx, dy = reach * np.cos(angle), reach * np.sin(angle)
        light, dark = _shift(soft, dx, dy), _shift(soft, -dx, -dy)
        strength = min(1.0, self.contrast / 70)
        blend = self.ground + (self.level - self.ground) * (0.7 * self.rng.random())
        self.canvas.over(self.ink, blend)
        self.canvas.over(cv2.subtract(light, dark), 255.0, strength)
        self.canvas.over(cv2.subtract(dark, light), 0.0, strength)


_COATS: tuple[tuple[float, tuple[Callable[[_Job], None], ...]], ...] = (
    (0.44, (_Job.plain,)),
    (0.18, (_Job.uneven,)),
    (0.08, (_Job.shadow, _Job.plain)),
    (0.02, (_Job.shadow, _Job.uneven)),
    (0.07, (_Job.depth, _Job.plain)),
    (0.02, (_Job.depth, _Job.outline, _Job.plain)),
    (0.06, (_Job.outline, _Job.plain)),
    (0.02, (_Job.shadow, _Job.outline, _Job.uneven)),
    (0.03, (_Job.hollow,)),
    (0.03, (_Job.glow, _Job.plain)),
    (0.05, (_Job.relief,)),
)
"""How often, and which coats, from the lowest up."""
_EDGES = np.cumsum([share for share, _ in _COATS])


def paint(rng: np.random.Generator, ink: Pixels, box: Box, level: float, ground: float) -> Pixels:
    """Give lettering its looks.

    Args:
        rng: The source of chance.
        ink: Coverage `(H, W) uint8`.
        box: Where the text is in it.
        level: Gray level of the text.
        ground: Gray level of what it will lie on.

    Returns:
        `(H, W, 2) float32`: gray levels premultiplied with opacity, and opacity 0 to 1.
    """
    job = _Job(rng, ink, box, level, ground)
    chosen = min(int(np.searchsorted(_EDGES, rng.random())), len(_COATS) - 1)
    for coat in _COATS[chosen][1]:
        coat(job)
    return cv2.merge((job.canvas.gray, job.canvas.opacity))
