"""Light on the pictures of a batch: exposure, gradients, uneven paint, shadows, glare."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import grid_sample

from model.data.augment import severity
from model.data.batch_pictures import Pictures, per_picture
from model.data.render.background import textures


def light(pictures: Pictures) -> torch.Tensor:
    """Exposure and gamma, or a gradient of light, a texture, a shadow's edge, a glare."""
    return pictures.one_of(severity.LIGHT_KINDS, (curve, gradient, texture, shadow, glare))


def curve(pictures: Pictures) -> torch.Tensor:
    """Another exposure, gamma and contrast."""
    gamma, slope, offset = (
        per_picture(draw(pictures.strengths, pictures.random()))
        for draw in (severity.log_gamma, severity.contrast, severity.exposure)
    )
    levels = (pictures.levels / 255) ** gamma.exp()
    return ((levels - 0.5) * slope + 0.5 + offset).clamp(0, 1) * 255


def gradient(pictures: Pictures) -> torch.Tensor:
    """Light that grows from one corner to another."""
    x, y = _places(pictures)
    # As far as from the middle of one half to that of the other.
    x, y = (((2 * place) - 0.5).clamp(0, 1) for place in (x, y))
    corners = pictures.random(2, 2) * 2 - 1
    left, right = (
        torch.lerp(corners[:, :1, side : side + 1], corners[:, 1:, side : side + 1], y)
        for side in (0, 1)
    )
    return _lit(pictures, torch.lerp(left, right, x) * severity.GRADIENT)


def texture(pictures: Pictures) -> torch.Tensor:
    """Paint that is not even, or a pattern of light."""
    pool = _textures(pictures.levels.device)
    rows, columns = pool.shape[1:]
    chosen = pool[(pictures.random() * len(pool)).long()]
    # Places from -1 to 1 over the whole texture, of which a picture sees a piece.
    zoom = 0.5 + 1.5 * pictures.random(1, 1)
    grids = []
    # Each picture's own width: how wide the others of its batch are must not zoom it.
    across = per_picture(pictures.widths) / columns
    down = torch.full_like(across, pictures.levels.shape[1] / rows)
    for place, share in zip(_places(pictures), (across, down), strict=True):
        piece = (zoom * share).clamp(max=1)
        grids.append((place * piece + pictures.random(1, 1) * (1 - piece)) * 2 - 1)
    grid = torch.stack([places.expand_as(pictures.levels) for places in grids], dim=-1)
    piece = grid_sample(chosen[:, None], grid, padding_mode="reflection", align_corners=False)
    return _lit(pictures, piece[:, 0] * severity.TEXTURE)


def shadow(pictures: Pictures) -> torch.Tensor:
    """A slanted edge, left of which it is darker."""
    x, y = _places(pictures)
    top, bottom = (pictures.random(1, 1) * 1.4 - 0.2 for _ in range(2))
    # Places are shares of a width; the edge takes about three pixels.
    pixels = (torch.lerp(top, bottom, y) - x) * per_picture(pictures.widths)
    strengths = per_picture(pictures.strengths).clamp(max=severity.SHADOW_LIMIT)
    dark = severity.SHADOW * strengths * pictures.random(1, 1)
    return pictures.levels * (1 - dark * (pixels / 3 + 0.5).clamp(0, 1))


def glare(pictures: Pictures) -> torch.Tensor:
    """A round reflection."""
    height = pictures.levels.shape[1]
    x, y = _places(pictures)
    across = (x - pictures.random(1, 1)) * per_picture(pictures.widths)
    down = (y - pictures.random(1, 1)) * height
    spread = height * (0.3 + pictures.random(1, 1))
    bright = severity.GLARE * per_picture(pictures.strengths) * pictures.random(1, 1)
    spot = torch.exp(-(across.square() + down.square()) / spread.square())
    return (pictures.levels + bright * spot).clamp(0, 255)


def _lit(pictures: Pictures, change: torch.Tensor) -> torch.Tensor:
    """Levels under light that `change (n, H, W)` differs by at strength 1."""
    return (pictures.levels * (1 + change * per_picture(pictures.strengths))).clamp(0, 255)


def _places(pictures: Pictures) -> tuple[torch.Tensor, torch.Tensor]:
    """Middles of columns `(n, 1, W)` and rows `(1, H, 1)` as shares of a picture's size."""
    height, columns = pictures.levels.shape[1:]
    device = pictures.levels.device
    x = (torch.arange(columns, device=device) + 0.5) / per_picture(pictures.widths)
    return x, ((torch.arange(height, device=device) + 0.5) / height)[None, :, None]


@lru_cache(maxsize=4)
def _textures(device: torch.device) -> torch.Tensor:
    """The renderer's textures, `(K, rows, columns) float32`."""
    return torch.from_numpy(np.stack(textures())).to(device)
