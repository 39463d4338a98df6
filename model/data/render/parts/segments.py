"""Displays of segments: the outlines of the seven or fourteen of a digit, and whole lines of them.

Units are heights of a digit, y downwards, x from the first cell's left edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from model.data.render.parts.outline_view import Points
from model.data.text.text_patterns import listed


def _table(entries: str) -> dict[str, str]:
    """Characters with the names of what they light, from entries such as `1bc`."""
    return {entry[0]: entry[1:] for entry in listed(entries)} | {" ": ""}


SEVEN = _table(
    "0abcdef 1bc 2abdeg 3abcdg 4bcfg 5acdfg 6acdefg 7abc 8abcdefg 9abcdfg -g Aabcefg bcdefg Cadef "
    "cdeg dbcdeg Eadefg Faefg Hbcefg hcefg Jbcde Ldef nceg ocdeg Oabcdef Pabefg reg tdefg Sacdfg "
    "Ubcdef ucde ybcdfg"
)
"""Which of seven segments each character lights: a top, then clockwise to f, and g amidst."""

FOURTEEN = _table(
    "0abcdefkl 1bc 2abdegh 3abcdh 4bcfgh 5acdfgh 6acdefgh 7abc 8abcdefgh 9abcdfgh Aabcefgh "
    "Babcdhjm Cadef Dabcdjm Eadefgh Faefgh Gacdefh Hbcefgh Iadjm Jbcde Kefgkn Ldef Mbcefik "
    "Nbcefin Oabcdef Pabefgh Qabcdefn Rabefghn Sacdfgh Tajm Ubcdef Vefkl Wbcefln Xikln Yikm Zadkl "
    "-gh +ghjm /kl *ghijklmn"
)
"""The same of fourteen: g and h amidst, i j k the upper strokes, l m n the lower ones."""

_OTHER_FORMS = {"6": "cdefg", "7": "abcf", "9": "abcfg"}  # that some makers prefer
_AIR = 0.06  # around a point, at least: one that touches a digit could not be told from it
MARKS = ".,:"
"""What stands between digits."""


@dataclass(frozen=True)
class Form:
    """What one display's digits look like.

    Attributes:
        aspect: A digit's width.
        thick: A segment's thickness.
        gap: Half of the room between two segments.
        chamfer: How much of the outer corners is cut, of the thickness: 0 for none, 1 for pointed.
        slant: How far the top leans right.
        space: From cell to cell.
        point: A decimal point's size.
        room: How much further apart digits stand around a point; below 0, a point has its own cell.
        round: Whether points are round.
        fourteen: Whether digits have fourteen segments.
        others: Digits that have their other form: some of 6, 7 and 9.
        small: Height of the digits after the point.
        rise: Where these stand: 0 on the line, 1 at the top.
    """

    aspect: float = 0.55
    thick: float = 0.12
    gap: float = 0.01
    chamfer: float = 0.3
    slant: float = 0.0
    space: float = 0.2
    point: float = 0.12
    room: float = 0.0
    round: bool = False
    fourteen: bool = False
    others: str = ""
    small: float = 1.0
    rise: float = 0.0

    def segments(self) -> dict[str, Points]:
        """Each segment's outline in the cell, `(P, 2) float64`."""
        w, t, g = self.aspect, self.thick, self.gap
        c, h = self.chamfer * t, self.chamfer * t / 2
        top = [(c + g, 0), (w - c - g, 0), (w - h - g, h), (w - t - g, t), (t + g, t), (h + g, h)]
        left = [(0, c + g), (h, h + g), (t, t + g), (t, 0.5 - t / 2 - g)]
        left += [(t / 2, 0.5 - g), (0, 0.5 - g)]
        a, f = np.array(top), np.array(left)
        flip, over = np.array([-1, 1]), np.array([1, -1])
        shapes = {"a": a, "d": a * over + (0, 1), "f": f, "e": f * over + (0, 1)}
        shapes |= {"b": f * flip + (w, 0), "c": f * (-1, -1) + (w, 1)}
        if not self.fourteen:
            ends = [(t / 2 + g, 0.5), (t + g, 0.5 - t / 2), (w - t - g, 0.5 - t / 2)]
            bar = np.array([*ends, (w - t / 2 - g, 0.5)])
            shapes["g"] = np.concatenate([bar, (bar * over + (0, 1))[2:0:-1]])
            return shapes
        inner = w / 2 - t / 2  # the left edge of the strokes amidst
        half = [(t / 2 + g, 0.5), (t + g, 0.5 - t / 2), (w / 2 - g, 0.5 - t / 2)]
        shapes["g"] = np.array([*half, (w / 2 - g, 0.5 + t / 2), (t + g, 0.5 + t / 2)])
        shapes["h"] = shapes["g"] * flip + (w, 0)
        upright = [(inner, t + g), (inner + t, t + g), (inner + t, 0.5 - t / 2 - g)]
        shapes["j"] = np.array([*upright, (inner, 0.5 - t / 2 - g)])
        high, wide, near, reach = t + 2 * g, 0.8 * t, t + g, 0.5 - t / 2 - g
        slope = [(near, high), (near + wide / 2, high), (inner - g, reach - wide)]
        slope += [(inner - g, reach), (inner - g - wide / 2, reach), (near, high + wide)]
        shapes["i"] = np.array(slope)
        shapes["k"] = shapes["i"] * flip + (w, 0)
        shapes |= {to: shapes[of] * over + (0, 1) for to, of in ("li", "mj", "nk")}
        return shapes


@dataclass
class Line:
    """A line of a display.

    Attributes:
        lit: Outlines of what is on.
        dark: Outlines of what is off.
        left: Where what is to be read begins.
        right: Where it ends.
    """

    lit: list[Points] = field(default_factory=list)
    dark: list[Points] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0


def segment_line(text: str, form: Form, before: int = 0) -> Line:
    """Lay out a text.

    Args:
        text: Characters of `SEVEN` or `FOURTEEN`, and of `MARKS`.
        form: What digits look like.
        before: Cells that are off to the left.
    """
    line, shapes = Line(), form.segments()
    lights = FOURTEEN if form.fourteen else SEVEN
    x, size, base = 0.0, 1.0, 0.0
    for at, char in enumerate(" " * before + text, -before):
        if at == 0:
            line.left = x
        if char in MARKS:
            wide, marks = _mark(char, form)
            step = form.aspect * 0.4
            if form.room >= 0:
                step = max(0.0, wide + _AIR + form.room - form.space)
            middle = x - form.space / 2 + step / 2
            line.lit += _placed(marks, middle, form)
            line.right = max(line.right, middle + wide / 2)
            x += step
            if char in ".,":
                size, base = form.small, (1 - form.small) * (1 - form.rise)
            continue
        on = _OTHER_FORMS[char] if char in form.others else lights[char]
        for name, shape in shapes.items():
            outline = _leaning(shape * size + (x, base), form.slant)
            (line.lit if name in on else line.dark).append(outline)
        line.right = x + form.aspect * size
        x += (form.aspect + form.space) * size
        if form.room >= 0 and form.space > form.point + _AIR and text[at + 1 : at + 2] not in MARKS:
            # A point that is off, where another reading has one.
            line.dark += _placed(_mark(".", form)[1], x - form.space / 2, form)
    return line


def _placed(marks: list[Points], middle: float, form: Form) -> list[Points]:
    """Outlines of marks around a column, leaning as the digits do."""
    return [_leaning(mark + np.array([middle, 0]), form.slant) for mark in marks]


def _leaning(outline: Points, slant: float) -> Points:
    return outline + np.stack([slant * (0.5 - outline[:, 1]), np.zeros(len(outline))], axis=1)


def _mark(char: str, form: Form) -> tuple[float, list[Points]]:
    """Width of a mark, and its outlines around x = 0."""
    side = form.point
    turns = np.linspace(0, 2 * np.pi, 9)[:-1] if form.round else np.pi * np.array([1, 3, 5, 7]) / 4
    reach = side / 2 if form.round else side / np.sqrt(2)
    dot = np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach
    if char == ":":
        return side, [dot + np.array([0, 0.3]), dot + np.array([0, 0.7])]
    if char == ".":
        return side, [dot + np.array([0, 1 - side / 2])]
    low = 1 - side / 2
    tail = [(-side / 2, low - side / 2), (side / 2, low - side / 2), (side / 2, low + side / 4)]
    return side, [np.array([*tail, (-side / 4, low + 1.2 * side), (-side / 2, low + 1.1 * side)])]
