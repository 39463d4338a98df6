"""What a license plate has beside its number: bands, small print, bolts, stickers, scenery."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import gradient, texture
from model.data.render.geometry import Pixels
from model.data.render.parts.glyphs import lay, word
from model.data.render.parts.sheetmetal import Plate
from model.data.text.text_patterns import pick

_STARS = 10


@dataclass(frozen=True)
class Fittings:
    """How often a plate has what.

    Attributes:
        scenery: Share of plates with a picture behind the number, where there are such.
        rim: Share of plates with a rim of another gray.
        band: Share of plates that have the band at the side which their country has.
        pale_band: Share of such bands as bright as the sheet, or nearly: old, or in infrared light.
        pale_strip: Likewise of India's strip.
        region: Share of bands at the right with the number of a region.
        letters: Share of the Mercosul's plates with its small letters.
        code: Share of these with the square code.
        print: Share of plates that have the small print of their kind.
        sticker: Share of corners with a sticker, where there are such.
        bolts: Share of plates whose bolts or slots can be seen.
        slot: Share of holes that are slots.
    """

    scenery: float = 0.45
    rim: float = 0.6
    band: float = 0.9
    pale_band: float = 0.25
    pale_strip: float = 0.7
    region: float = 0.7
    letters: float = 0.6
    code: float = 0.4
    print: float = 0.88
    sticker: float = 0.3
    bolts: float = 0.7
    slot: float = 0.5


def decorate(plate: Plate, small: Face, shares: Fittings) -> None:
    """All but the number: scenery, rim, band, bolts, small print, stickers."""
    rng, high, wide, kind = plate.rng, plate.high, plate.wide, plate.kind
    if kind.scenery and rng.random() < shares.scenery:
        _scenery(plate)
    if rng.random() < shares.rim:
        inset = round(high * 0.05 * rng.random())
        thick = max(1, round(high * 0.03 * rng.random()))
        level = plate.ink if rng.random() < 0.7 else plate.ground * 0.6
        corners = (inset, inset), (wide - 1 - inset, high - 1 - inset)
        cv2.rectangle(plate.sheet, *corners, level, thick)
    if kind.band in ("left", "both", "thin") and rng.random() < shares.band:
        _band(plate, small, shares)
    elif kind.band == "top":
        _top(plate, small, shares)
    over, under = pick(rng, kind.pairs) if kind.pairs else ("", "")
    if kind.over:
        over = pick(rng, kind.over)
    if kind.under:
        under = pick(rng, kind.under)
    edge = high * (kind.middle - kind.letters / 2)
    _print(plate, over, small, edge / 2 + 0.01 * high, edge, shares.print)
    edge = high * (1 - kind.middle - kind.letters / 2)
    _print(plate, under, small, high - edge / 2, edge * 0.8, shares.print)
    if kind.scenery:
        _stickers(plate, small, shares)
    if kind.bolts and rng.random() < shares.bolts:
        _bolts(plate, shares)


def _scenery(plate: Plate) -> None:
    """Hills, clouds or a fading color behind the number."""
    rng, reach = plate.rng, abs(plate.ground - plate.ink)
    kind = rng.random()
    if kind < 0.35:
        plate.sheet += texture(rng, plate.high, plate.wide) * np.float32(
            0.12 * reach * rng.random()
        )
    elif kind < 0.65:
        plate.sheet += gradient(rng, plate.high, plate.wide) * np.float32(0.3 * reach)
    else:
        toward = plate.ink - plate.ground
        for layer in (0.12, 0.22):
            x = np.linspace(0, plate.wide, 9)
            y = plate.high * (0.75 - layer + (rng.random(9) - 0.5) * 0.5)
            line = np.stack([x, y], axis=1)
            ends = [(plate.wide, plate.high), (0, plate.high)]
            points = np.concatenate([line, ends]).astype(np.int32)
            cv2.fillPoly(plate.sheet, [points], plate.ground + toward * layer * rng.random())


def _band(plate: Plate, small: Face, shares: Fittings) -> None:
    """The blue band of Europe, or India's strip: stars or a hologram, letters below."""
    rng, high, kind = plate.rng, plate.high, plate.kind
    thin = kind.band == "thin"
    across = round(high * ((0.16 if thin else 0.36) + 0.1 * rng.random()))
    # Infrared cameras and old band show it as bright as the sheet, or nearly.
    pale = rng.random() < (shares.pale_strip if thin else shares.pale_band)
    level = plate.ground * (0.75 + 0.25 * rng.random()) if pale else 20 + 90 * rng.random()
    sign = plate.ink if pale else min(255.0, level + 70 + 90 * rng.random())
    sides = (True, False) if kind.band == "both" else (True,)
    for at_left in sides:
        x = 0 if at_left else plate.wide - across
        plate.sheet[:, x : x + across] = level
        middle = x + across // 2
        if thin or not at_left:
            if not at_left and rng.random() < shares.region:
                ink = word(small.path, str(int(rng.random() * 90 + 10)), max(4, round(high * 0.2)))
                lay(plate.sheet, ink, middle - ink.shape[1] // 2, round(high * 0.62), sign)
        else:
            _stars(plate, middle, round(high * (0.26 + 0.06 * rng.random())), across, sign)
        if at_left:
            tall = max(4, round(high * ((0.11 if thin else 0.2) + 0.1 * rng.random())))
            ink = word(small.path, pick(rng, kind.badge), tall)
            if ink.shape[1] > 0.9 * across:
                ink = cv2.resize(ink, (max(1, round(0.9 * across)), ink.shape[0]))
            y = round(high * (0.55 + 0.15 * rng.random()))
            lay(plate.sheet, ink, middle - ink.shape[1] // 2, y, sign)
    plate.left = across + 0.04 * high
    if kind.band == "both":
        plate.right = plate.wide - across - 0.04 * high


def _stars(plate: Plate, x: int, y: int, across: int, level: float) -> None:
    radius, size = across * 0.3, round(across * 0.04)
    for at in range(_STARS):
        angle = 2 * math.pi * at / _STARS
        where = (round(x + radius * math.sin(angle)), round(y + radius * math.cos(angle)))
        cv2.circle(plate.sheet, where, size, level, -1)


def _top(plate: Plate, small: Face, shares: Fittings) -> None:
    """The Mercosul's band above the number, with a flag and small marks."""
    rng, high, wide = plate.rng, plate.high, plate.wide
    deep = round(high * (0.2 + 0.06 * rng.random()))
    level = 15 + 85 * rng.random()
    plate.sheet[:deep] = level
    sign = min(255.0, level + 90 + 100 * rng.random())
    ink = word(small.path, pick(rng, plate.kind.badge), max(4, round(deep * 0.5)))
    lay(plate.sheet, ink, (wide - ink.shape[1]) // 2, (deep - ink.shape[0]) // 2, sign)
    flag = (round(wide - 0.25 * high), round(0.04 * high)), (wide - 4, deep - 3)
    cv2.rectangle(plate.sheet, *flag, 90 + 90 * rng.random(), -1)
    if rng.random() < shares.letters:
        ink = word(small.path, "BR", max(4, round(high * 0.1)))
        lay(plate.sheet, ink, round(0.05 * high), round(high * 0.82), plate.ink)
    if rng.random() < shares.code:
        side = max(3, round(0.18 * high))
        x, y = round(0.06 * high), round(0.36 * high)
        code = (texture(rng, side, side) > 0) * np.float32(plate.ink - plate.ground)
        plate.sheet[y : y + side, x : x + side] += code[: high - y]
        plate.left = x + side + 2.0


def _print(plate: Plate, text: str, small: Face, middle: float, room: float, share: float) -> None:
    """A line of small print, `room` pixels high at most, around a height."""
    tall = round(room * (0.4 + 0.2 * plate.rng.random()))
    if not text or tall < 3 or plate.rng.random() >= share:
        return
    ink = word(small.path, text, tall)
    most = 0.8 * plate.wide
    if ink.shape[1] > most:
        ink = cv2.resize(ink, (round(most), ink.shape[0]), interpolation=cv2.INTER_AREA)
    level = plate.ink + (plate.ground - plate.ink) * 0.5 * plate.rng.random() ** 2
    x = (plate.wide - ink.shape[1]) / 2 + 0.06 * plate.wide * plate.rng.standard_normal()
    lay(plate.sheet, ink, round(x), round(middle - ink.shape[0] / 2), level)


def _stickers(plate: Plate, small: Face, shares: Fittings) -> None:
    """Months and years in the corners."""
    rng, high, wide = plate.rng, plate.high, plate.wide
    across, tall = 0.19 * high, 0.13 * high
    for x in (0.05 * high, wide - 0.05 * high - across):
        for y in (0.04 * high, 0.95 * high - tall):
            if rng.random() >= shares.sticker:
                continue
            a, b = (round(x), round(y)), (round(x + across), round(y + tall))
            level = 255 * rng.random()
            cv2.rectangle(plate.sheet, a, b, level, -1)
            ink = word(small.path, pick(rng, ("JAN", "MAY", "19", "22", "08")), round(tall * 0.6))
            lay(plate.sheet, ink, a[0] + 2, a[1] + 2, (level + 128) % 255)


def _bolts(plate: Plate, shares: Fittings) -> None:
    rng, high, wide = plate.rng, plate.high, plate.wide
    radius = max(1, round(high * (0.02 + 0.025 * rng.random())))
    level = pick(rng, (30.0, 90.0, 225.0))
    away = wide * (0.2 + 0.1 * rng.random())
    rows = (0.1, 0.9) if plate.kind.aspect < 3.5 else (0.5,)
    for y in rows:
        for x in (away, wide - away) if len(rows) == 2 else (0.04 * high, wide - 0.05 * high):
            where = round(x), round(y * high)
            if plate.kind.aspect < 3.5 and rng.random() < shares.slot:
                end = where[0] + 3 * radius, where[1]
                cv2.line(plate.sheet, where, end, level, max(1, radius))
            else:
                cv2.circle(plate.sheet, where, radius, level, -1, cv2.LINE_AA)


def grille(surface: Pixels, rng: np.random.Generator) -> None:
    """Slats and shut lines of a car, `(H, W) float32`, in place."""
    high, wide = surface.shape
    step = max(3, round(high * (0.05 + 0.1 * rng.random())))
    tilt = round(0.1 * wide * rng.standard_normal())
    low = rng.random() < 0.5
    for y in range(high // 2 if low else 0, high if low else high // 2, step):
        level = surface[min(high - 1, y), wide // 2] * (0.4 + 0.5 * rng.random())
        cv2.line(surface, (0, y), (wide, y + tilt // 4), float(level), max(1, step // 3))
