"""A word list as a tree that loads in a millisecond: the index of the lexicon decoder.

The file is a line of JSON, which says how the words are spelled, and the arrays of the tree as
they lie in memory, so that it is mapped and not read.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.checks import check_kind
from crnn_edge.decoders.ctc import IntArray
from crnn_edge.errors import DecodeError
from crnn_edge.files import atomic_path
from crnn_edge.types import FloatArray

_FORMAT = "crnn-edge lexicon 2"
_MAGIC = json.dumps({"format": _FORMAT})[:-1].encode()
_MAX_WORD = 256  # tokens: longer words fit on no line that a network reads
_log = logging.getLogger("crnn_edge")
_MAX_HEAD = 1 << 20
_ALIGN = 64  # bytes: where an array may begin
_PARTS = {"first": "<i4", "token": "<u2", "target": "<i4", "accepts": "|b1"}


@dataclass(frozen=True, eq=False)
class LexiconIndex:
    """The words of a lexicon, for one charset.

    Attributes:
        charset: What the words are spelled in.
        ignore_case: Whether `Word`, `WORD` and `word` are one.
        automaton: The words, in class ids after `fold`.
    """

    charset: Charset
    ignore_case: bool
    automaton: Automaton

    @classmethod
    def of_words(
        cls, words: Iterable[str], charset: Charset, ignore_case: bool = True
    ) -> LexiconIndex:
        """The index of some words; empty ones and repetitions are dropped.

        Raises:
            DecodeError: If there is no word, one is no text, or the charset cannot spell one.
        """
        if not isinstance(words, Iterable):
            raise DecodeError(
                f"expected a file or a sequence of words for a lexicon, got {type(words).__name__}"
            )
        class_of = _class_of(charset, ignore_case)
        spelled, unknown, long = set(), [], 0
        for word in words:
            check_kind(str, "text as each word", words=word)
            classes = [class_of.get(_key(t, ignore_case), 0) for t in charset.split(word)]
            long += len(classes) > _MAX_WORD
            if 0 in classes:
                unknown.append(word)
            elif len(classes) <= _MAX_WORD:
                spelled.add(tuple(classes))
        spelled.discard(())
        if long:
            _log.warning("%s words of more than %s tokens are left out", f"{long:,}", _MAX_WORD)
        if unknown:
            left_out = (
                f"{len(unknown):,} words of the lexicon have characters that are not in the "
                f"charset ({charset.join(charset.tokens)[:120]}), such as {unknown[:5]}"
            )
            if not spelled:
                raise DecodeError(left_out)
            _log.warning("%s: they are left out", left_out)
        if not spelled:
            raise DecodeError("the lexicon has no words")
        return cls(charset, ignore_case, Automaton.of_words(sorted(spelled)))

    @cached_property
    def fold(self) -> IntArray:
        """`(C,)`: the class that stands for each class: the first that differs by case alone."""
        class_of = _class_of(self.charset, self.ignore_case)
        return np.array([0, *(class_of[_key(t, self.ignore_case)] for t in self.charset.tokens)])

    @cached_property
    def _groups(self) -> tuple[IntArray, IntArray, IntArray]:
        """All classes, folded ones side by side; where a group begins; what stands for it."""
        order = np.argsort(self.fold, kind="stable")
        classes, starts = np.unique(self.fold[order], return_index=True)
        return order, starts, classes

    def merge(self, log_probs: FloatArray) -> FloatArray:
        """Log_probs `(N, T, C)` with the probabilities of folded classes added up in one."""
        order, starts, classes = self._groups
        merged = np.full_like(log_probs, -np.inf)
        with np.errstate(divide="ignore"):
            sums = np.add.reduceat(np.exp(log_probs.take(order, axis=2)), starts, axis=2)
            merged[:, :, classes] = np.log(sums)
        return merged

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], charset: Charset, ignore_case: bool = True
    ) -> LexiconIndex:
        """The index of a file: one that was saved, or a list of words, one a line.

        Raises:
            DecodeError: If the file cannot be read, is damaged, or was saved for another charset.
        """
        try:
            with Path(path).open("rb") as file:
                head = file.readline(_MAX_HEAD)
                if head.startswith(_MAGIC):
                    return cls._mapped(path, head, charset, ignore_case)
                lines = (head + file.read()).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DecodeError(f"cannot read the lexicon {os.fspath(path)}: {error}") from None
        return cls.of_words([line.strip() for line in lines], charset, ignore_case)

    @classmethod
    def _mapped(
        cls, path: str | os.PathLike[str], head: bytes, charset: Charset, ignore_case: bool
    ) -> LexiconIndex:
        try:
            told = json.loads(head)
            data = np.memmap(path, dtype=np.uint8, mode="r")
            parts, start = {}, len(head)
            for name, kind in _PARTS.items():
                stop = start + told["sizes"][name] * np.dtype(kind).itemsize
                parts[name] = data[start:stop].view(kind)
                start = stop + -stop % _ALIGN
            if zlib.crc32(data[len(head) :].data) != told["crc32"]:
                raise ValueError("its checksum is another")
            if start != len(data) or parts["first"][-1] != len(parts["target"]):
                raise ValueError("its parts do not fill it")
            nodes = len(parts["accepts"])
            if not np.array_equal(parts["target"], np.arange(1, nodes)):
                raise ValueError("an arc leads to another node than that of its word")
            if parts["first"][0] != 0 or (np.diff(parts["first"]) < 0).any():
                raise ValueError("its nodes are out of order")
            spelling, folded = told["charset"], told["ignore_case"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise DecodeError(
                f"the lexicon {os.fspath(path)} is damaged ({error}): build it again"
            ) from None
        if spelling != [*charset.tokens, charset.separator]:
            raise DecodeError(
                f"the lexicon {os.fspath(path)} was built for another charset "
                f"({str(spelling)[:120]}): build it again from its words"
            )
        if folded != ignore_case:
            raise DecodeError(
                f"the lexicon {os.fspath(path)} was built with ignore_case={folded}, "
                f"and ignore_case={ignore_case} is asked for"
            )
        return cls(charset, ignore_case, Automaton(**parts))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file, for this charset.

        Raises:
            CrnnError: If it cannot be written.
        """
        arrays = {name: getattr(self.automaton, name).astype(t) for name, t in _PARTS.items()}
        body = b"".join(a.tobytes() + bytes(-a.nbytes % _ALIGN) for a in arrays.values())
        told = {
            "format": _FORMAT,
            "charset": [*self.charset.tokens, self.charset.separator],
            "ignore_case": self.ignore_case,
            "sizes": {name: len(array) for name, array in arrays.items()},
            "crc32": zlib.crc32(body),
        }
        head = json.dumps(told).encode()
        with atomic_path(Path(path)) as partial, partial.open("wb") as file:
            file.write(head + b" " * (-(len(head) + 1) % _ALIGN) + b"\n")
            file.write(body)


def _key(token: str, ignore_case: bool) -> str:
    return token.casefold() if ignore_case else token


def _class_of(charset: Charset, ignore_case: bool) -> dict[str, int]:
    """The first class of each token, or of all tokens that differ by case alone."""
    classes = range(len(charset.tokens), 0, -1)
    return {_key(charset.tokens[k - 1], ignore_case): k for k in classes}
