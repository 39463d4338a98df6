"""Prices on shelves, tags and posters: large figures, small currency signs, raised cents.

Labels: what is there from left to right. A point or comma is in the text only where one is drawn:
`$1299` may be a large 12 with a small raised 99, which reads the same; `$12.99` always has a point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import background, gradient
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Ground
from model.data.render.parts.drawing_view import look_at, random_turn
from model.data.render.parts.glyphs import ABOVE, BELOW, CAP
from model.data.render.parts.print import (
    face_for,
    is_line,
    put,
    random_rows,
    spread_line,
    type_line,
)
from model.data.text import lines
from model.data.text.text_patterns import pick

_PRICE = re.compile(r"(\D*?)(\d[\d,]*?)([.,]?)(\d\d)?([^\d.,].*)?")
_FAMILIES = (
    "anton", "archivo-black", "bebas-neue", "passion-one", "oswald", "rubik", "titan-one",
    "bangers",
    "archivo", "arimo", "liberationsans", "roboto", "montserrat", "poppins", "league-gothic",
    "fjalla-one",
    "barlow-condensed", "barlow", "francois-one", "lilita-one", "luckiest-guy", "paytone-one",
    "russo-one",
    "sigmar-one", "staatliches", "alfa-slab-one", "roboto-slab", "changa-one", "fira-sans", "dosis",
    "liberationsansnarrow", "open-sans", "kanit", "exo-2", "work-sans", "permanent-marker",
    "patrick-hand", "caveat-brush", "kalam", "gochi-hand", "rock-salt", "nunito", "dejavusans",
)  # fmt: skip
_UNITS = (
    "EACH",
    "per kg",
    "SALE",
    "1 LB",
    "500 g",
    "SAVE",
    "Reg. price",
    "Item 40218",
    "price",
    "NEW",
)


@dataclass(frozen=True)
class Style:
    """Draws a price.

    Attributes:
        rows: Height of the figures in the crop, from and to, in pixels.
        raised: Share of prices whose cents are small and high.
        cents: Height of such cents, from and to, in heights of the figures.
        small_sign: Share of prices whose currency sign is small.
        sign: Height of such a sign, from and to, in heights of the figures.
        underlined: Share of raised cents with a line below.
        stretch: Width of letters against the face's own, from and to.
        contrast: Of the figures with the ground, from and to, in gray levels.
        light: Share of figures lighter than the ground.
        boxed: Share of tags with a border.
        shaded: Share of tags in uneven light.
        neighbors: Share of sides, above and below, where other print can be seen.
        turn: Standard deviation of the turn, in degrees.
        most_turn: Nothing is turned further, in degrees.
        backdrop: The ground that is seen around it.
    """

    rows: tuple[float, float] = (11.0, 46.0)
    raised: float = 0.6
    cents: tuple[float, float] = (0.4, 0.66)
    small_sign: float = 0.6
    sign: tuple[float, float] = (0.4, 0.75)
    underlined: float = 0.15
    stretch: tuple[float, float] = (0.8, 1.15)
    contrast: tuple[float, float] = (50.0, 240.0)
    light: float = 0.3
    boxed: float = 0.25
    shaded: float = 0.3
    neighbors: float = 0.35
    turn: float = 3.5
    most_turn: float = 18.0
    backdrop: Ground = field(default_factory=Ground)

    def sample_text(self, rng: np.random.Generator) -> str:
        """A price or an offer."""
        return lines.phrase(rng, "pricetag")

    def covers(self, text: str) -> bool:
        """Whether it is one line of printable ASCII with a figure in it."""
        return is_line(text) and any(c.isdigit() for c in text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the price."""
        face = face_for(text, _FAMILIES, faces, rng)
        rows = random_rows(rng, self.rows, len(text), 10)
        ink = self._set(text, face, rows, rng)
        pad, above = 2 * rows, round(rows * ABOVE / CAP)
        mask = np.zeros((ink.shape[0] + 2 * pad, ink.shape[1] + 2 * pad), np.uint8)
        put(mask, ink, pad, pad)
        box = Box(pad, pad + above, pad + ink.shape[1], pad + above + rows)
        for way in (-1, 1):
            if rng.random() < self.neighbors:
                small = max(4, round(rows * (0.25 + 0.25 * rng.random())))
                other = type_line(face.path, pick(rng, _UNITS), small)
                y = box.bottom + 0.2 * rows if way > 0 else box.top - 1.5 * small
                put(
                    mask,
                    other,
                    round(pad + (ink.shape[1] - other.shape[1]) * rng.random()),
                    round(y),
                )
        if rng.random() < self.boxed:
            gap = rows * (0.2 + 0.5 * rng.random(2))
            corners = (
                (round(box.left - gap[0]), round(box.top - gap[1])),
                (round(box.right + gap[0]), round(box.bottom + gap[1])),
            )
            cv2.rectangle(mask, *corners, 255, max(1, round(0.08 * rows)))
        angle = random_turn(rng, self.turn, self.most_turn)
        view = look_at(rng, box, angle, 0.03 + 0.4 * rng.random(4))
        crop = view(mask)
        contrast = self.contrast[0] + (self.contrast[1] - self.contrast[0]) * rng.random()
        level = (255 - contrast) * rng.random()
        ground = level + contrast
        if rng.random() < self.light:
            level, ground = ground, level
        surface = background(rng, self.backdrop, view.height, view.width, ground, level - ground)
        if rng.random() < self.shaded:
            surface += gradient(rng, view.height, view.width) * np.float32(0.2 * contrast)
        surface += (np.float32(level) - surface) * (crop * np.float32(1 / 255))
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)

    def _set(self, text: str, face: Face, rows: int, rng: np.random.Generator) -> Pixels:
        """The price as it is set, in the geometry of `spread_line`."""
        stretch = self.stretch[0] + (self.stretch[1] - self.stretch[0]) * rng.random()
        found = _PRICE.fullmatch(text)
        if found is None:
            return spread_line(face.path, text, rows, stretch)
        sign, whole, point, cents, rest = (part or "" for part in found.groups())
        if len(sign) > 3 or rng.random() >= self.raised:
            whole, point, cents = whole + point + cents, "", ""
        # (text, rows, whether it stands high)
        parts = [(whole + point, rows, False)]
        if sign:
            low, high = self.sign
            small = rng.random() < self.small_sign
            tall = max(6, round(rows * (low + (high - low) * rng.random()))) if small else rows
            parts.insert(0, (sign, tall, rng.random() < 0.8))
        if cents:
            low, high = self.cents
            parts.append((cents, max(6, round(rows * (low + (high - low) * rng.random()))), True))
        if rest:
            parts.append((rest, rows if rest[0] == "/" else max(6, round(rows * 0.6)), False))
        gap = max(1, round(rows * 0.07))
        above = round(rows * ABOVE / CAP)
        mask = np.zeros(
            (round(rows * (ABOVE + CAP + BELOW) / CAP), 3 * rows * (len(text) + 1)), np.uint8
        )
        x = 0
        for part, tall, up in parts:
            space = round(0.3 * tall)
            ink = spread_line(face.path, part, tall, stretch)
            x += space if part[0] == " " else 0
            put(mask, ink, x, above - round(tall * ABOVE / CAP) + (0 if up else rows - tall))
            if part == cents and tall < rows and rng.random() < self.underlined:
                level = above + tall + max(2, round(0.08 * rows))
                cv2.line(mask, (x, level), (x + ink.shape[1] - 1, level), 255, gap)
            x += ink.shape[1] + gap + (space if part[-1] == " " else 0)
        return mask[:, : x - gap]
