"""Dates and lots on packages, as ink jets print them: drops in rows, none quite in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from model.data.fonts import Face
from model.data.render.background import background, draw_distractors
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Ground
from model.data.render.parts.dots import pattern
from model.data.render.parts.outline_view import Askew, View, random_margins, random_view
from model.data.render.parts.panel import glare, levels, uneven
from model.data.render.parts.signs import PRINTABLE, lettered, plain
from model.data.render.parts.stamped import stamped
from model.data.text.text_patterns import between, pick

_DARK = 80  # coverage of a drop's room by a letter from which there is a drop
_LIGHTEST, _BOLDEST = 0.14, 0.5  # shares of drops that a face may have: else strokes break or merge
_ROOMS = ((0.0, 0.12), (0.05, 0.3), (0.1, 0.6))
_ASKEW = Askew(turn=3.0, shear=0.2, stretch=(0.75, 1.2), tilt=0.1)


@dataclass(frozen=True)
class Style:
    """A line of drops on a package.

    Attributes:
        faces: How often letters are those of a face, of more drops than the usual 5 by 7.
        rows: Range of the rows of drops that such letters have.
        jitter: Range of how far drops are off, one standard deviation in the room of a drop.
        drop: Range of a drop's radius, in the room of one.
        missing: Most drops that are missing, as a share.
        paler: Most that a drop is paler than the next, as a share.
        wave: Most that the line goes up and down, in its heights.
        narrow: Range of a drop's room's width, in its height.
        bright: How often ink is brighter than the package.
        neighbors: How often a piece of another line is seen above or below.
        edges: How often edges of the package are seen.
        glares: How often the package shines.
        glare: Range of how much that hides, as a share.
        uneven: Most change of the light from one end to the other, as a share.
        height: Range of the letters' height, in pixels.
        ground: Range of the lighter gray level of package and ink.
        contrast: Range of what the darker one swallows of the light.
        rooms: Ranges of the room around the line in its heights, one for each kind of box.
        askew: Where the camera stands.
        backdrop: The ground that is seen around it.
    """

    faces: float = 0.35
    rows: tuple[float, float] = (11.0, 18.0)
    jitter: tuple[float, float] = (0.02, 0.16)
    drop: tuple[float, float] = (0.38, 0.72)
    missing: float = 0.03
    paler: float = 0.5
    wave: float = 0.12
    narrow: tuple[float, float] = (0.6, 1.0)
    bright: float = 0.2
    neighbors: float = 0.25
    edges: float = 0.3
    glares: float = 0.25
    glare: tuple[float, float] = (0.05, 0.5)
    uneven: float = 0.4
    height: tuple[float, float] = (11.0, 42.0)
    ground: tuple[float, float] = (70.0, 250.0)
    contrast: tuple[float, float] = (0.3, 0.92)
    rooms: tuple[tuple[float, float], ...] = _ROOMS
    askew: Askew = _ASKEW
    backdrop: Ground = field(default_factory=Ground)

    def sample_text(self, rng: np.random.Generator) -> str:
        """A date, a lot, a time."""
        return stamped(rng)

    def covers(self, text: str) -> bool:
        """Whether it is printable ASCII."""
        return bool(text.strip()) and PRINTABLE.issuperset(text)

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop of the package, `(H, W) uint8`."""
        lit = self._lit(text, rng, faces)
        pitch, across = 1 / lit.shape[0], between(rng, self.narrow) / lit.shape[0]
        box = Box(0.0, 0.0, lit.shape[1] * across, 1.0)
        margins = random_margins(rng, *self.rooms)
        height = between(rng, self.height) if rng.random() < 0.7 else 0.8 * self.height[1]
        view = random_view(rng, box, height, margins, self.askew)
        ground, ink = levels(rng, self.ground, self.contrast)
        if rng.random() < self.bright:
            ground, ink = ink, ground
        surface = background(rng, self.backdrop, view.height, view.width, ground, ink - ground)
        if rng.random() < self.edges:
            left, top, right, bottom = (margin * height for margin in margins)
            inner = Box(left, top, view.width - right, view.height - bottom)
            draw_distractors(rng, self.backdrop, surface, inner)
        drops = self._drops(rng, lit, across, pitch)
        if rng.random() < self.neighbors:
            other = pattern(stamped(rng), proportional=True)
            beside = self._drops(rng, other, across * 7 / 8, 1 / 8)
            away = 1.25 + 0.3 * float(rng.random())
            move = (0, away if rng.random() < 0.5 else -away, 0)
            drops = np.concatenate([drops, beside + np.array(move)])
        on = _splashed(view, drops, between(rng, self.drop) * pitch * height * view.zoom)
        surface += (np.float32(ink) - surface) * on
        if rng.random() < self.glares:
            glare(rng, surface, between(rng, self.glare))
        uneven(rng, surface, self.uneven)
        return np.clip(surface, 0, 255).astype(np.uint8)

    def _lit(
        self, text: str, rng: np.random.Generator, faces: Sequence[Face]
    ) -> npt.NDArray[np.bool_]:
        """Where drops belong, `(rows, columns) bool`."""
        if faces and rng.random() < self.faces:
            tile = lettered(pick(rng, plain(faces)).path, text, round(between(rng, self.rows)))
            lit: npt.NDArray[np.bool_] = tile > _DARK
            if _LIGHTEST < lit.mean() < _BOLDEST:
                return lit
        gap = 1 + (rng.random() < 0.3)
        lit = pattern(text, proportional=bool(rng.random() < 0.5), gap=gap)
        used = np.flatnonzero(lit.any(axis=1))
        return lit[min(0, used[0]) : max(7, used[-1] + 1)]

    def _drops(
        self, rng: np.random.Generator, lit: npt.NDArray[np.bool_], across: float, pitch: float
    ) -> npt.NDArray[np.float64]:
        """Where drops fall, and how dark: `(N, 3) float64`, x and y in heights of the line."""
        rows, columns = np.nonzero(lit)
        kept = rng.random(len(rows)) >= self.missing * rng.random()
        drops = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)[kept]
        drops[:, :2] += rng.standard_normal((len(drops), 2)) * between(rng, self.jitter)
        drops[:, :2] *= (across, pitch)
        swing = self.wave * float(rng.random())
        drops[:, 1] += swing * np.sin(drops[:, 0] * rng.random() + 6.3 * rng.random())
        drops[:, 2] -= self.paler * rng.random() * rng.random(len(drops))
        return drops


def _splashed(view: View, drops: npt.NDArray[np.float64], radius: float) -> Pixels:
    """How much of each pixel drops of a radius in a mask's pixels cover, `(H, W) float32`."""
    seen = np.concatenate([drops[:, :2], np.ones((len(drops), 1))], axis=1) @ view.matrix.T
    x, y = (seen[:, :2] / seen[:, 2:]).T
    mask = np.zeros((view.height * view.zoom, view.width * view.zoom), np.float32)
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1] - 1) & (y < mask.shape[0] - 1)
    x, y, dark = x[inside], y[inside], drops[inside, 2]
    left, top = x.astype(np.intp), y.astype(np.intp)
    right_share, low_share = x - left, y - top
    for row, across in ((0, 1 - low_share), (1, low_share)):
        for column, share in ((0, 1 - right_share), (1, right_share)):
            np.add.at(mask, (top + row, left + column), dark * across * share)
    reach = int(radius) + 2
    away = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    disc = np.clip(radius + 0.5 - away, 0, 1).astype(np.float32)
    covered: Pixels = cv2.filter2D(mask, -1, disc, borderType=cv2.BORDER_CONSTANT)
    covered = np.minimum(covered, 1)
    if view.zoom > 1:
        size = (view.width, view.height)
        covered = cv2.resize(covered, size, interpolation=cv2.INTER_AREA)
    return covered
