"""Surfaces of metal: grain, brushing, rust."""

from __future__ import annotations

import cv2
import numpy as np

from model.data.render.background import textures
from model.data.render.geometry import Pixels

_GRAINS = 12  # of the textures, the first ones: noises from sand to clouds, then streaks


def grain(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A piece of sand, cloud or streaks, `(height, width) float32`, mean about 0, deviation 1."""
    whole = textures()[int(rng.random() * _GRAINS)]
    zoom = 0.4 + 1.4 * rng.random()
    rows = min(whole.shape[0], int(height * zoom) + 1)
    columns = min(whole.shape[1], int(width * zoom) + 1)
    top = int(rng.random() * (whole.shape[0] - rows + 1))
    left = int(rng.random() * (whole.shape[1] - columns + 1))
    piece = whole[top : top + rows, left : left + columns]
    return cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)
