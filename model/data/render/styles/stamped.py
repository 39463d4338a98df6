"""Numbers stamped into metal: each sign struck by hand with a stamp of its own, seen by its relief.

Labels: what was struck. A sign is struck so lightly at most that its shape can still be told.
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
from model.data.render.parts.glyphs import ABOVE, BELOW, CAP, glyph
from model.data.render.parts.metal import grain
from model.data.render.parts.print import face_for, is_line, random_rows
from model.data.text import lines

_FAMILIES = (
    "arimo", "liberationsans", "overpass", "barlow", "rajdhani", "dosis", "share-tech", "quantico",
    "varela-round", "nunito", "titillium-web", "b612-mono", "share-tech-mono", "roboto-mono",
    "oxanium", "play", "monda", "barlow-condensed", "saira-condensed", "pt-sans-narrow", "exo-2",
    "jura", "chakra-petch", "comfortaa", "patrick-hand", "kalam", "courier-prime", "special-elite",
    "overpass-mono", "bai-jamjuree", "abel", "iceland", "teko",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Draws signs struck into metal one by one.

    Attributes:
        rows: Height of a sign in the crop, from and to, in pixels.
        stretch: Width of signs against the face's own, from and to.
        spacing: Room between signs, from and to, in heights of a sign.
        careless: Standard deviation of the shift of a sign, in heights.
        turned: Standard deviation of the turn of a sign, in degrees.
        depth: How strongly light and shade show at the edges, from and to, in gray levels.
        shade: How much darker the bottom of a sign is, from and to, in gray levels.
        lightest: The least depth of a sign that was struck lightly, as a share.
        uneven: Share of signs that were struck harder at one side.
        doubled: Share of signs struck twice, a little apart.
        stroke: Width of the relief's edges, in heights of a sign, from and to.
        outlined: Share of numbers whose strokes show by dark rims on bright, worn metal.
        rim: Width of such rims, in heights of a sign, from and to.
        metal: Gray level of the metal, from and to.
        brushed: Share of metals with grain, streaks or rust.
        shaded: Share of metals in uneven light.
        patched: Share of brushed metals with paint, scale or scrapes in patches.
        roughness: The most that these differ from the metal, as a share of the signs' contrast.
        least: Relief and shade together are never less, in gray levels.
        turn: Standard deviation of the turn of all, in degrees.
        most_turn: Nothing is turned further, in degrees.
    """

    rows: tuple[float, float] = (14.0, 46.0)
    stretch: tuple[float, float] = (0.75, 1.15)
    spacing: tuple[float, float] = (0.02, 0.45)
    careless: float = 0.05
    turned: float = 3.5
    depth: tuple[float, float] = (40.0, 150.0)
    shade: tuple[float, float] = (-10.0, 120.0)
    lightest: float = 0.45
    uneven: float = 0.4
    doubled: float = 0.06
    stroke: tuple[float, float] = (0.02, 0.06)
    outlined: float = 0.3
    rim: tuple[float, float] = (0.02, 0.05)
    metal: tuple[float, float] = (70.0, 230.0)
    brushed: float = 0.8
    shaded: float = 0.6
    patched: float = 0.55
    roughness: float = 0.22
    least: float = 75.0
    turn: float = 2.5
    most_turn: float = 15.0

    def sample_text(self, rng: np.random.Generator) -> str:
        """A number or a code as it is struck."""
        return lines.phrase(rng, "stamping")

    def covers(self, text: str) -> bool:
        """Whether it is one line of printable ASCII."""
        return is_line(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the text."""
        face = face_for(text, _FAMILIES, faces, rng)
        rows = random_rows(rng, self.rows, len(text), 10)
        struck, box = self._struck(text, face, rows, rng)
        angle = random_turn(rng, self.turn, self.most_turn, box.width / (6 * rows))
        view = look_at(rng, box, angle, 0.04 + 0.4 * rng.random(4))
        lit = self._rimmed if rng.random() < self.outlined else self._lit
        return lit(view(struck), rows, rng)

    def _struck(
        self, text: str, face: Face, rows: int, rng: np.random.Generator
    ) -> tuple[Pixels, Box]:
        """How deep each spot is, `(H, W) float32` from 0 to 1, and where the text lies."""
        stretch = self.stretch[0] + (self.stretch[1] - self.stretch[0]) * rng.random()
        space = rows * (self.spacing[0] + (self.spacing[1] - self.spacing[0]) * rng.random())
        scale, pad = rows / CAP, 2 * rows
        glyphs = [glyph(face.path, c) for c in text]
        width = sum(one.advance * scale * stretch + space for one in glyphs)
        shape = (round((ABOVE + CAP + BELOW) * scale) + 2 * pad, round(width) + 2 * pad)
        deep = np.zeros(shape, np.uint8)
        x, top = float(pad), pad
        for one in glyphs:
            if one.ink.shape[1]:
                shift = rows * self.careless * rng.standard_normal(2)
                self._strike(deep, one.ink, x + shift[0], top + shift[1], scale, stretch, rng)
            x += one.advance * scale * stretch + space
        left, _, wide, _ = cv2.boundingRect(deep)
        above = top + ABOVE * scale
        return deep, Box(left, above, left + max(1, wide), above + rows)

    def _strike(
        self,
        deep: Pixels,
        ink: Pixels,
        x: float,
        y: float,
        scale: float,
        stretch: float,
        rng: np.random.Generator,
    ) -> None:
        """One blow, or two."""
        angle = math.radians(self.turned * rng.standard_normal())
        cos, sin = math.cos(angle), math.sin(angle)
        matrix = np.array(
            [[cos * scale * stretch, -sin * scale], [sin * scale * stretch, cos * scale]]
        )
        middle = np.array([ink.shape[1] / 2, ABOVE + CAP / 2])
        target = np.array([x + ink.shape[1] / 2 * scale * stretch, y + (ABOVE + CAP / 2) * scale])
        room = ink.shape[1] * scale * stretch + 0.4 * ink.shape[0] * scale
        left, first = max(0, round(target[0] - room)), max(0, round(y - 0.2 * CAP * scale))
        part = deep[first : round(y + 1.2 * ink.shape[0] * scale), left : round(target[0] + room)]
        if rng.random() < self.uneven:
            slope = 1 - (1 - self.lightest) * (0.5 + 0.5 * gradient(rng, *ink.shape))
            ink = (ink * slope).astype(np.uint8)
        else:
            ink = cv2.convertScaleAbs(ink, alpha=1 - (1 - self.lightest) * rng.random() ** 2)
        for _ in range(1 + (rng.random() < self.doubled)):
            shift = target - matrix @ middle - (left, first)
            moved = np.column_stack([matrix, shift])
            size = (part.shape[1], part.shape[0])
            blow = cv2.warpAffine(ink, moved, size, flags=cv2.INTER_LINEAR)
            np.maximum(part, blow, out=part)
            target = target + 0.09 * CAP * scale * rng.standard_normal(2)

    def _lit(self, deep: Pixels, rows: int, rng: np.random.Generator) -> Pixels:
        """The relief in light from one side, on metal."""
        height, width = deep.shape
        metal = self.metal[0] + (self.metal[1] - self.metal[0]) * rng.random()
        depth = self.depth[0] + (self.depth[1] - self.depth[0]) * rng.random()
        shade = self.shade[0] + (self.shade[1] - self.shade[0]) * rng.random()
        # Relief, or shade, or both: one of them at least has to show the sign.
        shade = max(shade, self.least - depth)
        surface: Pixels = np.full((height, width), metal, np.float32)
        if rng.random() < self.shaded:
            surface += gradient(rng, height, width) * np.float32(40 * rng.random())
        if rng.random() < self.brushed:
            rough = np.float32(max(depth, shade) * self.roughness * (0.2 + 0.8 * rng.random()))
            surface += grain(rng, height, width) * rough
            if rng.random() < self.patched:
                surface += np.clip(grain(rng, height, width), 0.3, 1.5) * (rough * np.float32(1.5))
        reach = self.stroke[0] + (self.stroke[1] - self.stroke[0]) * rng.random()
        soft = cv2.GaussianBlur(deep, (0, 0), max(0.5, rows * reach))
        angle = 2 * math.pi * rng.random()
        step = max(0.6, rows * reach)
        shift = np.array([[1, 0, step * math.cos(angle)], [0, 1, step * math.sin(angle)]])
        moved = cv2.warpAffine(soft, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
        edge = soft.astype(np.float32) - moved
        surface += edge * np.float32(depth / 128) - soft * np.float32(shade / 255)
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)

    def _rimmed(self, deep: Pixels, rows: int, rng: np.random.Generator) -> Pixels:
        """Dark rims and hollow strokes, on metal that was scraped or painted bright."""
        height, width = deep.shape
        metal = 150 + 105 * rng.random()
        surface = np.full((height, width), metal, np.float32)
        dark = 70 + 90 * rng.random()
        surface += grain(rng, height, width) * np.float32(
            dark * self.roughness * 1.4 * rng.random()
        )
        if rng.random() < self.patched:
            worn = np.clip(grain(rng, height, width), -1.5, 1.5)
            surface += worn * np.float32(dark * self.roughness * 1.4 * rng.random())
        np.clip(surface, 0, 255, out=surface)
        side = (
            2 * max(1, round(rows * (self.rim[0] + (self.rim[1] - self.rim[0]) * rng.random()))) + 1
        )
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        rim = cv2.morphologyEx(deep, cv2.MORPH_GRADIENT, disc)
        strokes: Pixels = rim * np.float32(1 / 255) + deep * np.float32(
            (0.1 + 0.6 * rng.random()) / 255
        )
        strokes = cv2.GaussianBlur(np.minimum(strokes, 1), (0, 0), 0.6)
        surface -= strokes * np.float32(dark)
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)
