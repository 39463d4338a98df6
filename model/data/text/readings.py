"""What displays and counters show: readings with and without decimals, times, a few words."""

from __future__ import annotations

import numpy as np

from model.data.text.text_patterns import below, code, digits, listed, pick

WORDS = listed("Err OL Lo HI OFF On End CAL E01 E2 F1 Hold - -- ---- LO donE StOP FULL PASS")
"""What displays say besides numbers, as seven segments can write it."""

_PLACES = listed("Airport Central CENTRAL Station CITY Depot EAST Harbor Park TERMINAL West Zoo")
_SIGNS = listed("OPEN EXIT CLOSED STOP TAXI NEXT SLOW PUSH FULL FREE SALE ATM FOOD 24H WAIT HALT")


def whole(rng: np.random.Generator, most: int) -> str:
    """A whole number of one to `most` digits, without leading zeros."""
    count = 1 + below(rng, most)
    return pick(rng, "123456789") + digits(rng, count - 1) if count > 1 else digits(rng, 1)


def decimal(rng: np.random.Generator) -> str:
    """An instrument's reading: mostly up to three digits, a point, and up to three more."""
    before = "0" if rng.random() < 0.2 else whole(rng, 4 if rng.random() < 0.3 else 3)
    if rng.random() < 0.15:
        before = before.zfill(2 + below(rng, 3))
    return f"{before}.{digits(rng, 1 + below(rng, 3))}"


def metered(rng: np.random.Generator) -> str:
    """What a meter of energy, water or fuel has counted: many digits, often with zeros before."""
    kind, places = rng.random(), below(rng, 4)
    before = whole(rng, 6)
    if kind < 0.55:
        before = before.zfill(4 + below(rng, 4))
    elif kind < 0.8:
        before = pick(rng, "123456789") + digits(rng, 2 + below(rng, 4))
    after = "00" if rng.random() < 0.08 and places else digits(rng, places)
    return f"{before}.{after}" if after else before


def counted(rng: np.random.Generator) -> str:
    """All digits of a mechanical counter: four to nine, mostly with zeros before."""
    count = 4 + below(rng, 5) + (rng.random() < 0.08)
    used = count - below(rng, 1 + count // 2) if rng.random() < 0.9 else 1 + below(rng, count)
    return digits(rng, used).zfill(count)


def clock(rng: np.random.Generator) -> str:
    """A time of the day, or minutes and seconds."""
    hour = below(rng, 24)
    text = f"{hour:02d}" if rng.random() < 0.5 else str(hour)
    text += f":{below(rng, 60):02d}"
    return f"{text}:{below(rng, 60):02d}" if rng.random() < 0.15 else text


def reading(rng: np.random.Generator) -> str:
    """What a display shows."""
    kind = rng.random()
    if kind < 0.38:
        return metered(rng)
    if kind < 0.7:
        return decimal(rng)
    if kind < 0.82:
        return whole(rng, 6)
    if kind < 0.87:
        return "-" + decimal(rng)
    if kind < 0.91:
        return clock(rng)
    if kind < 0.97:
        return digits(rng, 2 + below(rng, 5))
    return pick(rng, WORDS)


def announced(rng: np.random.Generator) -> str:
    """What a board of lamps says: a line and where it goes, a price, a count, a word."""
    kind = rng.random()
    if kind < 0.3:
        return f"{below(rng, 200)} {pick(rng, _PLACES)}"
    if kind < 0.45:
        return f"{below(rng, 60)} min"
    if kind < 0.6:
        return pick(rng, _SIGNS)
    if kind < 0.7:
        return f"{below(rng, 101)}%"
    if kind < 0.8:
        return code(rng)
    return reading(rng)
