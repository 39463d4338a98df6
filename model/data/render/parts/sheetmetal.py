"""The sheet of a license plate with its number, drawn flat."""

from __future__ import annotations

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient
from model.data.render.geometry import Box, Pixels
from model.data.render.parts.glyphs import ABOVE, BELOW, CAP, Glyph, glyph, lay, word
from model.data.render.parts.plates import DEALERS, Kind
from model.data.text.text_patterns import pick


class Plate:
    """One plate in the making.

    Attributes:
        sheet: `(H, W) float32`, gray levels.
        shape: `(H, W) float32`, 1 on the plate and 0 off its rounded corners.
    """

    def __init__(
        self, kind: Kind, rows: int, ground: float, ink: float, rng: np.random.Generator
    ) -> None:
        """A bare sheet.

        Args:
            kind: What it will be.
            rows: Height of its number's capitals, in pixels.
            ground: Gray level of the sheet.
            ink: Gray level of the number.
            rng: The source of chance.
        """
        self.kind, self.rng, self.rows, self.ground, self.ink = kind, rng, rows, ground, ink
        letters = kind.letters * (0.95 + 0.12 * rng.random())
        self.high = high = round(rows / letters)
        self.wide = wide = round(high * kind.aspect * (0.93 + 0.12 * rng.random()))
        self.left, self.right = 0.05 * high, wide - 0.05 * high  # what is free for the number
        self.middle = kind.middle * high
        self.sheet: Pixels = np.full((high, wide), ground, np.float32)
        self.shape: Pixels = np.zeros((high, wide), np.float32)
        corner = round(high * (0.04 + 0.08 * rng.random()))
        cv2.rectangle(self.shape, (corner, 0), (wide - 1 - corner, high - 1), 1.0, -1)
        cv2.rectangle(self.shape, (0, corner), (wide - 1, high - 1 - corner), 1.0, -1)
        for x in (corner, wide - 1 - corner):
            for y in (corner, high - 1 - corner):
                cv2.circle(self.shape, (x, y), corner, 1.0, -1)
        self.mask: Pixels = np.zeros((high, wide), np.uint8)

    def number(self, form: str, face: Face) -> Box:
        """Set the number; where it lies. A `*` in it is a seal."""
        rng, rows, kind = self.rng, self.rows, self.kind
        glyphs = [glyph(face.path, c) for c in form if c.isalnum()]
        mean = sum(g.ink.shape[1] for g in glyphs) / len(glyphs) / CAP
        cell = kind.cell * (0.92 + 0.16 * rng.random()) * rows
        gap = cell * (0.14 + 0.12 * rng.random())
        wide_gap = cell * (0.55 + 0.5 * rng.random())
        # How much narrower than drawn, so that the average letter fills its cell but for the gap.
        squeeze = (cell - gap) / (mean * CAP)
        sealed = max(wide_gap, 0.5 * rows) if kind.seal != "dot" else 0.6 * wide_gap + gap
        widths: list[float] = []
        at = iter(glyphs)
        for c in form:
            if c.isalnum():
                own = next(at).ink.shape[1] * squeeze
                widths.append(cell if kind.even else min(own, 1.5 * cell) + gap)
            else:
                extra = {"-": kind.dash * rows + gap, ".": 0.7 * gap + 2, " ": wide_gap}.get(
                    c, sealed
                )
                widths.append(extra)
        room, total = self.right - self.left, sum(widths)
        fit = min(1.0, room / total)
        x = self.left + (room - total * fit) * (0.35 + 0.3 * rng.random())
        top = round(self.middle - rows / 2)
        at = iter(glyphs)
        start = x
        for c, width in zip(form, widths, strict=True):
            width *= fit
            if c.isalnum():
                self._letter(next(at), x, width - gap * fit, squeeze * fit, top)
            else:
                self._mark(c, x - gap * fit / 2, width, top)
            x += width
        return Box(start, top, x - gap * fit, top + rows)

    def _letter(self, one: Glyph, x: float, width: float, squeeze: float, top: int) -> None:
        ink = one.ink
        across = max(1, round(min(ink.shape[1] * squeeze, width * 1.04)))
        scale = self.rows / CAP
        size = (across, max(1, round((ABOVE + CAP + BELOW) * scale)))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
        x0, y0 = max(0, round(x + (width - across) / 2)), top - round(ABOVE * scale)
        skip = max(0, -y0)
        part = self.mask[y0 + skip : y0 + size[1], x0 : x0 + across]
        np.maximum(part, ink[skip : skip + part.shape[0], : part.shape[1]], out=part)

    def _mark(self, mark: str, x: float, width: float, top: int) -> None:
        """A dash, a point or a seal between groups; nothing for a gap."""
        rng, rows = self.rng, self.rows
        middle = (round(x + width / 2), round(top + rows * (0.45 + 0.1 * rng.random())))
        if mark == "-":
            reach = max(1.0, self.kind.dash * rows * (0.35 + 0.25 * rng.random()))
            thick = max(1, round(rows * (0.08 + 0.06 * rng.random())))
            ends = [(round(middle[0] + s * reach), middle[1]) for s in (-1, 1)]
            cv2.rectangle(self.mask, ends[0], (ends[1][0], ends[1][1] + thick - 1), 255, -1)
        elif mark == ".":
            y = middle[1] if rng.random() < 0.4 else round(top + rows * 0.93)
            cv2.circle(self.mask, (middle[0], y), max(1, round(rows * 0.07)), 255, -1, cv2.LINE_AA)
        elif mark == "*":
            self._seal(*middle, min(width * 0.42, rows * 0.3))

    def _seal(self, x: int, y: int, radius: float) -> None:
        rng, kind = self.rng, self.kind.seal
        level = self.ground + (self.ink - self.ground) * (0.2 + 0.6 * rng.random())
        if kind == "dot" or radius < 2:
            cv2.circle(self.sheet, (x, y), max(1, round(radius * 0.5)), level, -1, cv2.LINE_AA)
        elif kind == "discs":
            radius = max(2.0, radius * 0.9)
            for way in (-1, 1):
                where = x, round(y + way * radius * 1.15)
                cv2.circle(self.sheet, where, round(radius), level, -1, cv2.LINE_AA)
                cv2.circle(self.sheet, where, round(radius * 0.5), self.ground, 1, cv2.LINE_AA)
        else:  # a coat of arms, a map of the state
            angles = np.linspace(0, 2 * np.pi, 9)[:-1]
            reach = radius * (0.6 + 0.4 * rng.random(8))
            points = np.stack(
                [x + reach * np.cos(angles), y + 1.2 * reach * np.sin(angles)], axis=1
            )
            cv2.fillPoly(self.sheet, [np.round(points).astype(np.int32)], level, cv2.LINE_AA)
            inner = np.round((points - (x, y)) * 0.5 + (x, y)).astype(np.int32)
            cv2.polylines(self.sheet, [inner], True, self.ground, 1, cv2.LINE_AA)

    def press(self, embossed: float, faded: float) -> None:
        """Ink the number, now and then with the edges of pressed metal, or washed out in part."""
        rng = self.rng
        alpha = self.mask * np.float32(1 / 255)
        if rng.random() < faded:
            away = np.abs(gradient(rng, self.high, self.wide))
            alpha *= np.clip(0.35 + away, 0, 1)
        else:
            alpha *= np.float32(0.8 + 0.2 * rng.random())
        if rng.random() < embossed:
            d = max(1, round(self.rows * 0.05))
            flow = self.mask.astype(np.float32)
            edge = np.roll(flow, (-d, -d), (0, 1)) - np.roll(flow, (d, d), (0, 1))
            self.sheet += edge * np.float32(
                (0.35 * rng.random() - 0.1) * (1 if rng.random() < 0.7 else -1)
            )
        self.sheet += (np.float32(self.ink) - self.sheet) * alpha

    def holder(self, number: Box, small: Face) -> Box:
        """Put it in a holder, often with a dealer's name; where the number then lies."""
        rng, high = self.rng, self.high
        side = round(high * (0.03 + 0.06 * rng.random()))
        below = round(high * (0.04 + 0.18 * rng.random()))
        level = 15 + 50 * rng.random() if rng.random() < 0.8 else 150 + 90 * rng.random()
        around = (side, below, side, side)
        self.sheet = cv2.copyMakeBorder(self.sheet, *around, cv2.BORDER_CONSTANT, value=level)
        self.shape = cv2.copyMakeBorder(self.shape, *around, cv2.BORDER_CONSTANT, value=1.0)
        self.sheet[self.shape == 0] = level
        self.shape[:] = 1
        if below > 5 and rng.random() < 0.7:
            ink = word(small.path, pick(rng, DEALERS), max(3, round(below * 0.5)))
            x = (self.sheet.shape[1] - ink.shape[1]) // 2
            y = side + high + (below - ink.shape[0]) // 2
            lay(self.sheet, ink, x, y, (level + 150) if level < 100 else 30)
        return Box(number.left + side, number.top + side, number.right + side, number.bottom + side)
