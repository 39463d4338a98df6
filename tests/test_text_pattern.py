"""Texts of a pattern or of a list: only these, and all of these."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError, DecodeError
from model.data.synth import main
from model.data.text.requested import ListTexts, PatternTexts, requested_texts
from model.data.text.text_source import MAX_LENGTH, TextSource

PATTERNS = (
    r"[A-Z]{2}-\d{3}-[A-Z]{2}",
    r"\d{1,3}\.\d",
    r"(AB|C\d{4})x?",
    r"[0-9]+",
    r"SN: [0-9A-F]{6}",
    r"-?\d+(,\d{3})*",
    r"\w{30}",
)


def sampled(source: PatternTexts | ListTexts, count: int = 400) -> list[str]:
    rng = np.random.default_rng(3)
    return [source.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_match_their_pattern(pattern: str) -> None:
    source = PatternTexts(pattern, Charset.ascii())
    texts = sampled(source)
    assert all(re.fullmatch(pattern, text) for text in texts)
    assert all(source.allows(text) and 0 < len(text) <= MAX_LENGTH for text in texts)
    assert len(set(texts)) > 100
    assert sampled(source) == texts


def test_lengths_and_branches_come_alike() -> None:
    lengths = Counter(map(len, sampled(PatternTexts(r"\d{1,8}", Charset.ascii()), 4000)))
    assert set(lengths) == set(range(1, 9))
    assert min(lengths.values()) > 400
    words = Counter(
        text.isdigit() for text in sampled(PatternTexts(r"(CAT|\d{3})", Charset.ascii()))
    )
    assert 120 < words[True] < 280
    assert len(set("".join(sampled(PatternTexts(r"[A-Z]", Charset.ascii()))))) == 26


def test_a_repeat_without_an_end_stays_short() -> None:
    assert 10 < max(map(len, sampled(PatternTexts(r"A\d+", Charset.ascii())))) <= 14


def test_no_text_begins_or_ends_with_a_space() -> None:
    texts = sampled(PatternTexts(r"[ A]{3}", Charset.ascii()))
    assert set(texts) == {"AAA", "A A"}
    with pytest.raises(CrnnError, match="space"):
        sampled(PatternTexts(r" \d", Charset.ascii()))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"\d{61}", "more than 60"),
        (r"", "is empty"),
        (r"[", "ends too soon"),
        ("é", "charset"),
    ],
)
def test_patterns_that_cannot_be_drawn_are_refused(pattern: str, says: str) -> None:
    with pytest.raises(CrnnError, match=says):
        PatternTexts(pattern, Charset.ascii())


def test_a_pattern_speaks_the_charset() -> None:
    assert set("".join(sampled(PatternTexts(r".{4}", Charset(tuple("01AB")))))) == set("01AB")
    with pytest.raises(DecodeError):
        PatternTexts(r"[A-Z]\d", Charset(tuple("0123")))


def test_a_list_is_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("12-34\nSN 7\n\nabc\n", encoding="utf-8")
    source = requested_texts(Charset.ascii(), None, None, tmp_path / "texts.txt")
    assert isinstance(source, ListTexts)
    assert set(sampled(source)) == {"12-34", "SN 7", "abc"}
    assert not source.allows("ABC")
    with pytest.raises(CharsetError, match="abc"):
        requested_texts(Charset(tuple("0123456789- SN")), None, None, tmp_path / "texts.txt")
    with pytest.raises(CrnnError, match="60"):
        ListTexts(["x" * 61], Charset.ascii())


def test_without_either_the_usual_texts_are_drawn() -> None:
    assert isinstance(requested_texts(Charset.ascii(), None, None, None), TextSource)


def test_synth_writes_only_what_matches(tmp_path: Path) -> None:
    out = tmp_path / "plates"
    options = ["--count", "12", "--out", str(out), "--workers", "1"]
    assert main([*options, "--text-pattern", r"[a-z]{3} \d{2}"]) == 0
    rows = (out / "labels.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 12
    assert all(re.fullmatch(r"[a-z]{3} \d{2}", row.split("\t")[1]) for row in rows)
