"""A language model of n-grams of tokens: how probable a token is after those before it.

What was seen after the last N - 1 tokens counts; where a token was never seen there, the last N - 2
do, at a price, and so on (S. M. Katz: *Estimation of probabilities from sparse data for the
language model component of a speech recognizer*, 1987). Stored, it is a trie; loaded, an automaton:
each n-gram that something can follow is a state, and a state's way back is the same without its
first token (as in A. Aho, M. Corasick: *Efficient string matching*, 1975). So a token costs one
search among what follows, and a model of 200,000 n-grams is there in some 20 ms.

`python -m model.lm` makes one.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

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
        tokens: What it knows.
        trie: The n-grams. The first level has all tokens, the beginning and the end.

    Attributes:
        tokens: What it knows.
        trie: The n-grams.
        start: The state where a text begins.
        end: The number of the end, which `step` takes like a token.

    Raises:
        ValueError: If that is no trie of n-grams whose shorter forms are there, too.
    """

    def __init__(self, tokens: Sequence[str], trie: Trie) -> None:
        """Find each n-gram's way back."""
        self.tokens, self.trie = tuple(tokens), trie
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

    def log_prob(self, tokens: Iterable[int]) -> float:
        """The log-probability of a whole text, in numbers of tokens."""
        total, state = 0, self.start
        for token in (*tokens, self.end):
            cost, state = self.step(state, token)
            total += cost
        return -total / NAT

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
            return cls(told["tokens"], Trie(token, cost, children, backoff.view(np.int8)))
        except (ValueError, KeyError, TypeError, IndexError, zlib.error, RecursionError) as error:
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
        }
        packed = zlib.compress(b"".join(part.tobytes() for part in self.trie), 9)
        atomic_write(path, json.dumps(told).encode() + b"\n" + packed)
