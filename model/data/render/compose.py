"""A layer over a surface."""

from __future__ import annotations

import numpy as np

from model.data.render.geometry import Pixels


def compose(surface: Pixels, layer: Pixels) -> Pixels:
    """A picture `(H, W) uint8` of a layer that lies over a surface.

    Args:
        surface: Gray levels `(H, W) float32`; changed in place.
        layer: `(H, W, 2) float32`: gray levels premultiplied with opacity, and opacity 0 to 1.
    """
    surface -= surface * layer[..., 1]
    surface += layer[..., 0]
    np.clip(surface, 0, 255, out=surface)
    return surface.astype(np.uint8)
