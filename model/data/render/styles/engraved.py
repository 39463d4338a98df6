"""Thin lines cut, etched or burnt into metal, plastic and wood: serial numbers, name plates.

Labels: what is engraved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.drawing_view import look_at, random_turn
from model.data.render.parts.glyphs import ABOVE, CAP
from model.data.render.parts.metal import grain
from model.data.render.parts.print import face_for, is_line, put, random_rows, spread_line
from model.data.text import lines

_FAMILIES = (
    "poiret-one", "josefin-sans", "jura", "quicksand", "dosis", "comfortaa", "abel", "rajdhani",
    "titillium-web", "share-tech", "share-tech-mono", "roboto", "barlow", "barlow-condensed",
    "raleway", "work-sans", "urbanist", "outfit", "lekton", "b612-mono", "didact-gothic",
    "questrial",
    "arimo", "liberationsans", "dejavusans-extra", "tinos", "liberationserif", "cormorant-garamond",
    "cinzel", "tenor-sans", "courier-prime", "iosevka", "saira-condensed", "exo-2",
    "noto-sans-mono",
)  # fmt: skip

_PASSED = 70  # of 255: a cell of a grid of dots is one that a stroke passes


@dataclass(frozen=True)
class Style:
    """Draws an engraved line.

    Attributes:
        rows: Height of a capital in the crop, from and to, in pixels.
        thin: Share of texts whose strokes are reduced to their middle.
        stroke: Width of such strokes, from and to, in heights of a capital.
        dotted: Share of texts pricked as rows of dots.
        pitch: From dot to dot, in heights of a capital, from and to.
        tracking: The most room between letters, in heights of a capital.
        contrast: Of the cut with the ground, from and to, in gray levels.
        bright: Share of cuts that are lighter than the ground.
        relief: Share of cuts with a bright and a dark side.
        ground: Gray level of the ground, from and to.
        brushed: Share of grounds with streaks or grain.
        shaded: Share of grounds in uneven light.
        shallow: Share of texts that are less deep at one side.
        roughness: The most that these differ from the ground, as a share of the contrast.
        turn: Standard deviation of the turn, in degrees.
        most_turn: Nothing is turned further, in degrees.
    """

    rows: tuple[float, float] = (10.0, 40.0)
    thin: float = 0.55
    stroke: tuple[float, float] = (0.04, 0.1)
    dotted: float = 0.12
    pitch: tuple[float, float] = (0.1, 0.15)
    tracking: float = 0.25
    contrast: tuple[float, float] = (40.0, 150.0)
    bright: float = 0.5
    relief: float = 0.5
    ground: tuple[float, float] = (25.0, 225.0)
    brushed: float = 0.7
    shaded: float = 0.6
    shallow: float = 0.4
    roughness: float = 0.22
    turn: float = 2.5
    most_turn: float = 15.0

    def sample_text(self, rng: np.random.Generator) -> str:
        """A serial number, a name, a rating."""
        return lines.phrase(rng, "engraving")

    def covers(self, text: str) -> bool:
        """Whether it is one line of printable ASCII."""
        return is_line(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the text."""
        face = face_for(text, _FAMILIES, faces, rng)
        rows = random_rows(rng, self.rows, len(text), 12)
        ink = self._cut(text, face, rows, rng)
        pad, above = rows, round(rows * ABOVE / CAP)
        canvas = np.zeros((ink.shape[0] + 2 * pad, ink.shape[1] + 2 * pad), np.uint8)
        put(canvas, ink, pad, pad)
        box = Box(pad, pad + above, pad + ink.shape[1], pad + above + rows)
        angle = random_turn(rng, self.turn, self.most_turn, box.width / (6 * rows))
        room = 0.05 + 0.4 * rng.random(4) + (0.0, 0.0, 0.0, 0.12)
        view = look_at(rng, box, angle, room)
        return self._lit(view(canvas), rows, rng)

    def _cut(self, text: str, face: Face, rows: int, rng: np.random.Generator) -> Pixels:
        """Where the tool went, `(H, W) uint8`."""
        tracking = self.tracking * rng.random()
        kind = rng.random()
        if kind > self.thin + self.dotted:
            return spread_line(face.path, text, rows, 0.85 + 0.3 * rng.random(), rows * tracking)
        ink = spread_line(face.path, text, CAP, 0.85 + 0.3 * rng.random(), CAP * tracking)
        ink = cv2.copyMakeBorder(ink, 0, 0, 4, 4, cv2.BORDER_CONSTANT, value=0)
        middle = _middle(ink)
        if kind < self.thin:
            wide = CAP * (self.stroke[0] + (self.stroke[1] - self.stroke[0]) * rng.random())
            middle = cv2.dilate(middle, _disc(max(1.0, wide / 2, 0.6 * CAP / rows)))
        else:
            step = CAP * (self.pitch[0] + (self.pitch[1] - self.pitch[0]) * rng.random())
            middle = _dots(middle, step)
        size = (max(1, round(ink.shape[1] * rows / CAP)), round(ink.shape[0] * rows / CAP))
        return cv2.resize(middle, size, interpolation=cv2.INTER_AREA)

    def _lit(self, cut: Pixels, rows: int, rng: np.random.Generator) -> Pixels:
        """The cut in its ground, in the light."""
        height, width = cut.shape
        ground = self.ground[0] + (self.ground[1] - self.ground[0]) * rng.random()
        contrast = self.contrast[0] + (self.contrast[1] - self.contrast[0]) * rng.random()
        if rng.random() < self.bright:
            contrast = -contrast
        if not 0 <= ground - contrast <= 255:
            contrast = -contrast
        surface: Pixels = np.full((height, width), ground, np.float32)
        if rng.random() < self.shaded:
            surface += gradient(rng, height, width) * np.float32(0.3 * contrast * rng.random())
        if rng.random() < self.brushed:
            rough = np.float32(abs(contrast) * self.roughness * rng.random())
            surface += grain(rng, height, width) * rough
        depth = cut * np.float32(1 / 255)
        peak = float(depth.max())
        if 0 < peak < 0.8:  # strokes thinner than a pixel lose contrast, not their trace
            depth *= np.float32(0.8 / peak)
        if rng.random() < self.relief:
            step = 0.5 + 0.03 * rows
            angle = 2 * math.pi * rng.random()
            shift = np.array([[1, 0, step * math.cos(angle)], [0, 1, step * math.sin(angle)]])
            moved = cv2.warpAffine(depth, shift, (width, height))
            surface += (moved - depth) * np.float32(0.9 * abs(contrast))
            depth *= np.float32(0.45 + 0.5 * rng.random())
        if rng.random() < self.shallow:
            depth *= np.clip(0.75 + 0.35 * gradient(rng, height, width), 0.4, 1)
        surface -= depth * np.float32(contrast)
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)


def _disc(radius: float) -> Pixels:
    side = 2 * round(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _middle(ink: Pixels) -> Pixels:
    """The ridge of the strokes, about a pixel wide: where it is farther inside than around."""
    _, solid = cv2.threshold(ink, 127, 255, cv2.THRESH_BINARY)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    smooth = cv2.GaussianBlur(inside, (0, 0), 1.2)
    around = cv2.blur(smooth, (7, 7))
    ridge = ((smooth - around > 0.16 * smooth) & (inside > 0.9)).astype(np.uint8)
    return ridge * np.uint8(255)


def _dots(middle: Pixels, step: float) -> Pixels:
    """Dots along strokes: one in each cell of a grid that they pass."""
    rows, columns = max(1, round(middle.shape[0] / step)), max(1, round(middle.shape[1] / step))
    solid = cv2.dilate(middle, _disc(1))
    small = cv2.resize(solid, (columns, rows), interpolation=cv2.INTER_AREA)
    dots: Pixels = np.zeros_like(middle)
    radius = max(1, round(0.36 * step))
    for y, x in np.argwhere(small > _PASSED).tolist():
        cv2.circle(dots, (round((x + 0.5) * step), round((y + 0.5) * step)), radius, 255, -1)
    return dots
