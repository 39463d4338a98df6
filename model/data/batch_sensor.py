"""What a sensor and a file do to the pictures of a batch: noise, JPEG, inversion."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import pad

from model.data.augment import severity
from model.data.batch_lens import soften
from model.data.batch_pictures import Pictures, mean_and_deviation, per_picture

# Annex K of the JPEG standard (ITU-T T.81): steps of luminance at quality 50.
_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def grain(pictures: Pictures) -> torch.Tensor:
    """Noise: even, growing with light, coarse, or single dead pixels."""
    return pictures.one_of(severity.GRAIN_KINDS, (even, growing, coarse, dead))


def even(pictures: Pictures) -> torch.Tensor:
    """Noise of one strength everywhere."""
    return (pictures.levels + _sigma(pictures) * _noise(pictures)).clamp(0, 255)


def growing(pictures: Pictures) -> torch.Tensor:
    """Noise that grows with the root of the light."""
    gain = pictures.levels.sqrt() / severity.BRIGHT_GRAIN
    return (pictures.levels + _sigma(pictures) * gain * _noise(pictures)).clamp(0, 255)


def coarse(pictures: Pictures) -> torch.Tensor:
    """Noise in specks of a few pixels."""
    sigma = torch.full_like(pictures.strengths, severity.COARSE_SIGMA)
    specks = soften(_noise(pictures), sigma) * severity.COARSE
    return (pictures.levels + _sigma(pictures) * specks).clamp(0, 255)


def dead(pictures: Pictures) -> torch.Tensor:
    """Single pixels that are white or black."""
    noise = _noise(pictures)
    return pictures.levels.masked_fill(noise > severity.DEAD, 255.0).masked_fill(
        noise < -severity.DEAD, 0.0
    )


def jpeg(pictures: Pictures) -> torch.Tensor:
    """Saved as a JPEG of low quality."""
    return through_jpeg(
        pictures.levels, severity.jpeg_quality(pictures.strengths, pictures.random()).floor()
    )


def through_jpeg(levels: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """What a JPEG file leaves of pictures.

    Args:
        levels: `(n, H, W) float32`, 0 to 255; blocks start at the top left.
        quality: `(n,) float32`, whole numbers from 1 to 100, as libjpeg understands them.

    Returns:
        `(n, H, W) float32`, 0 to 255.
    """
    height, columns = levels.shape[1:]
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    standard = torch.tensor(_STEPS, device=levels.device)
    steps = torch.floor((standard * per_picture(percent) + 50) / 100).clamp(1, 255)
    steps = steps[:, None, None]  # (n, 1, 1, 8, 8)
    filled = pad(levels[None], (0, -columns % 8, 0, -height % 8), mode="replicate")[0] - 128
    high, wide = (size // 8 for size in filled.shape[1:])
    blocks = filled.view(-1, high, 8, wide, 8).transpose(2, 3)
    cosines = _cosines(levels.device)
    spectrum = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    blocks = cosines.T @ spectrum @ cosines
    whole = blocks.transpose(2, 3).flatten(3, 4).flatten(1, 2) + 128
    return whole[:, :height, :columns].clamp(0, 255)


def invert(pictures: Pictures) -> torch.Tensor:
    """A negative."""
    return 255 - pictures.levels


def _cosines(device: torch.device) -> torch.Tensor:
    """The orthonormal DCT of eight pixels, `(8, 8) float32`."""
    place = torch.arange(8, device=device)
    waves = torch.cos(math.pi / 8 * place[:, None] * (place + 0.5)) / 2
    waves[0] /= math.sqrt(2)
    return waves


def _noise(pictures: Pictures) -> torch.Tensor:
    return pictures.normal(*pictures.levels.shape[1:])


def _sigma(pictures: Pictures) -> torch.Tensor:
    """The noise's deviation in gray levels, `(n, 1, 1)`."""
    deviation = mean_and_deviation(pictures.levels, pictures.inside)[1][:, 0, 0]
    return per_picture(severity.grain_sigma(deviation, pictures.strengths, pictures.random()))
