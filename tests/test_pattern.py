from __future__ import annotations

import itertools
import re

import pytest

from runtime.charset import Charset
from runtime.decoders.pattern import compile_pattern
from runtime.errors import DecodeError

CHARSET = Charset(tuple("ab1-"))
TEXTS = ["".join(t) for n in range(6) for t in itertools.product("ab1-", repeat=n)]


@pytest.mark.parametrize(
    "pattern",
    ["a", "[ab]{2}1", "(a|b1)*", "a?b?", "a{0}b", "(?:ab){2,}", "a{1,3}-", "[^a]+", r"\w{2}\d",
     r"\D*", r"\W|\S1", "(a*)*b", "", "a|", "[a-b-]{2}", "[]a]?", ".*1.", r"a\-b", r"[\da]{3}",
     "(a|b)?(1-){0,2}", "((a|1)b*)+"],
)  # fmt: skip
def test_it_accepts_what_pythons_expressions_match(pattern: str) -> None:
    charset = Charset(("a", "b", "1", "-", "]")) if "]a" in pattern else CHARSET
    automaton = compile_pattern(pattern, charset)
    accepted = [text for text in TEXTS if automaton.accepts_text(charset.encode(text))]
    assert accepted == [text for text in TEXTS if re.fullmatch(pattern, text)]
    assert min(automaton.distance) == 0
    assert automaton.distance[0] == min(map(len, accepted))  # no node is a dead end


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[1-a", "character 5: it ends too soon"),
        ("a{3,1}", "the first number"),
        ("*a", "nothing to repeat"),
        ("a)", "unmatched"),
        ("(a", "missing"),
        ("z", "'z' is not in the charset"),
        ("^a$", "leave out"),
        ("a{x}", "expected {2}"),
        (r"\q", "unknown"),
        ("[b-a]", "runs backwards"),
        ("[^ab1-]", "no text"),
        ("a{99999}", "more than 10,000 states"),
        (r"(a|b)*a.{15}", "more than 10,000 states"),
        ("(" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=re.escape(reason)):
        compile_pattern(pattern, CHARSET)


def test_symbols_have_no_patterns() -> None:
    with pytest.raises(DecodeError, match="charsets of characters"):
        compile_pattern("a", Charset(("clef", "C4"), separator=" "))
