"""Lines of print: natural English cut anywhere, headlines, notices, entries of forms, spaced signs.

What they are made of is a small grammar in a text file beside this one, so that neighbors go
together as in real print: a word list drawn at random has no articles, commas or names.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from model.data.text.text_patterns import below, digits, pick

GRAMMAR = tuple(Path(__file__).with_name(f"{name}.txt") for name in ("phrases", "inscriptions"))
LONGEST = 60  # characters of a line
_MOST_WORDS = 10
_WHOLE = 0.25  # share of passages that begin with their first word
_FULL = 0.3  # share of passages that are as long as a line can be
_CAPITALS, _TITLES = 0.12, 0.08  # shares of lines in capitals, and with each word's first so
_SLOT = re.compile(r"\{([^}]*)\}")
_START = re.compile(r"(^|[.!?] +)([\"'(]*[a-z])")
_I = re.compile(r"\bi\b")

Words = Callable[[np.random.Generator], str]
"""Gives words of a dictionary."""


@lru_cache(maxsize=1)
def _grammar() -> dict[str, tuple[str, ...]]:
    """The alternatives of every name."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in GRAMMAR).replace("\n|", " |")
    rules = {}
    for row in text.splitlines():
        if row and not row.startswith("#"):
            name, _, alternatives = row.partition(" = ")
            rules[name] = tuple(part.strip() for part in alternatives.split(" | "))
    return rules


def _expand(rng: np.random.Generator, name: str, word: Words) -> str:
    if name == "#":
        return pick(rng, string.digits)
    if name == "#1":
        return pick(rng, string.digits[1:])
    if name == "#letter":
        return pick(rng, string.ascii_uppercase)
    if name == "word":
        return word(rng).lower()
    chosen = pick(rng, _grammar()[name])
    return _SLOT.sub(lambda slot: _expand(rng, slot[1], word), chosen)


def phrase(rng: np.random.Generator, name: str) -> str:
    """An entry of the grammar that fits a line, such as `receipt` or `marker`."""
    return _fitting(_expand(rng, name, lambda rng: _expand(rng, "thing", _no_word)).split(" "))


def _no_word(_: np.random.Generator) -> str:
    raise ValueError("the grammar's things are of no dictionary")


def prose(rng: np.random.Generator, word: Words) -> str:
    """Some words of running English, as a printed line begins and ends: anywhere."""
    text = _expand(rng, "passage", word)
    text = _START.sub(lambda start: start[1] + start[2].upper(), text)
    parts = text.split(" ")
    start = 0 if rng.random() < _WHOLE else below(rng, max(1, len(parts) - 3))
    count = len(parts) if rng.random() < _FULL else 2 + below(rng, _MOST_WORDS - 1)
    return _fitting(parts[start : start + count])


def _fitting(parts: list[str]) -> str:
    """As many of the words as a line has room for."""
    line = ""
    for part in parts:
        if len(line) + len(part) + bool(line) > LONGEST:
            break
        line += (" " if line else "") + part
    return line


def short_line(rng: np.random.Generator, word: Words) -> str:
    """A headline or a notice."""
    text = _expand(rng, "headline" if rng.random() < 0.6 else "notice", word)
    return _fitting((text[:1].upper() + text[1:]).split(" "))


def line(rng: np.random.Generator, word: Words) -> str:
    """Prose, a headline or a notice, some of it in capitals."""
    text = prose(rng, word) if rng.random() < 0.65 else short_line(rng, word)
    style = rng.random()
    if style < _CAPITALS:
        return text.upper()
    return text.title().replace("'S", "'s") if style < _CAPITALS + _TITLES else text


def form(rng: np.random.Generator, word: Words) -> str:
    """A line of a form, a letter or a label: a name and what was filled in, an address, a date."""
    text = _fitting(_expand(rng, "form", word).split(" "))
    return text.upper() if rng.random() < 0.2 else text


def spaced(rng: np.random.Generator) -> str:
    """Single signs with spaces between: boxes of forms, charts of eye doctors, `1 5 1 9 5`."""
    kind = rng.random()
    sets = (string.digits, string.ascii_uppercase, string.ascii_uppercase + string.digits)
    signs = sets[0] if kind < 0.5 else sets[1] if kind < 0.85 else sets[2]
    return " ".join(pick(rng, signs) for _ in range(2 + below(rng, 7)))


def stamp(rng: np.random.Generator) -> str:
    """A date with a time, as machines write them, or a number of theirs: signed, or with zeros."""
    kind = rng.random()
    if kind < 0.3:
        number = f"{int(10 ** (3 * rng.random()))}.{digits(rng, 1 + below(rng, 3))}"
        return pick(rng, "--+") + number
    if kind < 0.45:
        return digits(rng, 2 + below(rng, 5)).replace("1", "0")
    if kind < 0.6:
        return "0" * (1 + below(rng, 3)) + digits(rng, 1 + below(rng, 3))
    year, month, day = 1990 + below(rng, 60), 1 + below(rng, 12), 1 + below(rng, 28)
    hour, minute, second = below(rng, 24), below(rng, 60), below(rng, 60)
    mark = pick(rng, "---/.")
    date = f"{year}{mark}{month:02d}{mark}{day:02d}"
    if kind < 0.66:
        return date
    clock = f"{hour:02d}:{minute:02d}"
    if rng.random() < 0.6:
        clock += f":{second:02d}" + ("Z" if rng.random() < 0.1 else "")
    return date + ("T" if mark == "-" and rng.random() < 0.4 else " ") + clock
