"""What cameras, light and compression do to a crop, for rendered and for real pictures alike.

Geometry is jittered only so far that nothing legible is lost.
"""

from __future__ import annotations

from bisect import bisect
from functools import lru_cache

import cv2
import numpy as np

from model.data.augment import severity
from model.data.render.background import gradient, texture
from model.data.render.geometry import Pixels

_NOISE = 1 << 17


@lru_cache(maxsize=1)
def _noise_pool() -> Pixels:
    """Normal noise, drawn once: `(_NOISE,) float32`."""
    return np.random.default_rng(21).standard_normal(_NOISE, dtype=np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    size = int(np.prod(shape))
    if size > _NOISE:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.random() * (_NOISE - size + 1))
    return _noise_pool()[start : start + size].reshape(shape)


class Augment:
    """Random degradation of a crop."""

    def __init__(self, strength: float = 1.0) -> None:
        """Choose how bad it gets.

        Args:
            strength: 0 changes nothing, 1 is what rendered words get, 2 the most; how often and
                how hard each fault strikes grows with it (`severity`).
        """
        if not 0 <= strength <= 2:
            raise ValueError(f"strength must be between 0 and 2, got {strength}")
        self.strength = strength

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """A worse picture of the same text.

        Args:
            image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
            rng: The source of chance.

        Returns:
            `uint8` with as many channels, of about the same size.
        """
        if not self.strength:
            return image
        s = self.strength
        if rng.random() < severity.JITTER * s:
            image = _jitter(image, rng, s)
        if rng.random() < severity.LIGHT * s:
            image = _light(image, rng, s)
        chance = rng.random()
        if chance < severity.BLUR * s:
            image = _blur(image, rng, s)
        elif chance > 1 - severity.SHRINK * s:
            image = _shrink(image, rng, s)
        elif chance > 1 - severity.SHARPEN * s:
            image = _sharpen(image, rng, s)
        if rng.random() < severity.GRAIN * s:
            image = _grain(image, rng, s)
        if rng.random() < severity.JPEG * s:
            quality = int(severity.jpeg_quality(s, rng.random()))
            _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # type: ignore[assignment]
        if rng.random() < severity.INVERT * s:
            image = 255 - image
        return image


def _bytes(image: Pixels) -> Pixels:
    clipped: Pixels = np.clip(image, 0, 255).astype(np.uint8)
    return clipped


def _jitter(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """Turn it and move its corners a little, as another camera and annotator would have."""
    height, width = image.shape[:2]
    reach_x = min(severity.CORNER_WIDE * width, severity.CORNER_X * height)
    reach = np.array([reach_x, severity.CORNER_Y * height], np.float32)
    moved = (rng.random((4, 2), dtype=np.float32) - 0.5) * reach * s
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    wide = max(4, round(width * (1 + 0.2 * s * (rng.random() - 0.5))))
    # A long word turned far would be a thin line across a large empty crop.
    turn = severity.TURN * s * rng.standard_normal() * min(1.0, 3 * height / wide)
    cos, sin = np.cos(turn), np.sin(turn)
    seen = (corners * (wide / width, 1)) @ np.array([[cos, sin], [-sin, cos]])
    seen = (seen - seen.min(axis=0)).astype(np.float32)
    size = (max(4, round(float(seen[:, 0].max()))), max(4, round(float(seen[:, 1].max()))))
    matrix = cv2.getPerspectiveTransform(corners + moved, seen)
    return cv2.warpPerspective(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _light(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """Exposure, gamma, a gradient of light, a shadow's edge, a glare."""
    height, width = image.shape[:2]
    kind = bisect(severity.LIGHT_KINDS, rng.random())
    if kind == 0:  # a curve of 256 levels
        levels = np.arange(256, dtype=np.float32) / 255
        levels = levels ** np.float32(np.exp(severity.log_gamma(s, rng.random())))
        slope, offset = severity.contrast(s, rng.random()), severity.exposure(s, rng.random())
        curve = np.clip((levels - 0.5) * slope + 0.5 + offset, 0, 1) * 255
        return cv2.LUT(image, curve.astype(np.uint8))
    gain: Pixels = np.ones((height, width), np.float32)
    glare: Pixels = np.zeros((1, 1), np.float32)
    if kind == 1:
        gain += gradient(rng, height, width) * np.float32(severity.GRADIENT * s)
    elif kind == 2:
        gain += texture(rng, height, width) * np.float32(severity.TEXTURE * s)
    elif kind == 3:  # the edge of a shadow
        x = rng.random(2) * width * 1.4 - 0.2 * width
        points = np.array([(x[0], -1), (x[1], height), (-9, height), (-9, -1)]).astype(np.int32)
        dark = severity.SHADOW * min(s, severity.SHADOW_LIMIT) * rng.random()
        cv2.fillConvexPoly(gain, points, 1 - dark)
        gain = cv2.blur(gain, (3, 3))
    else:
        x = np.arange(width, dtype=np.float32)[None, :] - np.float32(width * rng.random())
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height * rng.random())
        spread = np.float32(height * (0.3 + rng.random()))
        glare = np.exp(-(x * x + y * y) / (spread * spread)) * np.float32(
            severity.GLARE * s * rng.random()
        )
    if image.ndim == 3:
        gain, glare = gain[..., None], glare[..., None]
    return _bytes(image * gain + glare)


def _blur(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """Out of focus, or moved; in proportion to the letters, so that they stay legible."""
    height = image.shape[0]
    kind = bisect(severity.BLUR_KINDS, rng.random())
    if kind == 0:
        sigma = severity.blur_sigma(height, s, rng.random())
        return cv2.GaussianBlur(image, (0, 0), sigma)
    reach = severity.blur_reach(height, s, rng.random())
    side = 2 * max(1, round(reach)) + 1
    if kind == 1:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.float32)
        return cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE)
    line = np.zeros((side, side), np.float32)
    angle, middle = 3.1416 * rng.random(), side // 2
    dx, dy = round(middle * np.cos(angle)), round(middle * np.sin(angle))
    cv2.line(line, (middle - dx, middle - dy), (middle + dx, middle + dy), 1.0)
    return cv2.filter2D(image, -1, line / line.sum(), borderType=cv2.BORDER_REPLICATE)


def _shrink(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """Down to few pixels and up again, with the kernels that cameras and sites use."""
    height, width = image.shape[:2]
    rows = severity.shrunk_rows(s, rng.random())
    if rows >= height:
        return image
    size = (max(3, round(width * rows / height)), round(rows))
    down = cv2.INTER_AREA if rng.random() < severity.SHRINK_AREA else cv2.INTER_LINEAR
    up = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    small = cv2.resize(image, size, interpolation=down)
    kind = up[bisect(severity.SHRINK_KINDS, rng.random())]
    return cv2.resize(small, (width, height), interpolation=kind)


def _sharpen(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """The halo that cheap cameras draw around edges."""
    soft = cv2.GaussianBlur(image, (0, 0), severity.halo_sigma(rng.random()))
    amount = severity.halo_amount(s, rng.random())
    return cv2.addWeighted(image, 1 + amount, soft, -amount, 0)


def _grain(image: Pixels, rng: np.random.Generator, s: float) -> Pixels:
    """Noise of the sensor: even, growing with light, coarse, or single dead pixels."""
    kind = bisect(severity.GRAIN_KINDS, rng.random())
    noise = _noise(rng, image.shape)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    deviation = float(cv2.meanStdDev(gray)[1][0, 0])
    sigma = np.float32(severity.grain_sigma(deviation, s, rng.random()))
    if kind == 0:
        return _bytes(image + sigma * noise)
    if kind == 1:
        gain = np.sqrt(image.astype(np.float32)) * (sigma / severity.BRIGHT_GRAIN)
        return _bytes(image + gain * noise)
    if kind == 2:
        coarse = cv2.GaussianBlur(noise, (0, 0), severity.COARSE_SIGMA)
        return _bytes(image + severity.COARSE * sigma * coarse)
    image = image.copy()
    image[noise > severity.DEAD] = 255
    image[noise < -severity.DEAD] = 0
    return image
