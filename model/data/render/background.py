"""What text stands on: plain paint, gradients, rough surfaces, edges of signs, other shapes.

Textures are drawn once a process from a fixed seed, and cut from at random: noise made anew for
every word would cost more than all the rest.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Ground

_ROWS, _COLUMNS = 192, 768  # of a texture, in pixels


def _standard(texture: Pixels) -> Pixels:
    texture = texture - texture.mean()
    standard: Pixels = np.clip(texture / (texture.std() + 1e-6), -2.5, 2.5)
    return standard.astype(np.float32)


def _fractal(rng: np.random.Generator, power: float) -> Pixels:
    """Noise whose spectrum falls as 1 / f**power: from sand (0.5) to clouds (2)."""
    f = np.hypot(np.fft.fftfreq(_ROWS)[:, None], np.fft.rfftfreq(_COLUMNS)[None, :])
    f[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((_ROWS, _COLUMNS))) / f**power
    return _standard(np.fft.irfft2(spectrum, (_ROWS, _COLUMNS)))


def _brush(rng: np.random.Generator) -> Pixels:
    """Streaks, as of wood or brushed metal, at any angle."""
    noise = _fractal(rng, 0.6)
    length = int(rng.integers(15, 61))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = [tuple(int(v) for v in length / 2 + sign * step) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return _standard(cv2.filter2D(noise, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def _waves(rng: np.random.Generator) -> Pixels:
    """Stripes, slats, corrugated iron, weave."""
    y, x = np.mgrid[:_ROWS, :_COLUMNS].astype(np.float32)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / rng.uniform(5, 40)
    wave = np.sin(phase + 0.5 * _fractal(rng, 1.8))
    return _standard(np.sign(wave) * np.abs(wave) ** rng.uniform(0.1, 1.5))


def _bricks(rng: np.random.Generator) -> Pixels:
    """Bricks or tiles with joints between."""
    wall = np.zeros((_ROWS, _COLUMNS), np.float32)
    high, wide = int(rng.integers(10, 40)), int(rng.integers(16, 90))
    for row, top in enumerate(range(0, _ROWS, high)):
        for left in range(-(row % 2) * wide // 2, _COLUMNS, wide):
            wall[top + 1 : top + high - 1, max(0, left + 1) : left + wide - 1] = rng.uniform(0.6, 1)
    return _standard(wall + 0.1 * _fractal(rng, 1.0))


def _clutter(rng: np.random.Generator) -> Pixels:
    """Lines, blobs and boxes: a busy picture."""
    picture = np.full((_ROWS, _COLUMNS), 128, np.uint8)
    for _ in range(140):
        a, b = rng.integers(0, (_COLUMNS, _ROWS), (2, 2)).tolist()
        level, thick = int(rng.integers(0, 256)), int(rng.integers(1, 4))
        kind = rng.integers(3)
        if kind == 0:
            cv2.line(picture, a, b, level, thick, cv2.LINE_AA)
        elif kind == 1:
            cv2.circle(picture, a, int(rng.integers(2, 40)), level, -1 if thick == 1 else thick)
        else:
            size = rng.integers(4, 60, 2)
            cv2.rectangle(picture, a, (a + size).tolist(), level, -1)
    return _standard(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 2.5)).astype(np.float32))


@lru_cache(maxsize=1)
def textures() -> tuple[Pixels, ...]:
    """The pool: standardized pictures of one size, the same in every process."""
    rng = np.random.default_rng(20)
    pool = [_fractal(rng, power) for power in (0.4, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.0)]
    pool += [_brush(rng) for _ in range(4)] + [_waves(rng) for _ in range(4)]
    return (*pool, *(_bricks(rng) for _ in range(3)), *(_clutter(rng) for _ in range(4)))


def texture(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A random piece of a random texture, `(height, width) float32`, mean 0 and deviation 1."""
    pool = textures()
    whole = pool[int(rng.random() * len(pool))]
    zoom = 0.5 + 1.5 * rng.random()
    rows, columns = min(_ROWS, int(height * zoom) + 1), min(_COLUMNS, int(width * zoom) + 1)
    top = int(rng.random() * (_ROWS - rows + 1))
    left = int(rng.random() * (_COLUMNS - columns + 1))
    piece = whole[top : top + rows, left : left + columns]
    return cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)


def gradient(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A straight ramp from about -1 to 1 in a random direction, `(height, width) float32`."""
    corners = rng.random((2, 2), dtype=np.float32) * 2 - 1
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def background(
    rng: np.random.Generator,
    ground: Ground,
    height: int,
    width: int,
    level: float,
    contrast: float,
) -> Pixels:
    """A surface about some gray level, `(height, width) float32`.

    Args:
        rng: The source of chance.
        ground: How often it is uneven, and how far.
        height: Rows.
        width: Columns.
        level: Mean gray level.
        contrast: What the text's gray level differs by; structure stays well below it.
    """
    surface = np.full((height, width), level, np.float32)
    reach = abs(contrast)
    if rng.random() < ground.gradient_chance:
        ramp = gradient(rng, height, width)
        surface += ramp * np.float32(reach * ground.gradient * rng.random())
    if (kind := rng.random()) < ground.textured_until:
        spread = ground.weak_texture if kind < ground.fine_until else ground.strong_texture
        strength = ground.texture + spread * rng.random()
        surface += texture(rng, height, width) * np.float32(strength * reach)
    elif kind < ground.edge_until:  # two surfaces meet behind the text
        points = (rng.random((4, 2)) * 2 - 0.5) * (width, height)
        other = level - contrast * (ground.edge + rng.random())
        cv2.fillConvexPoly(surface, cv2.convexHull(points.astype(np.int32)), other)
    return surface


def draw_distractors(rng: np.random.Generator, ground: Ground, surface: Pixels, text: Box) -> None:
    """Draw edges of a sign, rules and other things beside the text, in place.

    Args:
        rng: The source of chance.
        ground: How often there are such things.
        surface: `(H, W) float32`.
        text: The text in it, which stays free.
    """
    height, width = surface.shape
    rooms = (text.left, text.top, width - text.right, height - text.bottom)
    for side, room in enumerate(rooms):
        if room < 2 or rng.random() > ground.thing_chance:
            continue
        ends = rng.random(2) * (room - 1)
        if side >= 2:
            ends = (width if side == 2 else height) - ends
        # An edge from side to side of the crop, slanted, then around what lies beyond it.
        far = -9 if side < 2 else max(width, height) + 9
        along = width if side % 2 else height
        edge = [(ends[0], -1), (ends[1], along + 1), (far, along + 1), (far, -1)]
        points = np.array([(b, a) if side % 2 else (a, b) for a, b in edge])
        points = np.round(points * 16).astype(np.int32)
        level = 255.0 * rng.random()
        if rng.random() < ground.filled:
            cv2.fillConvexPoly(surface, points, level, cv2.LINE_8, 4)
        else:
            thick = 1 + int(rng.random() * ground.line_width * height)
            cv2.line(surface, points[0].tolist(), points[1].tolist(), level, thick, cv2.LINE_8, 4)
