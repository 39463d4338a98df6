"""Text on a screen, filmed: the grid of its pixels, and the bands where that meets the camera's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.outline_view import Askew, View, random_margins, random_view
from model.data.render.parts.panel import glare, uneven
from model.data.render.parts.signs import PRINTABLE, full, lettered, plain
from model.data.render.parts.stamped import shown
from model.data.text.text_patterns import below, between, pick

_PARTS = 3  # of a screen's pixel, each way: one for each color
_ROOM = 1.2  # heights of the text that are drawn around it
_ROOMS = ((0.0, 0.15), (0.1, 0.4), (0.1, 0.4), (0.2, 0.9))
_ASKEW = Askew(turn=3.0, shear=0.08, stretch=(0.9, 1.12), tilt=0.12)


@dataclass(frozen=True)
class Style:
    """A line of text on a screen.

    Attributes:
        odd_faces: How often letters are of any face, not of a plain one.
        dark: How often the screen shows bright text on a dark ground.
        grids: How often the camera sees single pixels.
        grid: Range of how dark the room between pixels is, as a share.
        moires: How often there are broad bands besides.
        moire: Range of how strong they are, as a share of the light.
        rollings: How often a part of the screen is caught between two pictures.
        fields: How often the text stands in a box, on a bar, or above a line.
        neighbors: How often a piece of another text is seen.
        glares: How often the screen reflects something.
        glare: Range of how much that hides, as a share.
        uneven: Most change of the light from one end to the other, as a share.
        em: Range of the text's size in the screen's pixels.
        height: Range of the text's height in the crop's pixels.
        contrast: Range between text and ground, in gray levels.
        rooms: Ranges of the room around the text in its heights, one for each kind of box.
        askew: Where the camera stands.
    """

    odd_faces: float = 0.15
    dark: float = 0.4
    grids: float = 0.6
    grid: tuple[float, float] = (0.1, 0.7)
    moires: float = 0.4
    moire: tuple[float, float] = (0.03, 0.2)
    rollings: float = 0.15
    fields: float = 0.3
    neighbors: float = 0.25
    glares: float = 0.25
    glare: tuple[float, float] = (0.05, 0.45)
    uneven: float = 0.35
    em: tuple[float, float] = (10.0, 30.0)
    height: tuple[float, float] = (11.0, 40.0)
    contrast: tuple[float, float] = (60.0, 235.0)
    rooms: tuple[tuple[float, float], ...] = _ROOMS
    askew: Askew = _ASKEW

    def sample_text(self, rng: np.random.Generator) -> str:
        """A word or two of a menu, a number, a file's name."""
        return shown(rng)

    def covers(self, text: str) -> bool:
        """Whether it is printable ASCII."""
        return bool(text.strip()) and PRINTABLE.issuperset(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop of the screen, `(H, W) uint8`.

        Raises:
            CrnnError: If no face is upright and has all of printable ASCII.
        """
        chosen = full(faces) if rng.random() < self.odd_faces else plain(faces)
        face, size = pick(rng, chosen), round(between(rng, self.em))
        tile = lettered(face.path, text, size)
        room = round(_ROOM * tile.shape[0])
        picture = self._screen(rng, tile, room, face, size)
        aspect = tile.shape[1] / tile.shape[0]
        margins = random_margins(rng, *self.rooms)
        height = between(rng, self.height) if rng.random() < 0.7 else 0.8 * self.height[1]
        view = random_view(rng, Box(0, 0, aspect, 1), height, margins, self.askew)
        # A camera that has fewer pixels than the screen has dots sees none of them.
        if rng.random() < self.grids:
            picture = self._grid(rng, picture)
        beyond = room / tile.shape[0]
        surface = view.look(picture, Box(-beyond, -beyond, aspect + beyond, 1 + beyond))
        self._bands(rng, view, surface)
        if rng.random() < self.glares:
            glare(rng, surface, between(rng, self.glare))
        uneven(rng, surface, self.uneven)
        return np.clip(surface, 0, 255).astype(np.uint8)

    def _screen(
        self, rng: np.random.Generator, tile: Pixels, room: int, face: Face, size: int
    ) -> Pixels:
        """What the screen shows, `(h, w) float32`, one value a pixel."""
        contrast = between(rng, self.contrast)
        low = (255 - contrast) * float(rng.random())
        ink, ground = (low + contrast, low) if rng.random() < self.dark else (low, low + contrast)
        high, wide = tile.shape
        picture: Pixels = np.full((high + 2 * room, wide + 2 * room), ground, np.float32)
        if rng.random() < self.fields:
            self._field(rng, picture, room)
        mask: Pixels = np.zeros(picture.shape, np.uint8)
        if rng.random() < self.neighbors:
            other: Pixels = lettered(face.path, shown(rng), size)[:room, : wide + room]
            x = below(rng, 1 + mask.shape[1] - other.shape[1])
            # Next lines are at some distance, so that a crop shows no more than their edges.
            apart = round(0.35 * high)
            if rng.random() < 0.5:
                y = max(0, room - other.shape[0] - apart)
            else:
                y = min(high + room + apart, mask.shape[0] - other.shape[0])
            mask[y : y + other.shape[0], x : x + other.shape[1]] = other
        mask[room : room + high, room : room + wide] = tile
        picture += (np.float32(ink) - picture) * (mask * np.float32(1 / 255))
        return picture

    def _field(self, rng: np.random.Generator, picture: Pixels, room: int) -> None:
        """Draw what text of a program stands in or on, in place."""
        rows, columns = picture.shape
        x, y = (round(room * (0.4 + 0.5 * rng.random())) for _ in range(2))
        level = 255 * float(rng.random())
        kind = rng.random()
        if kind < 0.5:  # an edge all around
            cv2.rectangle(picture, (x, y), (columns - x, rows - y), level, 1)
        elif kind < 0.8:  # a window or a button on something else
            inside = picture[y : rows - y, x : columns - x].copy()
            picture[:] = level
            picture[y : rows - y, x : columns - x] = inside
        else:
            picture[rows - y] = level

    def _grid(self, rng: np.random.Generator, picture: Pixels) -> Pixels:
        """Each of a screen's pixels in its parts, `_PARTS` as large each way."""
        dark = between(rng, self.grid)
        # Of red, green and blue the eye of a gray camera sees green best and blue least.
        column = 1 - dark * np.array([0.5, 0.0, 1.0]) * (0.4 + 0.6 * rng.random())
        row = 1 - dark * np.array([0.0, 0.0, 1.0])
        cell = np.outer(row, column).astype(np.float32)
        rows, columns = picture.shape
        large = picture.repeat(_PARTS, axis=0).repeat(_PARTS, axis=1)
        large *= np.tile(cell / cell.mean(), (rows, columns))
        return large

    def _bands(self, rng: np.random.Generator, view: View, surface: Pixels) -> None:
        """Lay the bands of two grids, or of two pictures in one, over the crop, in place."""
        x = np.arange(view.width, dtype=np.float32)[None]
        y = np.arange(view.height, dtype=np.float32)[:, None]
        if rng.random() < self.moires:
            angle, cycles = 6.28 * rng.random(), 6.28 / (view.height * (0.12 + 0.8 * rng.random()))
            bend = np.float32(0.004 * rng.standard_normal())
            along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
            wave = np.sin((along + bend * x * y) * np.float32(cycles))
            surface *= 1 + wave * np.float32(between(rng, self.moire))
        if rng.random() < self.rollings:
            edge, width = view.height * float(rng.random()), view.height * 0.15
            share = np.clip((y - np.float32(edge)) / np.float32(width), 0, 1)
            surface *= 1 - share * np.float32(0.5 * rng.random())
