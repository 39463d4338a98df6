r"""Patterns: a regular expression as an automaton over the tokens of a charset.

What plates, meters and serial numbers need: literals, `.`, `\d`, `\w`, `\s` and their opposites
`\D`, `\W`, `\S`, sets `[A-Z0-9]` and `[^…]`, groups, `|`, and `?`, `*`, `+`, `{3}`, `{2,}`,
`{2,4}`. A pattern always matches the whole text, so there is no `^` and no `$`.

The expression becomes a nondeterministic automaton (K. Thompson: *Regular Expression Search
Algorithm*, CACM 1968), and that a deterministic one (M. O. Rabin, D. Scott: *Finite Automata and
Their Decision Problems*, 1959) without dead ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.checks import check_kind
from crnn_edge.errors import DecodeError

_MAX_STATES = 10_000
_MAX_WORK = 2_000_000  # moves and jumps followed while compiling: some seconds
_KINDS: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
}
_Single = str | frozenset[int]  # a character, perhaps escaped, or classes such as those of `\d`
_REPEAT = re.compile(r"\{(\d{1,5})(,(\d{0,5}))?\}")


def compile_pattern(pattern: str, charset: Charset) -> Automaton:
    """The automaton of all texts that match a pattern.

    Raises:
        DecodeError: If the pattern is wrong (the message says where), matches no text that the
            charset can write, or the charset's tokens are not characters.
    """
    check_kind(str, "a regular expression as text", pattern=pattern)
    if not pattern:
        raise DecodeError(
            "decoder setting 'pattern' is empty, which only the empty text matches: leave it out "
            "to read anything (was a variable unset?)"
        )
    if charset.separator:
        raise DecodeError("patterns are for charsets of characters, not of symbols")
    try:
        return _Compiler(pattern, charset).automaton()
    except RecursionError:
        raise DecodeError(f"pattern {pattern[:40]!r}…: its groups are nested too deeply") from None


class _Compiler:
    """Reads a pattern from left to right and adds states as it goes.

    Each `_parse` method takes the state that its part begins in and returns the one it ends in.
    """

    def __init__(self, pattern: str, charset: Charset) -> None:
        self.pattern = pattern
        self.position = 0
        self.class_of = {token: k for k, token in enumerate(charset.tokens, start=1)}
        self.moves: list[list[tuple[frozenset[int], int]]] = []  # of each state, on tokens
        self.jumps: list[list[int]] = []  # and on nothing
        self.work = 0

    def automaton(self) -> Automaton:
        start = self._state()
        end = self._alternatives(start)
        if self.position < len(self.pattern):
            raise self._wrong("unmatched )")
        return self._deterministic(start, end)

    def _wrong(self, reason: str, at: int | None = None) -> DecodeError:
        at = self.position if at is None else at
        return DecodeError(
            f"pattern {self.pattern!r}, character {at + 1}: {reason}; known are "
            r"literals, . \d \w \s [A-Z] [^A-Z] (a|b) ? * + {2} {2,} {2,4}"
        )

    def _state(self) -> int:
        if len(self.moves) > _MAX_STATES:
            raise self._wrong(f"it takes more than {_MAX_STATES:,} states: repeat less")
        self.moves.append([])
        self.jumps.append([])
        return len(self.moves) - 1

    def _next(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _take(self) -> str:
        if not (character := self._next()):
            raise self._wrong("it ends too soon")
        self.position += 1
        return character

    def _alternatives(self, start: int) -> int:
        end = self._state()
        while True:
            self.jumps[self._sequence(start)].append(end)
            if self._next() != "|":
                return end
            self.position += 1

    def _sequence(self, start: int) -> int:
        while self._next() not in ("", "|", ")"):
            start = self._repeated(start)
        return start

    def _repeated(self, start: int) -> int:
        begin, inner, end = self.position, self._state(), self._state()
        last = self._atom(inner)
        least, most = self._count()
        after = self.position
        if most != 0:
            self.jumps[start].append(inner)
        for copy in range(1, max(least, most or 1) + 1):
            if copy > 1:  # written out: the part is read again
                self.position, inner = begin, last
                last = self._atom(inner)
            if copy >= least:
                self.jumps[last].append(end)
        if most is None:
            self.jumps[last].append(inner)
        if least == 0:
            self.jumps[start].append(end)
        self.position = after
        return end

    def _count(self) -> tuple[int, int | None]:
        """How often the part before may come: at least, and at most if there is a most."""
        if (mark := self._next()) in ("?", "*", "+") and mark:
            self.position += 1
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[mark]
        if mark != "{":
            return 1, 1
        found = _REPEAT.match(self.pattern, self.position)
        if not found:
            raise self._wrong("expected {2}, {2,} or {2,4}")
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if most is not None and most < least:
            raise self._wrong("the first number in {…} is greater than the second")
        self.position = found.end()
        return least, most

    def _atom(self, start: int) -> int:
        at = self.position
        character = self._take()
        if character == "(":
            if self.pattern.startswith("?:", self.position):
                self.position += 2
            end = self._alternatives(start)
            if self._next() != ")":
                raise self._wrong("missing )")
            self.position += 1
            return end
        if character in "?*+{":
            raise self._wrong("nothing to repeat", at)
        if character in "^$":
            raise self._wrong("a pattern always matches the whole text: leave out ^ and $", at)
        end = self._state()
        self.moves[start].append((self._set(character), end))
        return end

    def _set(self, character: str) -> frozenset[int]:
        """The classes that a single character of the pattern, or a set of them, stands for."""
        if character == ".":
            return frozenset(self.class_of.values())
        if character != "[":
            at = self.position - 1
            return self._classes(self._single(character), at)
        negated = self._next() == "^"
        self.position += negated
        members: frozenset[int] = frozenset()
        begin = self.position
        if self.pattern.startswith("[:", begin) and ":]" in self.pattern[begin:]:
            raise self._wrong(r"classes such as [:digit:] are unknown: write \d or [0-9]", begin)
        while (character := self._take()) != "]" or self.position == begin + 1:
            here = self.position - 1
            single = self._single(character)
            if self._next() == "-" and self.pattern[self.position + 1 : self.position + 2] != "]":
                self.position += 1
                members |= self._range(single, self._single(self._take()), here)
            else:
                members |= self._classes(single, here)
        return frozenset(self.class_of.values()) - members if negated else members

    def _single(self, character: str) -> _Single:
        if character != "\\":
            return character
        escaped = self._take()
        kind = _KINDS.get(escaped.lower())
        if kind is None:
            if escaped.isalnum():
                raise self._wrong(f"unknown \\{escaped}", self.position - 2)
            return escaped
        return frozenset(k for c, k in self.class_of.items() if kind(c) == escaped.islower())

    def _range(self, low: _Single, high: _Single, here: int) -> frozenset[int]:
        """The classes from one character to another, whose range is written from `here` on."""
        written = self.pattern[here : self.position]
        if not (isinstance(low, str) and isinstance(high, str)):
            reason = f"bad character range {written}: it needs a character at either end"
            raise self._wrong(reason, here)
        if high < low:
            raise self._wrong(f"the range {written} runs backwards", here)
        return frozenset(k for c, k in self.class_of.items() if low <= c <= high)

    def _classes(self, single: _Single, at: int) -> frozenset[int]:
        if not isinstance(single, str):
            return single
        if single not in self.class_of:
            raise self._wrong(f"{single!r} is not in the charset", at)
        return frozenset([self.class_of[single]])

    def _deterministic(self, start: int, end: int) -> Automaton:
        """The automaton whose nodes are sets of states."""
        nodes = {self._closure([start]): 0}
        waiting, arcs = list(nodes), list[tuple[int, int, int]]()
        while waiting:
            here = waiting.pop()
            reached: dict[int, set[int]] = {}
            for state in here:
                self._count_work(sum(len(members) for members, _ in self.moves[state]))
                for members, target in self.moves[state]:
                    for k in members:
                        reached.setdefault(k, set()).add(target)
            known: dict[frozenset[int], frozenset[int]] = {}
            for k, targets in reached.items():
                key = frozenset(targets)
                there = known[key] = known.get(key) or self._closure(targets)
                if there not in nodes:
                    nodes[there] = len(nodes)
                    waiting.append(there)
                arcs.append((nodes[here], k, nodes[there]))
            if len(nodes) > _MAX_STATES:
                raise self._wrong(f"it takes more than {_MAX_STATES:,} states: repeat less")
        return self._trimmed(arcs, [end in states for states in nodes])

    def _count_work(self, steps: int) -> None:
        """Bound the time, which nested repetitions multiply."""
        self.work += steps
        if self.work > _MAX_WORK:
            raise self._wrong("it takes too long to compile: nest fewer repetitions")

    def _closure(self, states: Iterable[int]) -> frozenset[int]:
        """The states, and all that can be reached from them on nothing."""
        found, waiting = set(states), list(states)
        while waiting:
            self._count_work(1)
            for state in self.jumps[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)

    def _trimmed(self, arcs: list[tuple[int, int, int]], accepts: list[bool]) -> Automaton:
        """The automaton without nodes from which no accepted text can be reached."""
        sources: dict[int, set[int]] = {}
        for source, _, target in arcs:
            sources.setdefault(target, set()).add(source)
        waiting = [node for node, ends in enumerate(accepts) if ends]
        alive = set(waiting)
        while waiting:
            fresh = sources.get(waiting.pop(), set()) - alive
            alive |= fresh
            waiting.extend(fresh)
        if 0 not in alive:
            raise self._wrong("no text of this charset matches it")
        number = {node: i for i, node in enumerate(sorted(alive))}  # the start stays 0
        rows = sorted((number[a], k, number[b]) for a, k, b in arcs if a in alive and b in alive)
        table = np.array(rows, dtype=np.intp).reshape(-1, 3)
        first = np.searchsorted(table[:, 0], np.arange(len(number) + 1))
        return Automaton(first, table[:, 1], table[:, 2], np.array([accepts[n] for n in number]))
