from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crnn_edge.charset import Charset
from crnn_edge.decoders.pattern import compile_pattern
from crnn_edge.errors import DecodeError

CHARSET = Charset(tuple("ab1-"))
TEXTS = ["".join(t) for n in range(6) for t in itertools.product("ab1-", repeat=n)]


@pytest.mark.parametrize(
    "pattern",
    ["a", "[ab]{2}1", "(a|b1)*", "a?b?", "a{0}b", "(?:ab){2,}", "a{1,3}-", "[^a]+", r"\w{2}\d",
     r"\D*", r"\W|\S1", "(a*)*b", "()", "a|", "[a-b-]{2}", "[]a]?", ".*1.", r"a\-b", r"[\da]{3}",
     "(a|b)?(1-){0,2}", "((a|1)b*)+"],
)  # fmt: skip
def test_it_accepts_what_pythons_expressions_match(pattern: str) -> None:
    charset = Charset(("a", "b", "1", "-", "]")) if "]a" in pattern else CHARSET
    automaton = compile_pattern(pattern, charset)
    accepted = [text for text in TEXTS if automaton.accepts_text(charset.encode(text))]
    assert accepted == [text for text in TEXTS if re.fullmatch(pattern, text)]
    assert min(automaton.distance) == 0
    assert automaton.distance[0] == min(map(len, accepted))  # no node is a dead end


MARKS = Charset(tuple("!+-19A[\\]^a"))  # + to \ and ! to ] are ranges, if one reads them so
ESCAPED = [r"\d", r"\D", r"\w", r"\s", *(f"\\{mark}" for mark in "!+-[\\]")]
MEMBERS = st.lists(st.sampled_from([*"!+-19A[^a", *"---", *ESCAPED]), max_size=6).map("".join)
SHORT = ["".join(t) for n in range(3) for t in itertools.product(MARKS.tokens, repeat=n)]


@settings(max_examples=400)
@given(st.sampled_from(["[", "[]", "[^", "[^]"]), MEMBERS)
@example("[", r"+-\d")
@example("[", r"\d-a")
@example("[", r"\+-9")
@example("[", r"+-\]")
@example("[]", "-a")
@example("[^", r"\w-")
@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
def test_a_set_is_what_pythons_expressions_take_it_for(start: str, members: str) -> None:
    pattern = f"{start}{members}]"
    try:
        expected = [text for text in SHORT if re.fullmatch(pattern, text)]
    except re.error:
        expected = []
    try:
        automaton = compile_pattern(pattern, MARKS)
    except DecodeError:  # also of what matches no text
        found = []
    else:
        found = [text for text in SHORT if automaton.accepts_text(MARKS.encode(text))]
    assert found == expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[1-a", "character 5: it ends too soon"),
        ("a{3,1}", "the first number"),
        ("*a", "character 1: nothing to repeat"),
        ("a**", "character 3: nothing to repeat"),
        ("a)", "character 2: unmatched"),
        ("(a", "missing"),
        ("z", "character 1: 'z' is not in the charset"),
        ("[a1z]", "character 4: 'z' is not in the charset"),
        (r"a\!", "character 2: '!' is not in the charset"),
        ("^a$", "character 1: a pattern always matches the whole text: leave out"),
        ("a{x}", "character 2: expected {2}"),
        (r"a\q", "character 2: unknown"),
        ("[ab-a]", "character 3: the range b-a runs backwards"),
        (r"[b-\-]", r"the range b-\- runs backwards"),
        (r"[--\d]", r"bad character range --\d"),
        (r"[\w-b]", r"bad character range \w-b"),
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


@pytest.mark.parametrize("character", "1²٣¼")
def test_a_digit_is_what_pythons_expressions_call_one(character: str) -> None:
    automaton = compile_pattern(r"\d|z", Charset((character, "z")))
    assert automaton.accepts_text([1]) is bool(re.fullmatch(r"\d", character))


@pytest.mark.parametrize("pattern", ["(.{0,45}){0,45}", "((.?){40}){40}"])
def test_a_pattern_that_would_compile_for_a_minute_is_refused(pattern: str) -> None:
    with pytest.raises(DecodeError, match="too long to compile"):
        compile_pattern(pattern, Charset.ascii())


def test_an_empty_pattern_and_classes_of_other_dialects_are_refused() -> None:
    with pytest.raises(DecodeError, match="'pattern' is empty"):
        compile_pattern("", Charset.ascii())
    with pytest.raises(DecodeError, match=r"\[:digit:\] are unknown"):
        compile_pattern("[[:digit:]]+", Charset.ascii())


def test_the_distance_to_a_text_is_the_shortest() -> None:
    automaton = compile_pattern("a(bc)?d|e", Charset(tuple("abcde")))
    assert automaton.distance[0] == 1
    assert sorted(automaton.distance) == [0, 0, 1, 1, 1, 2]
