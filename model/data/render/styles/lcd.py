"""Liquid crystal displays: dark or bright segments behind glass, with what else the glass shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient, texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.dots import dot_line
from model.data.render.parts.outline_view import Askew, Margins, View, random_margins, random_view
from model.data.render.parts.panel import glare, levels, rim, uneven
from model.data.render.parts.segments import FOURTEEN, MARKS, SEVEN, Form, Line, segment_line
from model.data.render.parts.signs import PRINTABLE, SIGNS, drawn, lettered, plain
from model.data.text import readings
from model.data.text.text_patterns import below, between, listed, pick

_SEVEN, _FOURTEEN = frozenset(SEVEN) | set(MARKS), frozenset(FOURTEEN) | set(MARKS)
_UNITS = listed("kWh kWh kWh kW V A C F m3 MWh kvarh Hz L1 T1 T2 L PSI bar % mA h ppm kg")
_NOTES = listed("AUTO HOLD MAX MIN T1 T2 L1 L2 L3 DC AC BATT SET OUT IN AM PM LITRES TOTAL")
_ROOMS = ((-0.02, 0.08), (0.03, 0.22), (0.03, 0.22), (0.1, 0.5))
_ASKEW = Askew(turn=2.5, shear=0.1, stretch=(0.8, 1.2), tilt=0.15)


@dataclass(frozen=True)
class Style:
    """A line of a liquid crystal display.

    Attributes:
        fourteen: How often digits have fourteen segments.
        dots: How often characters are of dots; what segments cannot write always is.
        bright: How often segments are brighter than their ground.
        ghosts: How often segments that are off are seen.
        ghost: Range of their darkness, as a share of the others'.
        shadows: How often segments throw a shadow onto the ground behind the crystal.
        marks: How often a unit stands to the right.
        notes: How often small print stands above or below.
        blanks: How often there are cells that are off to the left.
        rims: How often the window's rim is seen.
        glares: How often the glass reflects something.
        glare: Range of how much that hides, as a share.
        grains: How often the ground is not even.
        fadings: How often a part of the segments is paler than the rest.
        uneven: Most change of the light from one end to the other, as a share.
        others: How often each of 6, 7 and 9 has its other form.
        small: How often the digits after the point are smaller.
        parallax: Most that shadows are off, in heights of the crop.
        height: Range of the digits' height, in pixels.
        ground: Range of the ground's gray level.
        contrast: Range of what dark segments swallow of the light.
        aspect: Range of the digits' width, in their height, as are all that follow.
        thick: Range of the segments' thickness.
        gap: Range of half the room between segments.
        space: Range of the room between digits.
        slant: Most that digits lean; half of the displays have upright ones.
        point: Range of a point's size.
        rooms: Ranges of the room around digits, one for each kind of box.
        off_center: How often much more of the window is seen at one end.
        askew: Where the camera stands.
    """

    fourteen: float = 0.05
    dots: float = 0.05
    bright: float = 0.1
    ghosts: float = 0.5
    ghost: tuple[float, float] = (0.03, 0.25)
    shadows: float = 0.4
    marks: float = 0.35
    notes: float = 0.25
    blanks: float = 0.3
    rims: float = 0.3
    glares: float = 0.3
    glare: tuple[float, float] = (0.05, 0.55)
    grains: float = 0.4
    fadings: float = 0.35
    uneven: float = 0.45
    others: float = 0.12
    small: float = 0.1
    parallax: float = 0.07
    height: tuple[float, float] = (10.0, 46.0)
    ground: tuple[float, float] = (35.0, 245.0)
    contrast: tuple[float, float] = (0.22, 0.92)
    aspect: tuple[float, float] = (0.42, 0.68)
    thick: tuple[float, float] = (0.07, 0.19)
    gap: tuple[float, float] = (0.0, 0.03)
    space: tuple[float, float] = (0.12, 0.42)
    slant: float = 0.2
    point: tuple[float, float] = (0.08, 0.18)
    rooms: tuple[tuple[float, float], ...] = _ROOMS
    off_center: float = 0.2
    askew: Askew = _ASKEW

    def sample_text(self, rng: np.random.Generator) -> str:
        """A reading, mostly with decimals."""
        return readings.reading(rng)

    def covers(self, text: str) -> bool:
        """Whether it is printable ASCII: what segments cannot write, dots can."""
        return bool(text.strip()) and PRINTABLE.issuperset(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop of the display, `(H, W) uint8`."""
        line = self._line(text, rng)
        box = Box(line.left, 0.0, max(line.right, line.left + 0.2), 1.0)
        margins = self._margins(rng)
        height = between(rng, self.height) if rng.random() < 0.7 else 0.8 * self.height[1]
        view = random_view(rng, box, height, margins, self.askew)
        surface, ink = self._surface(rng, view)
        mask = view.mask()
        if rng.random() < self.ghosts:
            view.fill(mask, line.dark, round(255 * between(rng, self.ghost)))
        view.fill(mask, line.lit)
        if faces:
            self._beside(rng, view, mask, box, margins, faces)
        self._print(rng, view, surface, mask, ink)
        if rng.random() < self.rims:
            room = [max(0.08, m * between(rng, (0.3, 1.0))) for m in margins]
            left, top, right, bottom = room
            rim(rng, view, surface, Box(box.left - left, -top, box.right + right, 1 + bottom))
        if rng.random() < self.glares:
            glare(rng, surface, between(rng, self.glare))
        uneven(rng, surface, self.uneven)
        return np.clip(surface, 0, 255).astype(np.uint8)

    def _form(self, rng: np.random.Generator) -> Form:
        """What the display's digits look like."""
        aspect = between(rng, self.aspect)
        # Points stand close between digits, apart from them, or take a cell of their own.
        apart = rng.random()
        return Form(
            aspect=aspect,
            thick=min(between(rng, self.thick), 0.3 * aspect),
            gap=between(rng, self.gap),
            chamfer=float(rng.random()) if rng.random() < 0.6 else 0.0,
            slant=0.0 if rng.random() < 0.5 else self.slant * float(rng.random()),
            space=between(rng, self.space),
            point=between(rng, self.point),
            room=-1.0 if apart < 0.08 else 0.0 if apart < 0.4 else 0.15 * float(rng.random()),
            round=bool(rng.random() < 0.4),
            others="".join(digit for digit in "679" if rng.random() < self.others),
            small=between(rng, (0.6, 0.85)) if rng.random() < self.small else 1.0,
            rise=float(rng.random() < 0.3),
        )

    def _line(self, text: str, rng: np.random.Generator) -> Line:
        """The text laid out, in segments if these can write it."""
        chance, form = rng.random(), self._form(rng)
        seven, fourteen = _SEVEN.issuperset(text), _FOURTEEN.issuperset(text)
        if chance < self.dots or not (seven or fourteen):
            fill, aspect = between(rng, (0.75, 1.0)), between(rng, (0.75, 1.05))
            return dot_line(text, fill, aspect, cells=bool(rng.random() < 0.7))
        if fourteen and (not seven or chance < self.dots + self.fourteen):
            form = replace(form, fourteen=True, thick=min(form.thick, 0.11))
        before = 1 + below(rng, 3) if rng.random() < self.blanks else 0
        return segment_line(text, form, before)

    def _margins(self, rng: np.random.Generator) -> Margins:
        """Room around the digits; some boxes are of the whole window, with digits at one end."""
        left, top, right, bottom = random_margins(rng, *self.rooms)
        wide = rng.random()
        if wide < self.off_center:
            left += 1.8 * float(rng.random())
        elif wide < 1.75 * self.off_center:
            right += 0.8 * float(rng.random())
        return left, top, right, bottom

    def _surface(self, rng: np.random.Generator, view: View) -> tuple[Pixels, float]:
        """The ground, `(H, W) float32`, and the segments' gray level."""
        ground, ink = levels(rng, self.ground, self.contrast)
        if rng.random() < self.bright:
            ground, ink = ink * 0.6, ground
        surface = np.full((view.height, view.width), ground, np.float32)
        if rng.random() < self.grains:
            strength = np.float32(0.12 * abs(ground - ink) * rng.random())
            surface += texture(rng, view.height, view.width) * strength
        return surface, ink

    def _print(
        self, rng: np.random.Generator, view: View, surface: Pixels, mask: Pixels, ink: float
    ) -> None:
        """Lay the crystal's picture and its shadow over the ground, in place."""
        on = view.coverage(mask)
        if rng.random() < self.fadings:
            # Seen from aside, a part of the crystal turns less dark.
            fade = np.float32(0.5 * rng.random())
            on *= 1 - fade + fade * gradient(rng, view.height, view.width)
            np.clip(on, 0, 1, out=on)
        if rng.random() < self.shadows:
            dx, dy = (2 * rng.random(2) - 1) * self.parallax * view.height
            shift = np.array([[1, 0, dx], [0, 1, abs(dy)]], np.float32)
            cast = cv2.warpAffine(on, shift, (view.width, view.height))
            cast = cv2.blur(cast, (3, 3)) * np.float32(0.1 + 0.35 * rng.random())
            surface += (np.float32(min(ink, surface[0, 0])) - surface) * cast
        surface += (np.float32(ink) - surface) * on

    def _beside(
        self,
        rng: np.random.Generator,
        view: View,
        mask: Pixels,
        box: Box,
        margins: Margins,
        faces: Sequence[Face],
    ) -> None:
        """Draw units, notes and signs of the display around the reading, in place."""
        if rng.random() < self.marks:
            high = between(rng, (0.22, 0.5))
            tile = self._tile(rng, high, view, faces, _UNITS)
            wide = high * tile.shape[1] / tile.shape[0]
            left = box.right + max(0.1, margins[2] - wide * between(rng, (0.15, 1.1)))
            top = (1 - high) * float(rng.random())
            view.place(mask, tile, Box(left, top, left + wide, top + high))
        for above in (True, False):
            if rng.random() > self.notes:
                continue
            high = between(rng, (0.15, 0.3))
            tile = self._tile(rng, high, view, faces, _NOTES)
            wide = high * tile.shape[1] / tile.shape[0]
            left = box.left + (box.width - wide) * float(rng.random())
            room = max(0.06, (margins[1] if above else margins[3]) - high * float(rng.random()))
            top = -room - high if above else 1 + room
            view.place(mask, tile, Box(left, top, left + wide, top + high))

    def _tile(
        self,
        rng: np.random.Generator,
        high: float,
        view: View,
        faces: Sequence[Face],
        texts: Sequence[str],
    ) -> Pixels:
        """A text or sign, drawn at about the size that it will have."""
        size = 4 * max(2, round(high * view.height * view.zoom * 0.3))
        if rng.random() < 0.25:
            return drawn(below(rng, SIGNS), size)
        return lettered(pick(rng, plain(faces)).path, pick(rng, texts), size)
