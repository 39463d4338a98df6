"""Texts that are not words: numbers, prices, dates, codes, units, abbreviations."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def listed(words: str) -> tuple[str, ...]:
    """Words that stand in one string."""
    return tuple(words.split())


_UNITS = listed(
    "kg g mg ml l L cm mm km m mph km/h GB MB W kW V mAh oz lb lbs ft in % x px Hz min hrs am pm"
)
_SHORT = listed(
    "St. Ave. Dr. No. Mr. Mrs. Co. Ltd. Inc. U.S.A. U.K. P.O. etc. e.g. A/C w/o c/o TV DVD PC ATM "
    "USB Wi-Fi 24/7 24H B&B R&B Q&A AT&T H&M M&S DIY VIP FAQ BBQ CCTV LED NYC L.A. D.C. PhD Blvd."
)
_DAYS = listed(
    "Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
)
_MONTHS = listed(
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec January February March April June July "
    "August September October November December"
)
_PHONES = listed(
    "#-###-#### (###)_###-#### ###-#### +##_###_#### ####-#### ####_#### ########## +##########"
    " ###.###.#### 0###/###### ##-########"
)
_CODES = listed(
    "A# #A A## ##A AA### AA##AAA A#-#### AAA-#### #AAA### AAAA-####-A ##-##-# #/# ##/## #-## AA-## "
    "A/## A#_# A#~A# XX:XX:XX #A#A#A AAAAA#### A.#.# v#.#.# #x# [##] {A} <A#> A=# XXXXXXXX 0xXXXX "
    "A#|A# #^# A\\A ~#A"
)
"""Forms: `#` stands for a digit, `A` for a letter, `X` for a hexadecimal digit."""


def below(rng: np.random.Generator, stop: int) -> int:
    """A whole number from 0 to below `stop`; several times cheaper than `rng.integers`."""
    return int(rng.random() * stop)


def pick(rng: np.random.Generator, options: Sequence[_T]) -> _T:
    """One of some options."""
    return options[int(rng.random() * len(options))]


def between(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """A number between two."""
    return span[0] + (span[1] - span[0]) * float(rng.random())


def digits(rng: np.random.Generator, count: int) -> str:
    """A string of digits."""
    return "".join(pick(rng, string.digits) for _ in range(count))


def cased(rng: np.random.Generator, word: str) -> str:
    """Signs shout: about half of the words in scenes are capitals."""
    style = rng.random()
    if style < 0.44:
        return word.upper()
    if style < 0.72:
        return word[:1].upper() + word[1:]
    if style < 0.98:
        return word.lower()
    return "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in word)


def number(rng: np.random.Generator) -> str:
    """A count, a decimal, an ordinal, a signed number."""
    kind = rng.random()
    if kind < 0.55:
        return digits(rng, 1 + below(rng, 6))
    if kind < 0.65:
        return f"{int(10 ** (3 + 4 * rng.random())):,}"
    if kind < 0.8:
        return f"{digits(rng, 1 + below(rng, 3))}.{digits(rng, 1 + below(rng, 2))}"
    if kind < 0.9:
        return pick(rng, "#-+(~x<>=*") + digits(rng, 1 + below(rng, 4))
    ends = ("st", "nd", "rd", "th", "%", "+", ")", "/")
    return digits(rng, 1 + below(rng, 3)) + pick(rng, ends)


def price(rng: np.random.Generator) -> str:
    """A sum of money, a percentage."""
    amount = str(int(10 ** (3 * rng.random())))
    cents = rng.random()
    if cents < 0.6:
        amount += "." + ("99" if cents < 0.15 else "00" if cents < 0.25 else digits(rng, 2))
    kind = rng.random()
    if kind < 0.65:
        return pick(rng, "$$$£€") + amount
    if kind < 0.85:
        return amount + pick(rng, ("%", "c", "p", "/-", " USD", "EUR", "$", "% OFF"))
    return pick(rng, ("Rs.", "S$", "US$", "EUR ", "A$", "RM")) + amount


def date_or_time(rng: np.random.Generator) -> str:
    """A date, a time, a year, a day or month by name."""
    day, month, year = 1 + below(rng, 31), 1 + below(rng, 12), 1900 + below(rng, 140)
    hour, minute = below(rng, 24), below(rng, 60)
    kind = rng.random()
    if kind < 0.3:
        return f"{hour}:{minute:02d}" + pick(rng, ("", "", "am", "PM", " pm", f":{day:02d}"))
    if kind < 0.4:
        return f"{hour % 12 + 1}{pick(rng, ('am', 'pm', 'AM', 'PM', 'a.m.', 'h'))}"
    if kind < 0.65:
        mark = pick(rng, "/-.")
        return f"{day:02d}{mark}{month:02d}{mark}{pick(rng, (year, f'{year % 100:02d}'))}"
    if kind < 0.75:
        return str(year)
    if kind < 0.9:
        return cased(rng, pick(rng, _DAYS + _MONTHS))
    return f"{pick(rng, _MONTHS)} {day}"


def phone(rng: np.random.Generator) -> str:
    """A telephone number."""
    form = pick(rng, _PHONES).replace("_", " ")
    return "".join(pick(rng, string.digits) if c == "#" else c for c in form)


def code(rng: np.random.Generator) -> str:
    """A serial number, a plate, a room, a bus line, a hexadecimal string."""
    letters = string.ascii_uppercase if rng.random() < 0.85 else string.ascii_lowercase
    sets = {"#": string.digits, "A": letters, "X": "0123456789ABCDEF"}
    return "".join(pick(rng, sets[c]) if c in sets else c for c in pick(rng, _CODES))


def measure(rng: np.random.Generator) -> str:
    """A number with a unit."""
    value = str(int(10 ** (3 * rng.random())))
    if rng.random() < 0.25:
        value += "." + digits(rng, 1)
    return value + (" " if rng.random() < 0.1 else "") + pick(rng, _UNITS)


def abbreviation(rng: np.random.Generator) -> str:
    """An abbreviation that signs are fond of."""
    text = pick(rng, _SHORT)
    return text.upper() if rng.random() < 0.3 else text
