"""What lettering is made of: paint, outline, shadow, depth, light on its edges.

The effects that SynthTIGER (Yim et al., 2021) names, as layers that lie one over the other.
"""

from __future__ import annotations

import cv2
import numpy as np

from model.data.render.background import gradient, texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Effects


class _Canvas:
    """Two planes of one size: gray premultiplied with opacity, and opacity."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.gray = np.zeros(shape, np.float32)
        self.opacity = np.zeros(shape, np.float32)

    def over(self, mask: Pixels, level: float | Pixels, opacity: float = 1.0) -> None:
        """Lay a gray level over what is there, where a mask `(H, W) uint8` has it."""
        alpha = mask * np.float32(opacity / 255)
        for plane, paint in ((self.gray, level), (self.opacity, None)):
            plane -= plane * alpha
            plane += alpha if paint is None else alpha * np.float32(paint)


def _shift(mask: Pixels, dx: float, dy: float) -> Pixels:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]))


def _disc(radius: float) -> Pixels:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


class _Painter:
    """One word: its ink, height in pixels, gray level and ground; one method a layer."""

    def __init__(
        self,
        rng: np.random.Generator,
        effects: Effects,
        ink: Pixels,
        box: Box,
        level: float,
        ground: float,
    ) -> None:
        self.effects = effects
        self.rng, self.ink, self.box, self.level, self.ground = rng, ink, box, level, ground
        self.high = box.height
        self.contrast = abs(level - ground)
        self.canvas = _Canvas(ink.shape)
        # A level on the far side of the text's, as seen from the ground, or of the ground's.
        self.beyond = 255.0 if level > ground else 0.0

    def plain(self) -> None:
        opaque = self.rng.random() < self.effects.solid
        self.canvas.over(self.ink, self.level, 1.0 if opaque else self.effects.faint)

    def uneven(self) -> None:
        """Paint with a gradient, worn, or of two colors."""
        kind, reach = self.rng.random(), np.float32(self.contrast)
        if kind < self.effects.gradient_until:
            fill = self.level + gradient(self.rng, *self.ink.shape) * (
                reach * np.float32(self.effects.gradient)
            )
        elif kind < self.effects.worn_until:
            fill = self.level + texture(self.rng, *self.ink.shape) * (
                reach * np.float32(self.effects.wear)
            )
        else:
            fill = np.full(self.ink.shape, self.level, np.float32)
            part = int(self.box.left + self.box.width * self.rng.random())
            fill[:, part:] = self.level + (self.beyond - self.level) * self.rng.random()
        self.canvas.over(self.ink, fill)

    def shadow(self) -> None:
        rng, ground, effects = self.rng, self.ground, self.effects
        low, spread = effects.shadow_offset
        dx, dy = (rng.random(2) * spread + low) * self.high
        cast = _shift(self.ink, dx, dy)
        if rng.random() < effects.soft_shadow:
            pixels, heights = effects.shadow_sigma
            cast = cv2.GaussianBlur(cast, (0, 0), pixels + heights * self.high * rng.random())
        dark = rng.random() < effects.dark_shadow
        shade = ground * effects.shadow_level * rng.random() if dark else 255 * rng.random()
        low, spread = effects.shadow_opacity
        self.canvas.over(cast, shade, low + spread * rng.random())

    def depth(self) -> None:
        """Letters cut from a thick board, seen from aside."""
        pixels, heights = self.effects.depth
        reach = pixels + int(heights * self.high * self.rng.random())
        line = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
        angle = 6.28 * self.rng.random()
        end = (reach + round(reach * np.cos(angle)), reach + round(reach * np.sin(angle)))
        cv2.line(line, (reach, reach), end, 1)
        other = self.ground if self.rng.random() < self.effects.ground_depth else 255 - self.beyond
        low, spread = self.effects.depth_shade
        shade = self.level + (other - self.level) * (low + spread * self.rng.random())
        self.canvas.over(cv2.dilate(self.ink, line), shade)

    def outline(self) -> None:
        anything = self.rng.random() < self.effects.any_outline
        rim = 255 * self.rng.random() if anything else 255 - self.beyond
        low, spread = self.effects.outline
        radius = (low + spread * self.rng.random()) * self.high
        self.canvas.over(cv2.dilate(self.ink, _disc(radius)), rim)

    def hollow(self) -> None:
        """The letters' outline alone."""
        rim = cv2.morphologyEx(self.ink, cv2.MORPH_GRADIENT, _disc(self.effects.hollow * self.high))
        self.canvas.over(rim, self.level)

    def glow(self) -> None:
        """A halo, as of neon."""
        pixels, heights = self.effects.glow_sigma
        sigma = pixels + heights * self.high * self.rng.random()
        halo = cv2.GaussianBlur(self.ink, (0, 0), sigma)
        low, spread = self.effects.glow_opacity
        self.canvas.over(halo, self.level, low + spread * self.rng.random())

    def relief(self) -> None:
        """Raised or sunken letters, told mostly by light on their edges."""
        pixels, heights = self.effects.relief_sigma
        soft = cv2.GaussianBlur(self.ink, (0, 0), pixels + heights * self.high)
        pixels, heights = self.effects.relief_reach
        reach = pixels + heights * self.high * self.rng.random()
        angle = 6.28 * self.rng.random()
        dx, dy = reach * np.cos(angle), reach * np.sin(angle)
        light, dark = _shift(soft, dx, dy), _shift(soft, -dx, -dy)
        strength = min(1.0, self.contrast / self.effects.relief_contrast)
        blend = self.ground + (self.level - self.ground) * (
            self.effects.relief_blend * self.rng.random()
        )
        self.canvas.over(self.ink, blend)
        self.canvas.over(cv2.subtract(light, dark), 255.0, strength)
        self.canvas.over(cv2.subtract(dark, light), 0.0, strength)


def apply_effects(
    rng: np.random.Generator,
    effects: Effects,
    ink: Pixels,
    box: Box,
    level: float,
    ground: float,
) -> Pixels:
    """The layer that lettering becomes.

    Args:
        rng: The source of chance.
        effects: How often there is which effect, and how strong.
        ink: Coverage `(H, W) uint8`.
        box: Where the text is in it.
        level: Gray level of the text.
        ground: Gray level of what it will lie on.

    Returns:
        `(H, W, 2) float32`: gray levels premultiplied with opacity, and opacity 0 to 1.
    """
    painter = _Painter(rng, effects, ink, box, level, ground)
    edges = np.cumsum([share for share, _ in effects.layers])
    chosen = min(int(np.searchsorted(edges, rng.random())), len(effects.layers) - 1)
    for layer in effects.layers[chosen][1]:
        getattr(painter, layer)()
    return cv2.merge((painter.canvas.gray, painter.canvas.opacity))
