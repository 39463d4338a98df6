"""Displays that shine: segments of LEDs, and boards of lamps, with the halo that cameras see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.dots import pattern
from model.data.render.parts.outline_view import Askew, View, random_margins, random_view
from model.data.render.parts.panel import glare, rim, uneven
from model.data.render.parts.segments import MARKS, SEVEN, Form, segment_line
from model.data.render.parts.signs import PRINTABLE
from model.data.text import readings
from model.data.text.text_patterns import below, between

_SEVEN = frozenset(SEVEN) | set(MARKS)
_ROOMS = ((0.0, 0.12), (0.05, 0.3), (0.05, 0.3), (0.15, 0.6))
_ASKEW = Askew(turn=4.0, shear=0.15, stretch=(0.8, 1.2), tilt=0.15)


@dataclass(frozen=True)
class Style:
    """A line of a display that shines.

    Attributes:
        lamps: How often the display is a board of lamps; what segments cannot write always is.
        ghosts: How often segments that are off are seen.
        ghost: Range of how bright these are, as a share of the others.
        blanks: How often there are digits that are off to the left.
        halo: Range of the halo's reach, in heights of a digit.
        haze: Range of the halo's brightness, as a share of the light's.
        burnt: Range of how many times a lit segment outshines what the camera can tell.
        flickers: How often a part of the display is dimmer, caught between two pulses.
        rims: How often the window's rim is seen.
        glares: How often the glass reflects something.
        glare: Range of how much that hides, as a share.
        uneven: Most change of the light from one end to the other, as a share.
        height: Range of the digits' height, in pixels.
        ground: Range of the ground's gray level.
        light: Range of what lit segments add to it.
        aspect: Range of the digits' width, in their height, as are all that follow.
        thick: Range of the segments' thickness.
        gap: Range of half the room between segments.
        space: Range of the room between digits.
        slant: Most that digits lean.
        point: Range of a point's size.
        rooms: Ranges of the room around digits, one for each kind of box.
        lamp: Range of a lamp's radius, as a share of half its room.
        lamp_aspect: Range of a lamp's room's width, in its height.
        askew: Where the camera stands.
    """

    lamps: float = 0.2
    ghosts: float = 0.5
    ghost: tuple[float, float] = (0.02, 0.22)
    blanks: float = 0.2
    halo: tuple[float, float] = (0.03, 0.25)
    haze: tuple[float, float] = (0.1, 0.8)
    burnt: tuple[float, float] = (1.0, 1.8)
    flickers: float = 0.25
    rims: float = 0.2
    glares: float = 0.3
    glare: tuple[float, float] = (0.05, 0.3)
    uneven: float = 0.4
    height: tuple[float, float] = (10.0, 44.0)
    ground: tuple[float, float] = (4.0, 90.0)
    light: tuple[float, float] = (50.0, 235.0)
    aspect: tuple[float, float] = (0.44, 0.68)
    thick: tuple[float, float] = (0.06, 0.17)
    gap: tuple[float, float] = (0.0, 0.035)
    space: tuple[float, float] = (0.14, 0.45)
    slant: float = 0.22
    point: tuple[float, float] = (0.08, 0.17)
    rooms: tuple[tuple[float, float], ...] = _ROOMS
    lamp: tuple[float, float] = (0.6, 1.1)
    lamp_aspect: tuple[float, float] = (0.8, 1.1)
    askew: Askew = _ASKEW

    def sample_text(self, rng: np.random.Generator) -> str:
        """A reading, or what a board announces."""
        return readings.announced(rng) if rng.random() < 0.2 else readings.reading(rng)

    def covers(self, text: str) -> bool:
        """Whether it is printable ASCII: what segments cannot write, lamps can."""
        return bool(text.strip()) and PRINTABLE.issuperset(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop of the display, `(H, W) uint8`; needs no faces."""
        boards = not _SEVEN.issuperset(text) or rng.random() < self.lamps
        on, view, box = self._board(text, rng) if boards else self._segments(text, rng)
        surface = np.full((view.height, view.width), between(rng, self.ground), np.float32)
        uneven(rng, surface, self.uneven)
        if rng.random() < self.flickers:
            on = on * (0.6 + 0.4 * gradient(rng, view.height, view.width))
        light = np.float32(between(rng, self.light))
        size = max(3, round(view.height * between(rng, self.halo)) | 1)
        haze = np.float32(between(rng, self.haze))
        # Two boxes make a halo of the right shape, and cost less than a bell curve.
        halo = cv2.blur(cv2.blur(on, (size, size)), (size, size)) * haze
        surface += light * (np.minimum(on * np.float32(between(rng, self.burnt)), 1) + halo)
        if rng.random() < self.rims:
            room = 0.15 + 0.4 * rng.random(4)
            around = Box(box.left - room[0], -room[1], box.right + room[2], 1 + room[3])
            rim(rng, view, surface, around)
        if rng.random() < self.glares:
            glare(rng, surface, between(rng, self.glare))
        return np.clip(surface, 0, 255).astype(np.uint8)

    def _segments(self, text: str, rng: np.random.Generator) -> tuple[Pixels, View, Box]:
        """How much each pixel shines `(H, W) float32`, the view, and the text's box."""
        aspect = between(rng, self.aspect)
        form = Form(
            aspect=aspect,
            thick=min(between(rng, self.thick), 0.3 * aspect),
            gap=between(rng, self.gap),
            chamfer=float(rng.random()),
            slant=self.slant * float(rng.random()) if rng.random() < 0.75 else 0.0,
            space=between(rng, self.space),
            point=between(rng, self.point),
            room=0.0 if rng.random() < 0.6 else 0.15 * float(rng.random()),
            round=bool(rng.random() < 0.7),
        )
        line = segment_line(text, form, 1 + below(rng, 2) if rng.random() < self.blanks else 0)
        box = Box(line.left, 0.0, max(line.right, line.left + 0.2), 1.0)
        view = self._view(rng, box)
        mask = view.mask()
        if rng.random() < self.ghosts:
            view.fill(mask, line.dark, round(255 * between(rng, self.ghost)))
        view.fill(mask, line.lit)
        return view.coverage(mask), view, box

    def _board(self, text: str, rng: np.random.Generator) -> tuple[Pixels, View, Box]:
        """The same of a board of lamps."""
        lit = pattern(text, proportional=bool(rng.random() < 0.6))[: 8 if _low(text) else 7]
        rows, columns = lit.shape
        box = Box(0.0, 0.0, columns * between(rng, self.lamp_aspect) / rows, 1.0)
        view = self._view(rng, box)
        cell = max(3, round(view.height * view.zoom / rows))
        lamp = np.zeros((cell, cell), np.uint8)
        radius = round(8 * cell * between(rng, self.lamp))
        middle = (8 * cell - 8, 8 * cell - 8)
        cv2.circle(lamp, middle, radius, 255, -1, cv2.LINE_AA, 4)
        ghost = between(rng, self.ghost) if rng.random() < self.ghosts else 0.0
        tile = np.kron(np.where(lit, 255, round(255 * ghost)).astype(np.float32) / 255, lamp)
        mask = view.mask()
        view.place(mask, tile.astype(np.uint8), box)
        return view.coverage(mask), view, box

    def _view(self, rng: np.random.Generator, box: Box) -> View:
        height = between(rng, self.height) if rng.random() < 0.7 else 0.8 * self.height[1]
        return random_view(rng, box, height, random_margins(rng, *self.rooms), self.askew)


def _low(text: str) -> bool:
    """Whether a text has descenders."""
    return not set("gjpqy,;_").isdisjoint(text)
