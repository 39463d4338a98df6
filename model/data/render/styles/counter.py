"""Mechanical counters of meters: digits on drums, some of them half way to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.data.fonts import Face
from model.data.render.background import texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.drums import Drums, draw_cogs, draw_digit
from model.data.render.parts.outline_view import Askew, random_margins, random_view
from model.data.render.parts.panel import glare, levels, uneven
from model.data.render.parts.signs import full, lettered, plain
from model.data.text import readings
from model.data.text.text_patterns import below, between, listed, pick

_ROOM = 0.7  # heights of the window that are drawn around it
_LEAST = 20  # px; lower windows are drawn this high and shrunk
_DIGITS = frozenset("0123456789")
_PRINT = listed("m3 m3 kWh kWh L GAL Qn 1.5 CLASS B Nr. TYPE x10 x0.1 DN 20 l/h 0.001")
_ROOMS = ((-0.06, 0.05), (-0.06, 0.05), (0.0, 0.2), (0.1, 0.45))
_ASKEW = Askew(turn=2.0, shear=0.1, stretch=(0.9, 1.1), tilt=0.12)


@dataclass(frozen=True)
class Style:
    """A row of drums with a digit each.

    The label of a drum between two digits is that which is seen more of, and mostly the lower one,
    to which it turns.

    Attributes:
        odd_faces: How often digits are of any face, not of one such as drums have.
        bright: How often digits are brighter than the drums.
        framed: How often each drum has a window of its own.
        cogs: How often a drum's cogs are seen beside its digits.
        rolling: How often the last drum is anywhere between two digits.
        carrying: How often each other drum is.
        offset: How far the others are off, one standard deviation, of the way to the next digit.
        aside: How far digits are off sideways, one standard deviation in drums.
        lines: How often there are lines between drums that share a window.
        round: How often drums are seen to be round: darker above and below.
        decimals: How often the last drums have another color.
        commas: How often there is a comma or tick below the window, which is in no label.
        prints: How often there is small print below or above.
        worn: How often digits are worn.
        dirty: How often the glass is dirty.
        glares: How often the glass reflects something.
        glare: Range of how much that hides, as a share.
        uneven: Most change of the light from one end to the other, as a share.
        height: Range of the window's height, in pixels.
        ground: Range of the lighter gray level of drums and digits.
        contrast: Range of what the darker one swallows of the light.
        pitch: Range from drum to drum, in heights of the window, as are all that follow.
        digit: Range of the digits' height.
        apart: Range from digit to digit on a drum, in heights of a digit.
        stretch: Range of the digits' width, of what their face says.
        rooms: Ranges of the room around the window, one for each kind of box.
        askew: Where the camera stands.
    """

    odd_faces: float = 0.2
    bright: float = 0.3
    framed: float = 0.4
    cogs: float = 0.4
    rolling: float = 0.55
    carrying: float = 0.05
    offset: float = 0.05
    aside: float = 0.02
    lines: float = 0.6
    round: float = 0.6
    decimals: float = 0.5
    commas: float = 0.2
    prints: float = 0.15
    worn: float = 0.3
    dirty: float = 0.3
    glares: float = 0.3
    glare: tuple[float, float] = (0.05, 0.6)
    uneven: float = 0.5
    height: tuple[float, float] = (15.0, 48.0)
    ground: tuple[float, float] = (60.0, 245.0)
    contrast: tuple[float, float] = (0.35, 0.92)
    pitch: tuple[float, float] = (0.58, 1.1)
    digit: tuple[float, float] = (0.58, 0.9)
    apart: tuple[float, float] = (1.15, 1.6)
    stretch: tuple[float, float] = (0.7, 1.15)
    rooms: tuple[tuple[float, float], ...] = _ROOMS
    askew: Askew = _ASKEW

    def sample_text(self, rng: np.random.Generator) -> str:
        """Four to nine digits, mostly with zeros before."""
        return readings.counted(rng)

    def covers(self, text: str) -> bool:
        """Whether it is of digits."""
        return bool(text) and _DIGITS.issuperset(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop of the counter, `(H, W) uint8`.

        Raises:
            CrnnError: If no face is upright and has all of printable ASCII.
        """
        chosen = full(faces) if rng.random() < self.odd_faces else plain(faces)
        drums = self._drums(rng)
        window = self._window(text, rng, drums, pick(rng, chosen))
        picture = self._plate(rng, drums, window, faces)
        wide = window.shape[1] / window.shape[0]
        margins = random_margins(rng, *self.rooms)
        view = random_view(rng, Box(0, 0, wide, 1), drums.height, margins, self.askew)
        surface = view.look(picture, Box(-_ROOM, -_ROOM, wide + _ROOM, 1 + _ROOM))
        if rng.random() < self.dirty:
            strength = np.float32(between(rng, (4, 14)))
            surface += texture(rng, view.height, view.width) * strength
        if rng.random() < self.glares:
            glare(rng, surface, between(rng, self.glare))
        uneven(rng, surface, self.uneven)
        return np.clip(surface, 0, 255).astype(np.uint8)

    def _drums(self, rng: np.random.Generator) -> Drums:
        height = between(rng, self.height) if rng.random() < 0.7 else 0.8 * self.height[1]
        ground, ink = levels(rng, self.ground, self.contrast)
        if rng.random() < self.bright:
            ground, ink = ink, ground
        digit, pitch = between(rng, self.digit), between(rng, self.pitch)
        return Drums(
            height=round(height),
            pitch=pitch,
            digit=digit,
            turn=min(max(digit * between(rng, self.apart), 0.85), 1.2),
            wide=pitch * (between(rng, (0.6, 0.9)) if rng.random() < self.framed else 1.0),
            stretch=between(rng, self.stretch),
            ground=ground,
            ink=ink,
        )

    def _window(self, text: str, rng: np.random.Generator, drums: Drums, face: Face) -> Pixels:
        """All drums side by side, flat, `(h, w) float32`, with what is between them."""
        high = max(_LEAST, drums.height)
        pitch = round(drums.pitch * high)
        ink = np.zeros((high, pitch * len(text)), np.uint8)
        last = len(text) - 1
        for at, char in enumerate(text):
            free = rng.random() < (self.rolling if at == last else self.carrying)
            # Of the two digits seen at once, the label is the lower one as long as not much less
            # of it is seen.
            share = between(rng, (-0.34, 0.47)) if free else self.offset * rng.standard_normal()
            aside = pitch * (at + 0.5 + self.aside * float(rng.standard_normal()))
            draw_digit(ink, drums, face, int(char), float(share), aside)
        ground, level = self._colors(rng, drums, len(text))
        surface = np.repeat(ground, pitch)[None].repeat(high, axis=0)
        if rng.random() < self.cogs:
            draw_cogs(rng, surface, drums, pitch)
        on = ink * np.float32(1 / 255)
        if rng.random() < self.worn:
            on *= np.clip(0.85 + np.float32(0.25) * texture(rng, *on.shape), 0, 1)
        surface += (np.repeat(level, pitch) - surface) * on
        if rng.random() < self.round:
            y = np.linspace(-1, 1, high, dtype=np.float32)[:, None]
            shade = np.float32(between(rng, (0.15, 0.75)))
            surface *= 1 - shade * (y - np.float32(0.4 * rng.random() - 0.2)) ** 2
        return surface

    def _colors(self, rng: np.random.Generator, drums: Drums, count: int) -> tuple[Pixels, Pixels]:
        """Gray levels `(count,) float32` of each drum, and of each digit."""
        ground = np.full(count, drums.ground, np.float32)
        level = np.full(count, drums.ink, np.float32)
        if count > 4 and rng.random() < self.decimals:
            red = count - 1 - below(rng, 3)
            middle = (drums.ground + drums.ink) / 2
            kind = rng.random()
            share = np.float32(0.8 * rng.random())
            if kind < 0.5:  # red digits on the same drums
                level[red:] += (middle - level[red:]) * share
            elif kind < 0.85:  # red drums
                ground[red:] += (middle - ground[red:]) * share
            else:
                ground[red:], level[red:] = drums.ink, drums.ground
        ground += 0.04 * (ground - level) * rng.standard_normal(count, dtype=np.float32)
        return ground, level

    def _plate(
        self,
        rng: np.random.Generator,
        drums: Drums,
        window: Pixels,
        faces: Sequence[Face],
    ) -> Pixels:
        """The window in its plate, `(h, w) float32`, `_ROOM` window heights more on each side."""
        high, wide = window.shape
        room, pitch = round(_ROOM * high), round(drums.pitch * high)
        level = np.float32(255 * rng.random())
        picture = np.full((high + 2 * room, wide + 2 * room), level, np.float32)
        self._print(rng, picture, room, pitch, faces)
        inside = picture[room : room + high, room : room + wide]
        inside[:] = window
        shade, edge = np.float32(level * rng.random()), max(1, round(0.05 * high))
        if drums.wide < drums.pitch:
            left = (pitch - round(drums.wide * high)) // 2
            for x in range(0, wide, pitch):
                inside[:, x : x + left] = level
                inside[:, x + pitch - left : x + pitch] = level
                if shade < 0.8 * level:  # the plate is thick: it throws a shadow
                    inside[:, x + left : x + left + edge] *= np.float32(0.5)
        elif rng.random() < self.lines:
            thick = max(1, round(between(rng, (0.02, 0.1)) * high))
            for x in range(0, wide + 1, pitch):
                inside[:, max(0, x - thick // 2) : x + thick - thick // 2] = shade
        inside[:edge] *= np.float32(between(rng, (0.4, 1.0)))
        return picture

    def _print(
        self,
        rng: np.random.Generator,
        picture: Pixels,
        room: int,
        pitch: int,
        faces: Sequence[Face],
    ) -> None:
        """Print on the plate: a comma below the window, or words above or below it, in place."""
        rows, columns = picture.shape
        ink = np.float32(255.0 if picture[0, 0] < 128 else 0.0)
        if rng.random() < self.commas:
            side = max(2, round(0.12 * (rows - 2 * room)))
            x = room + pitch * (1 + below(rng, 1 + (columns - 2 * room) // pitch)) - side
            low = rows - room + 1
            picture[low : low + side, max(0, x) : x + side] = ink
            picture[low + side : low + side + side // 2, max(0, x) : x + side // 2] = ink
        if rng.random() < self.prints:
            size = 4 * max(2, round(between(rng, (0.06, 0.12)) * (rows - 2 * room)))
            path = pick(rng, plain(faces)).path
            tile = lettered(path, pick(rng, _PRINT), size)[:room, : columns // 2]
            high, wide = tile.shape
            y = (room - high) // 2 if rng.random() < 0.5 else rows - room + (room - high) // 2
            x = below(rng, columns - wide)
            piece = picture[y : y + high, x : x + wide]
            piece += (ink - piece) * (tile * np.float32(1 / 255))
