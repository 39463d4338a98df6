"""License plates of many countries, on cars and alone, by day and by night.

Labels: a dash that is drawn is `-`, a point is `.`, a gap clearly wider than between letters is a
space. A seal, sticker or coat of arms between two groups is nothing, and so are the letters on the
country's band and all small print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from model.data.fonts import Face
from model.data.render.background import background, draw_distractors, gradient, texture
from model.data.render.geometry import Box, Pixels
from model.data.render.parameters import Ground
from model.data.render.parts import fittings, plates
from model.data.render.parts.drawing_view import look_at, random_turn
from model.data.render.parts.fittings import Fittings
from model.data.render.parts.plates import KINDS, Kind
from model.data.render.parts.print import faces_of
from model.data.render.parts.sheetmetal import Plate
from model.data.text.text_patterns import below, pick

_MARKS = "-. "
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHARES = np.cumsum([kind.share for kind in KINDS]) / sum(kind.share for kind in KINDS)
_SIGNS = str.maketrans(dict.fromkeys(_LETTERS, "A") | dict.fromkeys("0123456789", "9"))
_LONGEST = 14  # characters of one plate


@dataclass(frozen=True)
class Style:
    """Draws a license plate, mostly of the form that its text has somewhere.

    Attributes:
        closed: Share of sampled texts that show nothing between groups, or a seal alone.
        common_letters: Share of countries' letters of which the ambiguous I, O and Q are left out.
        stranger: Share of plates set in another family than the country's own.
        rows: Height of a letter in the crop, from and to, in pixels.
        loose: Share of crops with much of the car around the plate.
        tight: Share of crops cut inside the plate, around the number.
        night: Share of bright plates in the dark.
        turn: Standard deviation of the turn of most plates, in degrees.
        far_turn: Likewise of those that are seen far from straight.
        far: Share of these.
        most_turn: No plate is turned further, in degrees.
        dirt: Share of plates that are soiled or unevenly lit.
        faded: Share of plates part of whose letters are washed out or overexposed.
        framed: Share of plates in a holder.
        embossed: Share of plates whose letters have bright and dark edges.
        beside: Share of crops with edges of other things beside the plate.
        grille: Share of crops with slats of a grille around it.
        shadow: Share of plates that cast a shadow on the car.
        fittings: How often a plate has a band, small print, bolts and so on.
        backdrop: The ground that is seen around it.
    """

    closed: float = 0.5
    common_letters: float = 0.6
    stranger: float = 0.1
    rows: tuple[float, float] = (10.0, 40.0)
    loose: float = 0.2
    tight: float = 0.2
    night: float = 0.1
    turn: float = 2.5
    far_turn: float = 11.0
    far: float = 0.3
    most_turn: float = 25.0
    dirt: float = 0.5
    faded: float = 0.06
    framed: float = 0.3
    embossed: float = 0.35
    beside: float = 0.6
    grille: float = 0.3
    shadow: float = 0.4
    fittings: Fittings = field(default_factory=Fittings)
    backdrop: Ground = field(default_factory=Ground)

    def sample_text(self, rng: np.random.Generator) -> str:
        """The number of a plate of any country."""
        kind = KINDS[int(np.searchsorted(_SHARES, rng.random(), "right"))]
        form = pick(rng, kind.forms)
        letters = _LETTERS
        if rng.random() < self.common_letters:
            letters = _LETTERS.translate(dict.fromkeys(map(ord, "IOQ")))
        text = "".join(
            pick(rng, letters) if c == "A" else str(below(rng, 10)) if c == "9" else c for c in form
        )
        if rng.random() < self.closed:
            return text.translate(dict.fromkeys(map(ord, _MARKS + "*")))
        return text.replace("*", "")

    def covers(self, text: str) -> bool:
        """Whether it is capitals and digits, with single dashes, points or spaces among them."""
        return (
            0 < len(text) <= _LONGEST
            and text[0] not in _MARKS
            and text[-1] not in _MARKS
            and all(c in _MARKS for c in text if not (c.isascii() and (c.isdigit() or c.isupper())))
            and not any(a in _MARKS and b in _MARKS for a, b in pairwise(text))
        )

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop `(H, W) uint8` with the plate."""
        kind, form = self._kind(text, rng)
        families = kind.faces if rng.random() > self.stranger else plates.GROTESQUE + plates.ROUND
        face = pick(rng, faces_of(families, faces, bold=True))
        small = pick(rng, faces_of(plates.GROTESQUE, faces, bold=True))
        low, high = self.rows
        rows = low * (high / low) ** rng.random()
        tone = pick(rng, kind.tones)
        ground = tone.ground[0] + (tone.ground[1] - tone.ground[0]) * rng.random()
        ink = tone.ink[0] + (tone.ink[1] - tone.ink[0]) * rng.random()
        plate = Plate(kind, round(rows), ground, ink, rng)
        fittings.decorate(plate, small, self.fittings)
        number = plate.number(form, face)
        plate.press(self.embossed, self.faded)
        if rng.random() < self.framed:
            number = plate.holder(number, small)
        sheet = plate.sheet
        if rng.random() < self.dirt:
            shade = gradient(rng, *sheet.shape) * np.float32(0.35 * rng.random())
            shade += texture(rng, *sheet.shape) * np.float32(0.08 * rng.random())
            sheet *= 1 + shade
        return self._crop(plate, number, ground, rng)

    def _kind(self, text: str, rng: np.random.Generator) -> tuple[Kind, str]:
        """A kind of plate that has such a number, or any, and the number with seals in it."""
        found = _forms().get(text.translate(_SIGNS))
        if found is None:
            return KINDS[int(np.searchsorted(_SHARES, rng.random(), "right"))], text
        edges, pairs = found
        kind, form = pairs[int(np.searchsorted(edges, rng.random() * edges[-1], "right"))]
        shown, at = "", iter(text)
        for c in form:
            shown += c if c == "*" else next(at)
        return kind, shown

    def _crop(self, plate: Plate, number: Box, ground: float, rng: np.random.Generator) -> Pixels:
        """The plate as a camera sees it, on what is around it."""
        high, wide = plate.sheet.shape
        turn = self.far_turn if rng.random() < self.far else self.turn
        angle = random_turn(rng, turn, self.most_turn)
        cut = rng.random()
        whole = Box(0, 0, wide, high)
        if cut < self.tight:
            box, room = number, 0.04 + 0.3 * rng.random(4)
        elif cut < self.tight + self.loose:
            box, room = whole, 0.1 + 0.45 * rng.random(4)
        else:
            box, room = whole, -0.05 + 0.17 * rng.random(4)
        view = look_at(rng, box, angle, room)
        crop = view(cv2.merge((plate.sheet * plate.shape, plate.shape)))
        night = rng.random() < self.night
        around = 60 * rng.random() if night else 255 * rng.random() ** 1.4
        surface = background(
            rng, self.backdrop, view.height, view.width, around, 0.8 * (128 - around) + 30
        )
        if rng.random() < self.beside:
            draw_distractors(rng, self.backdrop, surface, view.inner)
        if rng.random() < self.grille:
            fittings.grille(surface, rng)
        alpha = crop[..., 1]
        if rng.random() < self.shadow:
            shade = cv2.GaussianBlur(alpha, (0, 0), 1.5 + 2 * rng.random())
            surface *= 1 - 0.5 * shade
        surface += crop[..., 0] - surface * alpha
        if night:
            glow = cv2.GaussianBlur(surface, (0, 0), 1 + crop.shape[0] * 0.05 * rng.random())
            surface = surface * np.float32(0.7 + 0.3 * rng.random()) + glow * np.float32(
                0.5 * rng.random()
            )
        np.clip(surface, 0, 255, out=surface)
        return surface.astype(np.uint8)


@lru_cache(maxsize=1)
def _forms() -> dict[str, tuple[Pixels, list[tuple[Kind, str]]]]:
    """By a text's form: the plates that have it, their seals, and how often each (summed up)."""
    found: dict[str, list[tuple[float, Kind, str]]] = {}
    for kind in KINDS:
        for form in kind.forms:
            sealed = "".join("*" if c in _MARKS else c for c in form)
            bare = "".join(c for c in form if c.isalnum())
            for shown in {form, bare, sealed if kind.badge and kind.seal != "shape" else bare}:
                share = kind.share / len(kind.forms)
                found.setdefault(shown.replace("*", ""), []).append((share, kind, shown))
    return {
        form: (np.cumsum([share for share, _, _ in items]), [(k, shown) for _, k, shown in items])
        for form, items in found.items()
    }
