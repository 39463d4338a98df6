"""From a text and a font face to a gray picture of the word, as a camera may have cropped it.

Lettering is drawn flat at about its final size, given paint (fill, outline, shadow, depth), mapped
into the crop by one warp, and laid over a background.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from model.data.fonts import Face
from model.data.render.background import background, frame
from model.data.render.geometry import Pixels, random_warp
from model.data.render.rasterize import lettering
from model.data.render.text_effects import paint


def _levels(rng: np.random.Generator) -> tuple[float, float]:
    """Gray levels of text and ground: either may be the lighter, contrast is often low."""
    contrast = 30 + 210 * float(rng.beta(1.3, 1.6))
    low = (255 - contrast) * rng.random()
    return (low, low + contrast) if rng.random() < 0.5 else (low + contrast, low)


def _margins(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Room around the text, in its heights: annotators differ, and a camera's box is as wide."""
    kind = rng.random()
    low, high = (-0.04, 0.08) if kind < 0.25 else (0.02, 0.28) if kind < 0.75 else (0.1, 0.6)
    left, top, right, bottom = (low + (high - low) * rng.random(4)).tolist()
    if kind > 0.86:
        left, right = (np.array([left, right]) + 2 * rng.random(2)).tolist()
    return left, top, right, bottom


def render(
    text: str, face: Face, rng: np.random.Generator, neighbor: Callable[[], str] = lambda: "and"
) -> Pixels:
    """A picture of a text, `(H, W) uint8`, some 10 to 90 px high, before the camera's own faults.

    Args:
        text: What to write; the face must cover it.
        face: What to write it in.
        rng: The source of chance.
        neighbor: Gives texts for what stands beside it.
    """
    margins = _margins(rng)
    ink, box = lettering(rng, face, text, neighbor, margins)
    level, ground = _levels(rng)
    warp = random_warp(rng, box, 0.82 + 0.4 * rng.random(), margins)
    crop = warp(paint(rng, ink, box, level, ground))
    surface = background(rng, warp.height, warp.width, ground, level - ground)
    if rng.random() < 0.4:
        frame(rng, surface, warp.inner)
    opacity = crop[..., 1]
    surface -= surface * opacity
    surface += crop[..., 0]
    np.clip(surface, 0, 255, out=surface)
    return surface.astype(np.uint8)
