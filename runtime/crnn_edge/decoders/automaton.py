"""A set of texts as a graph, which a search walks along token by token: a deterministic automaton.

A word list is a tree of its prefixes, a pattern a graph with loops, and all texts there are make a
single node. The arcs of all nodes lie in flat arrays, so that many nodes are expanded at once, and
a file of them can be mapped into memory instead of read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Automaton:
    """Nodes, of which 0 is the start, and arcs from node to node that each carry a token.

    Attributes:
        first: `(M + 1,)`: node m has the arcs `first[m]` to `first[m + 1]`.
        token: `(E,)`: the class id of each arc, ascending at each node.
        target: `(E,)`: the node that each arc leads to.
        accepts: `(M,) bool`: whether a text may end at a node.
    """

    first: Ints
    token: Ints
    target: Ints
    accepts: npt.NDArray[np.bool_]

    @classmethod
    def of_everything(cls, num_classes: int) -> Automaton:
        """All texts that `num_classes - 1` tokens can write."""
        arcs = num_classes - 1
        token = np.arange(1, num_classes)
        return cls(np.array([0, arcs]), token, np.zeros(arcs, np.intp), np.ones(1, np.bool_))

    @classmethod
    def of_words(cls, words: Sequence[Sequence[int]]) -> Automaton:
        """The tree of words in class ids. Nodes are in order of depth, so arc e leads to e + 1."""
        lengths = np.array([len(word) for word in words], dtype=np.intp)
        letters = np.zeros((len(words), max(lengths, default=0)), dtype=np.uint16)
        letters[np.arange(letters.shape[1]) < lengths[:, None]] = [k for w in words for k in w]
        order = np.lexsort(letters.T[::-1]) if letters.size else np.arange(len(words))
        letters, lengths = letters[order], lengths[order]
        node = np.zeros(len(words), dtype=np.int32)  # where each word has got to
        ends, tokens, parents = [node[lengths == 0]], [], []
        fresh = np.zeros(len(words), dtype=np.bool_)  # it parts here from the word before, or did
        fresh[:1] = True
        nodes = 1
        for depth, column in enumerate(letters.T):
            fresh[1:] |= column[1:] != column[:-1]
            opens = fresh & (lengths > depth)
            tokens.append(column[opens])
            parents.append(node[opens])
            node = np.where(lengths > depth, nodes + np.cumsum(opens, dtype=np.int32) - 1, node)
            nodes += len(tokens[-1])
            ends.append(node[lengths == depth + 1])
        accepts = np.zeros(nodes, dtype=np.bool_)
        accepts[np.concatenate(ends)] = True
        arcs = np.bincount(np.concatenate([*parents, node[:0]]), minlength=nodes)
        first = np.concatenate([[0], np.cumsum(arcs)]).astype(np.int32)
        token = np.concatenate([*tokens, letters[:0, :0].ravel()])
        return cls(first, token, np.arange(1, nodes, dtype=np.int32), accepts)

    @cached_property
    def alphabet(self) -> Ints:
        """The tokens that occur in any text."""
        return np.flatnonzero(np.bincount(self.token, minlength=1))

    @cached_property
    def arcs(self) -> list[dict[int, int]]:
        """Of each node, the target by token: what a search in plain Python needs."""
        pairs = list(zip(self.token.tolist(), self.target.tolist(), strict=True))
        first = self.first.tolist()
        return [dict(pairs[a:b]) for a, b in pairwise(first)]

    @cached_property
    def distance(self) -> list[int]:
        """Of each node, how many tokens at least are missing from an accepted text.

        Every node must have an accepted text ahead.
        """
        sources: list[list[int]] = [[] for _ in range(len(self.accepts))]
        source = np.repeat(np.arange(len(self.accepts)), np.diff(self.first))
        for node, target in zip(source.tolist(), self.target.tolist(), strict=True):
            sources[target].append(node)
        distance = [0 if accepted else -1 for accepted in self.accepts.tolist()]
        nearest = [node for node, d in enumerate(distance) if d == 0]
        for node in nearest:  # which grows while it is walked along: breadth first
            for before in sources[node]:
                if distance[before] < 0:
                    distance[before] = distance[node] + 1
                    nearest.append(before)
        return distance

    def accepts_text(self, text: Sequence[int]) -> bool:
        """Whether a text in class ids is one of these."""
        node = 0
        for token in text:
            arcs = slice(self.first[node], self.first[node + 1])
            place = arcs.start + np.searchsorted(self.token[arcs], token)
            if place == arcs.stop or self.token[place] != token:
                return False
            node = self.target[place]
        return bool(self.accepts[node])

    def texts(self) -> list[list[int]]:
        """All texts, of an automaton without loops."""
        found, waiting = [], [(0, list[int]())]
        while waiting:
            node, text = waiting.pop()
            found += [text] if self.accepts[node] else []
            arcs = slice(self.first[node], self.first[node + 1])
            for token, target in zip(self.token[arcs], self.target[arcs], strict=True):
                waiting.append((int(target), [*text, int(token)]))
        return found

    def allowed_tokens(
        self, node: int, candidates: list[tuple[float, int]], steps: int
    ) -> list[tuple[float, int]]:
        """Those candidates `(p, token)` after which a text can still end within `steps` tokens."""
        arcs, distance = self.arcs[node], self.distance
        return [c for c in candidates if c[1] in arcs and distance[arcs[c[1]]] <= steps]

    def expand(self, nodes: Ints) -> tuple[Ints, Ints]:
        """All arcs of some nodes: for each the index into `nodes`, and the index of the arc."""
        counts = self.first[nodes + 1] - self.first[nodes]
        source = np.repeat(np.arange(len(nodes)), counts)
        before = np.cumsum(counts) - counts
        return source, np.arange(len(source)) + (self.first[nodes] - before)[source]
