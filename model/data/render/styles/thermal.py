"""Lines of receipts: thermal and needle print, faded, on paper that curls, among other lines.

Labels: however wide the gap between an item and its price is, it is one space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient, texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.drawing_view import look_at, random_turn
from model.data.render.parts.glyphs import ABOVE, BELOW, CAP
from model.data.render.parts.print import face_for, is_line, put, random_rows, type_line
from model.data.text import lines

_MONO = (
    "share-tech-mono", "overpass-mono", "b612-mono", "roboto-mono", "dm-mono", "cousine", "iosevka",
    "liberationmono", "pt-mono", "vt323", "noto-sans-mono", "dejavusansmono", "inconsolata",
    "source-code-pro", "ubuntu-mono", "lekton", "anonymous-pro", "freemono", "victor-mono",
    "fira-code", "cascadia-code", "azeret-mono", "jetbrains-mono", "space-mono", "courier-prime",
    "ibm-plex-mono", "kode-mono",
)  # fmt: skip
_SANS = (
    "arimo", "liberationsans", "liberationsansnarrow", "dejavusans", "dejavusanscondensed",
    "roboto-condensed", "open-sans", "pt-sans-narrow", "archivo-narrow", "freesans", "carlito",
    "noto-sans", "fira-sans", "rajdhani", "share-tech", "ubuntu-condensed",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Draws a line of a receipt.

    Attributes:
        rows: Height of a capital in the crop, from and to, in pixels.
        monospaced: Share of lines in faces whose letters are all as wide.
        stretch: Width of letters against the face's own, from and to.
        double: Share of lines printed twice as wide or twice as high.
        dots: Share of lines that show the dots they are printed of.
        dot_rows: Dots in the height of a capital, from and to.
        gap: Share of lines with a wide gap before their last word if that is a price.
        widest_gap: Width of the widest gap, in heights of a capital.
        faded: Share of lines with stripes or parts that are pale.
        ink: Gray level of fresh print, from and to.
        paper: Gray level of the paper, from and to.
        least_contrast: Ink is never nearer to the paper than this, in gray levels.
        curl: Share of papers shaded and bent as they curl.
        grained: Share of papers with fibers or stains.
        shaded: Share of papers in uneven light.
        neighbors: Share of sides, above and below, where another line can be seen.
        pitch: From line to line, in heights of a capital, from and to.
        turn: Standard deviation of the turn, in degrees.
        slant: Standard deviation of how far letters lean, in their heights.
        most_turn: No line is turned further, in degrees.
    """

    rows: tuple[float, float] = (8.0, 30.0)
    monospaced: float = 0.72
    stretch: tuple[float, float] = (0.72, 1.35)
    double: float = 0.12
    dots: float = 0.3
    dot_rows: tuple[float, float] = (8.0, 17.0)
    gap: float = 0.6
    widest_gap: float = 7.0
    faded: float = 0.55
    ink: tuple[float, float] = (20.0, 130.0)
    paper: tuple[float, float] = (105.0, 252.0)
    least_contrast: float = 45.0
    curl: float = 0.35
    grained: float = 0.5
    shaded: float = 0.5
    neighbors: float = 0.55
    pitch: tuple[float, float] = (1.55, 2.3)
    turn: float = 1.6
    slant: float = 0.025
    most_turn: float = 8.0

    def sample_text(self, rng: np.random.Generator) -> str:
        """An entry, a sum, a date or whatever else a receipt has."""
        return lines.phrase(rng, "receipt")

    def covers(self, text: str) -> bool:
        """Whether it is one line of printable ASCII."""
        return is_line(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the line."""
        families = _MONO if rng.random() < self.monospaced else _SANS
        face = face_for(text, families, faces, rng)
        rows = random_rows(rng, self.rows, len(text), 30)
        ink, stretch = self._ink(text, face, rows, rng)
        height, width = ink.shape
        above = round(rows * ABOVE / CAP)
        pad = rows
        mask = np.zeros((height + 2 * pad, width + 2 * pad), np.uint8)
        put(mask, ink, pad, pad)
        box = Box(pad, pad + above, pad + width, pad + above + rows)
        pitch = rows * (self.pitch[0] + (self.pitch[1] - self.pitch[0]) * rng.random())
        for way in (-1, 1):
            if rng.random() < self.neighbors:
                other = type_line(
                    face.path, self._neighbor(face, rng)[: len(text) + 4], rows, stretch
                )
                x = round(pad + (width - other.shape[1]) * rng.random())
                put(mask, other, x, round(pad + way * pitch))
        # Boxes are cut by people and by detectors: along the letters, or with half a line around.
        loose = 0.05 + 0.3 * rng.random()
        room = loose * (0.4 + 0.9 * rng.random(4)) + (0.0, 0.08, 0.0, 0.18)
        angle = random_turn(rng, self.turn, self.most_turn, width / (9 * rows))
        curled = rng.random() < self.curl
        bend = 0.25 * (rng.random() - 0.5) if curled and width > 4 * rows else 0.0
        view = look_at(rng, box, angle, room, slant=self.slant, tilt=self.slant, bend=bend)
        return self._printed(view(mask), rows, curled, rng)

    def _ink(
        self, text: str, face: Face, rows: int, rng: np.random.Generator
    ) -> tuple[Pixels, float]:
        """The line as the head printed it, and how far it is stretched."""
        stretch = self.stretch[0] + (self.stretch[1] - self.stretch[0]) * rng.random()
        if rng.random() < self.double:
            stretch *= 0.6 if rng.random() < 0.5 else 1.6
        gap = 0
        last = text.rpartition(" ")[2]
        if any(c.isdigit() for c in last) and rng.random() < self.gap:
            gap = round(rows * self.widest_gap * rng.random() ** 2 / stretch)
        if rng.random() >= self.dots:
            return type_line(face.path, text, rows, stretch, gap), stretch
        few, many = self.dot_rows
        raster = round(few + (many - few) * rng.random())
        coarse = type_line(face.path, text, raster, stretch, round(gap * raster / rows))
        _, coarse = cv2.threshold(coarse, 100, 255, cv2.THRESH_BINARY)
        scale = rows / raster
        size = (max(1, round(coarse.shape[1] * scale)), round(rows * (ABOVE + CAP + BELOW) / CAP))
        how = cv2.INTER_NEAREST if scale > 1.6 and rng.random() < 0.5 else cv2.INTER_LINEAR
        ink = cv2.resize(coarse, size, interpolation=how)
        if scale > 1.8:  # the gaps between dots
            step = max(2, round(scale))
            keep = np.float32(0.3 + 0.5 * rng.random())
            ink[::step] = ink[::step] * keep
            if rng.random() < 0.5:
                ink[:, ::step] = ink[:, ::step] * keep
        return ink, stretch

    def _neighbor(self, face: Face, rng: np.random.Generator) -> str:
        """What another line says, in characters that the face has."""
        return "".join(c for c in self.sample_text(rng) if c in face.covers) or "0"

    def _printed(self, ink: Pixels, rows: int, curled: bool, rng: np.random.Generator) -> Pixels:
        """Ink on paper, in the light."""
        height, width = ink.shape
        paper = self.paper[0] + (self.paper[1] - self.paper[0]) * rng.random() ** 0.7
        level = self.ink[0] + (self.ink[1] - self.ink[0]) * rng.random()
        level = min(level, paper - self.least_contrast)
        alpha = ink * np.float32(1 / 255)
        if rng.random() < self.faded:
            alpha *= self._fading(height, width, rows, rng)
        surface: Pixels = np.full((height, width), paper, np.float32)
        if rng.random() < self.grained:
            surface += texture(rng, height, width) * np.float32(1 + 5 * rng.random())
        if rng.random() < self.shaded:
            surface += gradient(rng, height, width) * np.float32(0.15 * paper * rng.random())
        if curled:
            phase = 6.28 * rng.random() + np.linspace(0, 3 * rng.random(), width, dtype=np.float32)
            surface *= 1 + np.float32(0.18 * rng.random()) * np.sin(phase)
        surface += (np.float32(level) - surface) * alpha
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)

    def _fading(self, height: int, width: int, rows: int, rng: np.random.Generator) -> Pixels:
        """How strongly each spot was printed, 0 to 1, `(H, W) float32`."""
        kind = rng.random()
        deep = 0.25 + 0.5 * rng.random()
        if kind < 0.45:  # heads that are worn or dirty leave pale columns
            across = max(3, round(width / (rows * (0.15 + 0.5 * rng.random()))))
            band = rng.random((1, across), dtype=np.float32)
            pale = cv2.resize(band, (width, height), interpolation=cv2.INTER_CUBIC)
            return _pale(pale, deep)
        if kind < 0.6:  # rows, when the paper slips
            across = max(3, round(height / (rows * 0.12)))
            band = rng.random((across, 1), dtype=np.float32)
            pale = cv2.resize(band, (width, height), interpolation=cv2.INTER_LINEAR)
            return _pale(pale, deep)
        if kind < 0.8:
            faded: Pixels = np.clip(1 - deep * 0.7 * (1 + gradient(rng, height, width)), 0.2, 1)
            return faded
        worn: Pixels = np.clip(0.8 + 0.3 * texture(rng, height, width), 0.2, 1)
        return worn


def _pale(pattern: Pixels, deep: float) -> Pixels:
    strength: Pixels = 1 - deep * np.clip(pattern * 2 - 0.8, 0, 1)
    return strength
