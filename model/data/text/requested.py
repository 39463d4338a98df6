"""Texts that a user names: those of a pattern, or those of a list, and no others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.pattern import compile_pattern
from crnn_edge.errors import CharsetError, CrnnError
from model.data.text.text_patterns import pick
from model.data.text.text_source import MAX_LENGTH, TextSource, read_words

_MORE = 12  # characters that a repeat without an end adds at most to the shortest text
_TRIES = 100  # texts to look for one without spaces at its ends


class Texts(Protocol):
    """An endless source of texts."""

    def sample(self, rng: np.random.Generator) -> str:
        """One text, without spaces at its ends."""

    def allows(self, text: str) -> bool:
        """Whether a text, such as one set in capitals, may stand for one of these."""


class PatternTexts:
    """Texts that match a pattern: of every length alike, and of every branch alike."""

    def __init__(self, pattern: str, charset: Charset) -> None:
        """Compile the pattern.

        Args:
            pattern: In the language of `--decoder pattern`; it matches the whole text.
            charset: What texts are made of.

        Raises:
            DecodeError: If the pattern is wrong, or matches nothing in this charset.
            CrnnError: If all its texts are empty, or longer than `MAX_LENGTH`.
        """
        self._pattern = pattern
        self._charset = charset
        self._automaton = compile_pattern(pattern, charset)
        shortest = self._automaton.distance[0]
        endless = shortest + _MORE
        self._ends = _ends(self._automaton, MAX_LENGTH)
        lengths = [n for n in range(1, MAX_LENGTH + 1) if self._ends[n, 0]]
        if not lengths:
            told = f"more than {MAX_LENGTH}" if shortest else "no"
            raise CrnnError(f"pattern {pattern!r}: its texts have {told} characters")
        # Only repeats without an end give so many lengths; none of these needs to be that long.
        loops = _loops(self._automaton)
        self._lengths = [n for n in lengths if not loops or n <= endless] or lengths[:1]

    def sample(self, rng: np.random.Generator) -> str:
        """One text that matches.

        Raises:
            CrnnError: If all found begin or end with a space, which no picture shows.
        """
        for _ in range(_TRIES):
            text = self._walk(pick(rng, self._lengths), rng)
            if text == text.strip():
                return text
        raise CrnnError(
            f"pattern {self._pattern!r}: its texts, such as {text!r}, begin or end with a space, "
            "which no picture shows"
        )

    def _walk(self, length: int, rng: np.random.Generator) -> str:
        node, text = 0, ""
        for left in range(length - 1, -1, -1):
            # Tokens that lead to the same place are one branch: `(A|[0-9]{4})` is half of each.
            branches: dict[int, list[int]] = {}
            for token, target in self._automaton.arcs[node].items():
                if self._ends[left, target]:
                    branches.setdefault(target, []).append(token)
            node = pick(rng, list(branches))
            text += self._charset.tokens[pick(rng, branches[node]) - 1]
        return text

    def allows(self, text: str) -> bool:
        """Whether it matches."""
        ids = {token: k for k, token in enumerate(self._charset.tokens, start=1)}
        return all(c in ids for c in text) and self._automaton.accepts_text([ids[c] for c in text])


def _ends(automaton: Automaton, most: int) -> npt.NDArray[np.bool_]:
    """Whether a text can end exactly so many tokens after a node, `(most + 1, M) bool`."""
    source = np.repeat(np.arange(len(automaton.accepts)), np.diff(automaton.first))
    ends = np.zeros((most + 1, len(automaton.accepts)), np.bool_)
    ends[0] = automaton.accepts
    for left in range(1, most + 1):
        ends[left, source[ends[left - 1, automaton.target]]] = True
    return ends


def _loops(automaton: Automaton) -> bool:
    """Whether texts can be as long as one likes: longer ones than there are nodes, that is."""
    alive = np.ones(len(automaton.accepts), np.bool_)
    source = np.repeat(np.arange(len(alive)), np.diff(automaton.first))
    while alive.any():
        left = np.zeros_like(alive)
        left[source[alive[automaton.target]]] = True
        left &= alive
        if (left == alive).all():
            return True
        alive = left
    return False


class ListTexts:
    """The texts of a list, each as often as it is there."""

    def __init__(self, texts: Sequence[str], charset: Charset) -> None:
        """Check the list.

        Args:
            texts: One or more.
            charset: What they are made of.

        Raises:
            CharsetError: If a text has a character that is not in the charset.
            CrnnError: If a text is too long to be drawn.
        """
        for text in texts:
            if text not in charset:
                raise CharsetError(f"the charset cannot spell the text {text!r}")
            if len(text) > MAX_LENGTH:
                raise CrnnError(f"the text {text!r} has more than {MAX_LENGTH} characters")
        self._texts = tuple(texts)
        self._known = frozenset(texts)

    def sample(self, rng: np.random.Generator) -> str:
        """One of them."""
        return pick(rng, self._texts)

    def allows(self, text: str) -> bool:
        """Whether it is one of them."""
        return text in self._known


def add_texts(parser: argparse.ArgumentParser | argparse._ArgumentGroup, words: str) -> None:
    """The options of what to write, one of which may be given.

    Args:
        parser: What to add them to.
        words: The help of `--words`.
    """
    add = parser.add_mutually_exclusive_group().add_argument
    add("--words", metavar="FILE", type=Path, help=words)
    add(
        "--text-pattern",
        metavar="PATTERN",
        help="only texts that match, such as [A-Z]{3}-\\d{4}: in the language of --decoder pattern",
    )
    add("--texts", metavar="FILE", type=Path, help="only texts of this file, one a line")


def requested_texts(
    charset: Charset, words: Path | None, pattern: str | None, texts: Path | None
) -> Texts:
    """What `--words`, `--text-pattern` or `--texts` asks for.

    Args:
        charset: What texts are made of.
        words: A dictionary that the usual texts are made with.
        pattern: Texts that match, and no others.
        texts: A file of texts, one a line, and no others.

    Raises:
        CrnnError: If the file cannot be read, the pattern is wrong, or a text cannot be spelt.
    """
    if pattern is not None:
        return PatternTexts(pattern, charset)
    if texts is not None:
        return ListTexts(read_words(texts), charset)
    return TextSource(read_words(words) if words else None, charset)
