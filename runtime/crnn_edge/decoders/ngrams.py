"""A language model of n-grams of tokens: how probable a token is after those before it.

What was seen after the last N - 1 tokens counts; where a token was never seen there, the last N - 2
do, at a price, and so on (S. M. Katz: *Estimation of probabilities from sparse data for the
language model component of a speech recognizer*, 1987). Stored, it is a trie; loaded, an automaton:
each n-gram that something can follow is a state, and a state's way back is the same without its
first token (as in A. Aho, M. Corasick: *Efficient string matching*, 1975). So a token costs one
search among what follows, and a model of 200,000 n-grams is there in some 20 ms.

Digits may share their n-grams: `2028-02-08` and `1999-12-31` are then one text, `0000-00-00`, and
each digit has a tenth of the probability of `0` (a class-based model: P. Brown et al.: *Class-based
n-gram models of natural language*, 1992).

`python -m model.lm` makes one.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crnn_edge.errors import DecodeError
from crnn_edge.files import atomic_write

MAX_TOKENS = 253
"""Tokens of a model: a byte tells how many n-grams continue one, and with the beginning and the end
so many may continue the empty one."""

NAT = 16
"""Costs are whole: so many of them are a nat."""

_FORMAT = "crnn-ngrams-1"
_BROKEN = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    OverflowError,
    RecursionError,
    zlib.error,
)
"""What a damaged file raises."""
_MAX_HEAD = 1 << 16
_MAX_NODES = 1 << 24


class Trie(NamedTuple):
    """N-grams as a trie, level by level, each level in the order of its n-grams.

    Attributes:
        token: `(M,) uint8`: the last token of each n-gram: numbers of tokens, then that of the
            beginning (the number of tokens), then that of the end.
        cost: `(M,) uint8`: minus log p of that token after the others, in 1/16 nat.
        children: `(I,) uint8`: how many n-grams continue the empty one, and each one that is
            shorter than N.
        backoff: `(I,) int8`: log of what a token's probability is multiplied by that was never seen
            after these, in 1/16 nat.
    """

    token: npt.NDArray[np.uint8]
    cost: npt.NDArray[np.uint8]
    children: npt.NDArray[np.uint8]
    backoff: npt.NDArray[np.int8]


class NGrams:
    """N-grams as an automaton.

    Args:
        tokens: The tokens of the n-grams.
        trie: The n-grams. The first level has all tokens, the beginning and the end.
        digits: Tokens that share the n-grams of the first of them equally; it is the only one of
            them in `tokens`. Empty if each token has n-grams of its own.

    Attributes:
        tokens: The tokens of the n-grams.
        trie: The n-grams.
        digits: Tokens that share n-grams.
        start: The state where a text begins.
        end: The number of the end, which `step` takes like a token.
        lookup: Of each token that texts may have: its number, and what it costs in addition to
            what `step` says, in 1/16 nat.

    Raises:
        ValueError: If that is no trie of n-grams whose shorter forms are there, too.
    """

    def __init__(self, tokens: Sequence[str], trie: Trie, digits: Sequence[str] = ()) -> None:
        """Find each n-gram's way back."""
        self.tokens, self.trie, self.digits = tuple(tokens), trie, tuple(digits)
        self.end = len(self.tokens) + 1
        inner, count = len(trie.children), len(trie.token)
        first = np.concatenate([[0], np.cumsum(trie.children, dtype=np.int64)])
        if not 0 < len(self.tokens) <= MAX_TOKENS or len(set(self.tokens)) < len(self.tokens):
            raise ValueError("it has no tokens, too many, or one twice")
        if first[-1] != count or len(trie.cost) != count or len(trie.backoff) != inner:
            raise ValueError("its parts do not fit each other")
        if trie.token[: first[1]].tolist() != list(range(self.end + 1)):
            raise ValueError("it lacks single tokens")
        # Node k + 1 is n-gram k; node 0 is the empty one.
        parent = np.repeat(np.arange(inner), trie.children)
        keys = parent * 256 + trie.token
        suffix = np.zeros(count + 1, dtype=np.int64)
        state = np.zeros(count + 1, dtype=np.int64)  # -1 until it is known to be one itself
        state[1:inner][trie.children[1:] > 0] = -1
        begin, stop = 0, int(first[1])
        while True:
            nodes = np.arange(begin, stop)
            if begin:
                wanted = suffix[parent[nodes]] * 256 + trie.token[nodes]
                found = np.minimum(keys.searchsorted(wanted), count - 1)
                if (keys[found] != wanted).any():
                    raise ValueError("an n-gram lacks its shorter form")
                suffix[nodes + 1] = found + 1
            alive = state[nodes + 1] < 0
            state[nodes + 1] = np.where(alive, nodes + 1, state[suffix[nodes + 1]])
            if stop == count:
                break
            begin, stop = stop, int(first[min(stop, inner - 1) + 1])
            if stop <= begin or begin >= inner + stop:
                raise ValueError("its levels do not follow each other")
        if (np.diff(keys) <= 0).any():
            raise ValueError("its n-grams are out of order")
        self.lookup = {token: (k, 0) for k, token in enumerate(self.tokens)}
        if self.digits:
            if {*self.digits} & {*self.tokens} != {self.digits[0]}:
                raise ValueError("its digits are not represented by the first of them alone")
            shared = self.lookup[self.digits[0]][0], round(NAT * math.log(len(self.digits)))
            self.lookup |= dict.fromkeys(self.digits, shared)
        self.start = int(state[len(self.tokens) + 1])
        self._token = trie.token.tobytes()
        self._cost = trie.cost.tobytes()
        # Views, because a Python list of so many numbers takes longer to make than all else.
        self._first = first.astype(np.int32).data
        self._backoff = np.ascontiguousarray(trie.backoff, dtype=np.int8).data
        self._back = state[suffix].astype(np.int32).data
        self._state = state[1:].astype(np.int32).data

    def step(self, state: int, token: int) -> tuple[int, int]:
        """What a token costs in a state, in 1/16 nat, and the state after it.

        Args:
            state: `start`, or what a step before led to.
            token: The number of the token, counted from 0; or `end`.
        """
        cost = 0
        while True:
            at = self._token.find(token, self._first[state], self._first[state + 1])
            if at >= 0:
                return cost + self._cost[at], self._state[at]
            cost -= self._backoff[state]
            state = self._back[state]

    def log_prob(self, tokens: Iterable[str]) -> float:
        """The log-probability of a whole text."""
        total, state = 0, self.start
        for number, extra in (*(self.lookup[token] for token in tokens), (self.end, 0)):
            cost, state = self.step(state, number)
            total += cost + extra
        return -total / NAT

    def __reduce__(self) -> tuple[type[NGrams], tuple[Any, ...]]:
        """Pickled as what it was made of."""
        return NGrams, (self.tokens, self.trie, self.digits)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> NGrams:
        """The model of a file.

        Raises:
            DecodeError: If it cannot be read, is damaged, or is no such file.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise DecodeError(
                f"cannot read the language model {os.fspath(path)}: {error.strerror}"
            ) from None
        try:
            head = data[:_MAX_HEAD].partition(b"\n")[0]
            told = json.loads(head)
            if told["format"] != _FORMAT:
                raise ValueError(f"format {told['format']!r}")
            inner, count = (int(told[name]) for name in ("inner", "ngrams"))
            if not 0 < inner <= count + 1 <= _MAX_NODES:  # all are inner if none is the longest
                raise ValueError(f"{count} n-grams")
            unpacker = zlib.decompressobj()
            size = 2 * (inner + count)
            parts = unpacker.decompress(data[len(head) + 1 :], size)
            if len(parts) != size or not unpacker.eof or unpacker.unused_data:
                raise ValueError("its parts do not fill it")
            token, cost, children, backoff = np.split(
                np.frombuffer(parts, np.uint8), [count, 2 * count, 2 * count + inner]
            )
            trie = Trie(token, cost, children, backoff.view(np.int8))
            return cls(told["tokens"], trie, told.get("digits", ()))
        except (
            ValueError,
            OverflowError,
            KeyError,
            TypeError,
            IndexError,
            zlib.error,
            RecursionError,
        ) as error:
            raise DecodeError(
                f"{os.fspath(path)} is no language model, or a damaged one ({error}): make one "
                "with `python -m model.lm`"
            ) from None

    def save(self, path: Path) -> None:
        """Write the model to a file.

        Raises:
            CrnnError: If it cannot be written.
        """
        told = {
            "format": _FORMAT,
            "inner": len(self.trie.children),
            "ngrams": len(self.trie.token),
            "tokens": self.tokens,
            **({"digits": self.digits} if self.digits else {}),
        }
        packed = zlib.compress(b"".join(part.tobytes() for part in self.trie), 9)
        atomic_write(path, json.dumps(told).encode() + b"\n" + packed)


@lru_cache(maxsize=8)
def _shared(path: str, _modified_ns: int, _size_bytes: int) -> NGrams:
    return NGrams.read(path)


def shared_ngrams(path: str | os.PathLike[str]) -> NGrams:
    """The model of a file, one object for all decoders of this process.

    Raises:
        DecodeError: As `NGrams.read` does.
    """
    try:
        stat = Path(path).stat()
    except OSError:
        return NGrams.read(path)  # which says why
    return _shared(os.fspath(path), stat.st_mtime_ns, stat.st_size)
