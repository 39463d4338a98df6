"""Lines of text: as long, as many and as natural as promised."""

from __future__ import annotations

import re
from dataclasses import asdict

import numpy as np
import pytest

from crnn_edge.charset import Charset
from model.data.fonts import PRINTABLE
from model.data.text import lines
from model.data.text.text_source import MAX_LENGTH, Shares, TextSource

WORDS = ("harbor", "lantern", "orchard", "velvet", "pebble")


def words(rng: np.random.Generator) -> str:
    return WORDS[int(rng.random() * len(WORDS))]


def many(kind, count: int = 2000) -> list[str]:
    rng = np.random.default_rng(7)
    return [kind(rng) for _ in range(count)]


def only(*names: str) -> Shares:
    return Shares(**{name: float(name in names) for name in asdict(Shares())})


def test_a_line_has_words_and_fits() -> None:
    texts = many(lambda rng: lines.line(rng, words))
    assert all(1 <= len(text) <= lines.LONGEST for text in texts)
    counts = [text.count(" ") + 1 for text in texts]
    assert np.mean([2 <= count <= 13 for count in counts]) > 0.97
    assert np.mean([count >= 4 for count in counts]) > 0.5
    assert max(map(len, texts)) > 55
    assert np.mean([len(text) > 26 for text in texts]) > 0.3


def test_lines_are_printable_without_loose_spaces_or_slots() -> None:
    for kind in (lines.line, lines.form):
        for text in many(lambda rng, kind=kind: kind(rng, words)):
            assert set(text) <= set(PRINTABLE)
            assert "  " not in text
            assert text == text.strip()
            assert not set(text) & set("{}")


def test_prose_has_the_small_words_and_marks_of_english() -> None:
    text = " ".join(many(lambda rng: lines.prose(rng, words)))
    for word in ("the", "a", "of", "and", "was", "with", "to"):
        assert len(re.findall(rf"\b{word}\b", text)) > (50 if word != "with" else -1), word
    for mark in '.,;:"!?':
        assert text.count(mark) > 20, mark
    starts = re.findall(r"[.!?] (\w)", text)
    assert np.mean([start.isupper() or start.isdigit() for start in starts]) > 0.5


def test_every_name_of_the_grammar_is_known() -> None:
    rules = lines._grammar()
    named = {
        name
        for parts in rules.values()
        for part in parts
        for name in re.findall(r"{([^}]*)}", part)
    }
    assert named - set(rules) == {"#", "#1", "#letter", "word"}
    assert all(part for parts in rules.values() for part in parts)


def test_signs_stand_apart() -> None:
    for text in many(lines.spaced, 300):
        assert re.fullmatch(r"[0-9A-Z]( [0-9A-Z]){1,8}", text), text


def test_machines_write_dates_and_signed_numbers() -> None:
    texts = many(lines.stamp)
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text) for text in texts)
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", text) for text in texts)
    assert any(re.fullmatch(r"-\d+\.\d+", text) for text in texts)
    assert any(re.fullmatch(r"00+\d", text) for text in texts)


def test_a_fifth_of_all_texts_have_spaces() -> None:
    source, rng = TextSource(WORDS, Charset.ascii()), np.random.default_rng(0)
    texts = [source.sample(rng) for _ in range(6000)]
    assert 0.18 < np.mean([" " in text for text in texts]) < 0.35
    assert np.mean([text.count(" ") >= 3 for text in texts]) > 0.07
    assert np.mean([len(text) > 26 for text in texts]) > 0.04
    assert max(map(len, texts)) <= MAX_LENGTH


@pytest.mark.parametrize("name", list(asdict(Shares())))
def test_each_kind_can_be_asked_for_alone(name: str) -> None:
    source = TextSource(WORDS, Charset.ascii(), only(name))
    texts = [source.sample(np.random.default_rng(seed)) for seed in range(20)]
    assert all(text and text == text.strip() for text in texts)
    if name in ("line", "form", "several_words", "spaced"):
        assert sum(" " in text for text in texts) > 10
