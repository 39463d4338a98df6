"""Texts that machines print: measurements, codes, dates, times, addresses of networks.

A language model that knows only words takes characters from such texts, so it learns from these,
too. Rendered training text does not use them (`text_patterns.py` is its own).
"""

from __future__ import annotations

import string

import numpy as np

from model.data.text.text_patterns import below, digits, pick


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_UNITS = _words(
    "kWh MWh Wh kW W V mV kV A mA uA Ah mAh Hz kHz MHz GHz Ohm kOhm F nF uF H mH bar mbar kPa hPa "
    "Pa psi kg g mg lb oz t m cm mm km ft in m2 m3 l L ml mL gal m3/h l/min km/h mph rpm C F K %RH "
    "% ppm dB s ms min h d x pcs EUR USD GBP"
)

_DATES = _words(
    "####-##-## ####-##-##T##:##:## ####-##-##T##:##:##Z ####-##-##_##:##:## ####-##-##_##:## "
    "####-##-##T##:##+##:## ####/##/## ##/##/#### ##/##/## ##.##.#### ##.##.## ##-##-#### ######## "
    "##:##:## ##:## ##:##:##.### #:## #:##_AM ##:##_PM ##/####"
)

_CODES = _words(
    "0xXXXXXXXX 0xXXXX XX:XX:XX:XX:XX:XX XXXX-XXXX ###.###.#.## ###.###.###.### ##.#.#.# "
    "SN-#####-AA SN:######## S/N_######## P/N_###-#### A##-#### AA-###### AAA##### AA###AA "
    "AAA-#### "
    "A#### ##A### ###-### ######-## v#.#.# v#.##.## V#.# REV._A REV_# No._# No._## Nr._### #### "
    "##### ###### ####### ######## #_#_#_# #_#_#_#_# A_A_A_A A_A_A #A_#A #-#-# ID:_##### "
    "LOT_###### "
    "EXP_##/## BBE_##.##.## E## F## Err_## T#:_##.# CH# COM# #x## ##x##x## ####_####_####_#### "
    "AA##_#AAA AA-###-AA ##-AAA-# A-AA_#### ##/## ###/### (###) [##] <###> #,### ##,### #.###,## "
    "###.## ##.### #,###,### fig._# Fig._## p._### pp._##-## Tel._###-#### ##%"
)
"""Forms: `#` stands for a digit, `A` for a capital, `X` for a hexadecimal digit,
`_` for a space."""


def machine_text(rng: np.random.Generator) -> str:
    """One text of 1 to some 30 characters, without spaces at its ends."""
    kind = rng.random()
    if kind < 0.4:
        return _measurement(rng)
    if kind < 0.62:
        return _filled(rng, pick(rng, _DATES))
    if kind < 0.68:  # digits that are alike, or all zeros but for a few
        count = 1 + below(rng, 9)
        return pick(rng, string.digits) * count if rng.random() < 0.5 else _padded(rng, count)
    text = _filled(rng, pick(rng, _CODES))
    return text.lower() if rng.random() < 0.1 else text


def _measurement(rng: np.random.Generator) -> str:
    """A number of any precision, often with a sign, sometimes with a unit."""
    kind = rng.random()
    whole = digits(rng, 1 + below(rng, 6)) if kind < 0.6 else _padded(rng, 1 + below(rng, 8))
    sign = pick(rng, ("-", "-", "-", "+", "+/-")) if rng.random() < 0.35 else ""
    point = pick(rng, "....,") if rng.random() < 0.55 else ""
    number = sign + whole + (point + digits(rng, 1 + below(rng, 4)) if point else "")
    if rng.random() < 0.35:
        number += (" " if rng.random() < 0.5 else "") + pick(rng, _UNITS)
    return number


def _padded(rng: np.random.Generator, count: int) -> str:
    """A counter's reading: so many digits, the first ones zeros."""
    return str(below(rng, 10 ** below(rng, count + 1))).zfill(count)


def _filled(rng: np.random.Generator, form: str) -> str:
    sets = {"#": string.digits, "A": string.ascii_uppercase, "X": "0123456789ABCDEF", "_": " "}
    return "".join(pick(rng, sets[c]) if c in sets else c for c in form)
