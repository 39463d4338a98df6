"""Printed labels: markers of wires and terminals, sleeves, stickers on devices and shelves.

Labels: as printed; letters that are set wide apart have no spaces between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import background, gradient, texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Ground
from model.data.render.parts.drawing_view import look_at, random_turn
from model.data.render.parts.glyphs import ABOVE, CAP
from model.data.render.parts.print import face_for, is_line, put, random_rows, spread_line
from model.data.text import lines

_FAMILIES = (
    "arimo", "liberationsans", "liberationsansnarrow", "dejavusans", "dejavusanscondensed",
    "roboto-condensed", "roboto", "barlow", "barlow-condensed", "barlow-semi-condensed", "overpass",
    "pt-sans-narrow", "archivo-narrow", "archivo", "freesans", "noto-sans", "fira-sans-condensed",
    "ubuntu-condensed", "ibm-plex-sans-condensed", "share-tech", "saira-condensed", "oswald",
    "encode-sans-condensed", "public-sans", "titillium-web", "rajdhani", "dosis", "monda", "abel",
    "share-tech-mono", "overpass-mono", "roboto-mono", "b612-mono", "liberationmono", "cousine",
    "vt323", "pt-mono", "iosevka", "bai-jamjuree", "chakra-petch", "asap-condensed",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Draws a code or a few words on a label.

    Attributes:
        markers: Share of sampled texts that are codes of wires and terminals.
        rows: Height of a capital in the crop, from and to, in pixels.
        stretch: Width of letters against the face's own, from and to.
        tracked: Share of texts whose letters are set apart.
        widest_tracking: The most room between letters, in heights of a capital.
        sleeve: Share of labels around a wire: shaded as cylinders are.
        dark: Share of labels with light letters on a dark ground.
        ink: Gray level of dark print, from and to.
        ground: Gray level of a light label, from and to.
        least_contrast: Print never differs less from the ground, in gray levels.
        tight: Share of crops that touch the letters or cut their tops and bottoms.
        deepest_cut: The most that is cut off at one side, in heights of a capital.
        loose: Share of crops that show the label's edges and what is around.
        boxed: Share of labels with a box or rules around the text.
        neighbors: Share of sides, above and below, where another text can be seen.
        blotched: Share of prints that are uneven.
        grained: Share of labels with grain or dirt.
        shaded: Share of labels in uneven light.
        glossy: Share of sleeves with a streak of light.
        turn: Standard deviation of the turn, in degrees.
        slant: Standard deviation of the slant, in widths over heights.
        most_turn: No label is turned further, in degrees.
        bend: The most that a sleeve's text sags or bulges, in heights of a capital.
        backdrop: The ground that is seen around it.
    """

    markers: float = 0.7
    rows: tuple[float, float] = (9.0, 42.0)
    stretch: tuple[float, float] = (0.75, 1.4)
    tracked: float = 0.35
    widest_tracking: float = 0.45
    sleeve: float = 0.45
    dark: float = 0.12
    ink: tuple[float, float] = (5.0, 95.0)
    ground: tuple[float, float] = (115.0, 252.0)
    least_contrast: float = 50.0
    tight: float = 0.4
    deepest_cut: float = 0.2
    loose: float = 0.2
    boxed: float = 0.2
    neighbors: float = 0.15
    blotched: float = 0.4
    grained: float = 0.4
    shaded: float = 0.5
    glossy: float = 0.35
    turn: float = 3.0
    slant: float = 0.12
    most_turn: float = 14.0
    bend: float = 0.2
    backdrop: Ground = field(default_factory=Ground)

    def sample_text(self, rng: np.random.Generator) -> str:
        """A code of a wire or terminal, or what else labels say."""
        return lines.phrase(rng, "marker" if rng.random() < self.markers else "sticker")

    def covers(self, text: str) -> bool:
        """Whether it is one line of printable ASCII."""
        return is_line(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the text."""
        face = face_for(text, _FAMILIES, faces, rng)
        rows = random_rows(rng, self.rows, len(text), 12)
        stretch = self.stretch[0] + (self.stretch[1] - self.stretch[0]) * rng.random()
        tracking = 0.0
        if rng.random() < self.tracked:
            tracking = rows * self.widest_tracking * rng.random()
        ink = spread_line(face.path, text, rows, stretch, tracking)
        sleeve = rng.random() < self.sleeve
        planes, box = self._label(ink, text, face, rows, rng)
        cut = rng.random()
        if cut < self.tight:
            room = 0.14 * rng.random(4) - (
                0.04,
                self.deepest_cut,
                0.04,
                self.deepest_cut,
            ) * rng.random(4)
        elif cut < self.tight + self.loose:
            room = 0.2 + 0.7 * rng.random(4)
        else:
            room = 0.05 + 0.3 * rng.random(4)
        angle = random_turn(rng, self.turn, self.most_turn, box.width / (6 * rows))
        bend = self.bend * (2 * rng.random() - 1) if sleeve and box.width > 2 * rows else 0.0
        view = look_at(rng, box, angle, room, slant=self.slant, bend=bend)
        crop = view(planes)
        return self._printed(crop, sleeve, rng)

    def _label(
        self, ink: Pixels, text: str, face: Face, rows: int, rng: np.random.Generator
    ) -> tuple[Pixels, Box]:
        """Planes `(H, W, 2) uint8` of print and of the label's shape, and the text's box."""
        above = round(rows * ABOVE / CAP)
        # Descenders and low marks belong to the text, blank rows around it do not.
        used = np.flatnonzero(ink.max(axis=1))
        first, last = min(int(used[0]), above), max(int(used[-1]) + 1, above + rows)
        if not any(c.isalnum() for c in text):
            first, last = above, above + rows
        pad = 2 * rows
        shape = (ink.shape[0] + 2 * pad, ink.shape[1] + 2 * pad)
        mask = np.zeros(shape, np.uint8)
        put(mask, ink, pad, pad)
        box = Box(pad, pad + first, pad + ink.shape[1], pad + last)
        for way in (-1, 1):
            if rng.random() < self.neighbors:
                other = "".join(c for c in self.sample_text(rng) if c in face.covers) or "0"
                again = spread_line(face.path, other, rows)
                y = pad + way * rows * (1.5 + 0.6 * rng.random())
                put(mask, again, round(pad + ink.shape[1] * (rng.random() - 0.4)), round(y))
        gap = 0.15 * rows + rows * 0.7 * rng.random(4)
        corners = (
            (round(box.left - gap[0]), round(box.top - gap[1])),
            (round(box.right + gap[2]), round(box.bottom + gap[3])),
        )
        if rng.random() < self.boxed:
            thick = max(1, round(rows * 0.1 * rng.random()))
            if rng.random() < 0.6:
                cv2.rectangle(mask, *corners, 255, thick)
            else:
                y = corners[int(rng.random() * 2)][1]
                cv2.line(mask, (0, y), (shape[1], y), 255, thick)
        board = np.zeros(shape, np.uint8)
        edge = round(0.5 * rows * rng.random()) + 1
        (left, top), (right, bottom) = corners
        cv2.rectangle(board, (left - edge, top - edge), (right + edge, bottom + edge), 255, -1)
        return cv2.merge((mask, board)), box

    def _printed(self, crop: Pixels, sleeve: bool, rng: np.random.Generator) -> Pixels:
        """Print on the label, the label on what is behind, in the light."""
        height, width = crop.shape[:2]
        ground = self.ground[0] + (self.ground[1] - self.ground[0]) * rng.random() ** 0.8
        level = self.ink[0] + (self.ink[1] - self.ink[0]) * rng.random()
        level = min(level, ground - self.least_contrast)
        if rng.random() < self.dark:
            ground, level = 12 + 60 * rng.random(), 165 + 88 * rng.random()
        alpha = crop[..., 0] * np.float32(1 / 255)
        if rng.random() < self.blotched:
            alpha *= np.clip(0.85 + 0.25 * rng.random() * texture(rng, height, width), 0.25, 1)
        surface: Pixels = np.full((height, width), ground, np.float32)
        if rng.random() < self.shaded:
            surface += gradient(rng, height, width) * np.float32(0.2 * ground * rng.random())
        if rng.random() < self.grained:
            surface += texture(rng, height, width) * np.float32(1 + 5 * rng.random())
        surface += (np.float32(level) - surface) * alpha
        if sleeve:
            surface = _rounded(surface, rng.random() < self.glossy, rng)
        board = crop[..., 1]
        if board.min() < 255:
            around = background(
                rng, self.backdrop, height, width, 255 * rng.random(), 90 * rng.random()
            )
            around += (surface - around) * (board * np.float32(1 / 255))
            surface = around
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)


def _rounded(surface: Pixels, glossy: bool, rng: np.random.Generator) -> Pixels:
    """Light on a cylinder that lies along the text: dim at its edges, perhaps a streak of gloss."""
    height = surface.shape[0]
    middle = 0.5 + 0.25 * (rng.random() - 0.5)
    y = np.linspace(0, 1, height, dtype=np.float32) - np.float32(middle)
    light = 1.05 - np.float32(0.5 + 1.6 * rng.random()) * y * y
    shaded: Pixels = surface * light[:, None]
    if glossy:
        at, wide = np.float32(0.7 * (rng.random() - 0.5)), np.float32(0.03 + 0.1 * rng.random())
        gloss = np.exp(-(((y - at) / wide) ** 2)) * np.float32(20 + 80 * rng.random())
        shaded += gloss[:, None]
    return shaded
