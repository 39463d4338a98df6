from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from decoding import decode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_ctc import random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import lexicon, make_decoder
from crnn_edge.decoders.ctc import forward_sum
from crnn_edge.decoders.lexicon_index import LexiconIndex
from crnn_edge.errors import CrnnError, DecodeError
from crnn_edge.recognition import Recognition

ABC = Charset(tuple("abcABC"))
SEEDS = st.integers(0, 9999)
WORDS = st.lists(st.text("abcABC", min_size=1, max_size=5), min_size=1, max_size=20)


@pytest.fixture(params=["short list", "tree"], autouse=True)
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "tree":
        monkeypatch.setattr(lexicon, "_SHORT", 0)


def read(log_probs: np.ndarray, words: object, **settings: object) -> Recognition:
    (reading,) = decode(make_decoder("lexicon", ABC, words=words, **settings), log_probs)
    return reading


def showing(text: str, p: float = 0.9) -> np.ndarray:
    """Log-probs that show a text clearly, a step for each character and a blank after it."""
    probs = np.full((2 * len(text), 7), (1 - p) / 6, dtype=np.float32)
    probs[np.arange(0, len(probs), 2), ABC.encode(text)] = p
    probs[1::2, 0] = p
    return np.log(probs)


@settings(max_examples=40)
@given(WORDS, st.integers(1, 8), SEEDS, st.floats(0.1, 5))
def test_the_reading_is_the_most_probable_word(
    words: list[str], steps: int, seed: int, spread: float
) -> None:
    log_probs = random_log_probs(steps, 7, seed=seed, spread=spread)
    scores = forward_sum(log_probs[None], [ABC.encode(word) for word in words])
    reading = read(log_probs, words, ignore_case=False)
    assert reading.matches_constraint is bool(np.isfinite(scores.max()))
    if reading.matches_constraint:
        assert reading.text == words[int(scores.argmax())]
        assert reading.log_prob == pytest.approx(scores.max(), abs=1e-5)
        assert reading.optimal


@example(words=["BB"], steps=2, seed=148)
@settings(max_examples=40)
@given(WORDS, st.integers(1, 8), SEEDS)
def test_without_case_the_cases_of_a_letter_add_up(words: list[str], steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 7, seed=seed)
    merged = np.full_like(log_probs, -np.inf)
    merged[:, 0] = log_probs[:, 0]
    merged[:, 1:4] = np.logaddexp(log_probs[:, 1:4], log_probs[:, 4:])
    scores = forward_sum(merged[None], [ABC.encode(word.lower()) for word in words])
    reading = read(log_probs, words)
    if np.isfinite(scores.max()):
        assert reading.matches_constraint
        assert reading.text.lower() == words[int(scores.argmax())].lower()
    else:  # the greedy text; `bB` fits two steps, though the sum for `bb` wants a blank between
        assert reading.matches_constraint is (
            reading.text.lower() in {word.lower() for word in words}
        )


@settings(max_examples=40)
@given(WORDS, st.integers(1, 6), SEEDS, st.floats(0.1, 9))
def test_what_is_proven_is_the_most_probable_writing_of_any_word(
    words: list[str], steps: int, seed: int, spread: float
) -> None:
    log_probs = random_log_probs(steps, 7, seed=seed, spread=spread)
    reading = read(log_probs, words)
    if reading.optimal:
        writings = {
            "".join(letters)
            for word in words
            for letters in itertools.product(*((c.lower(), c.upper()) for c in word))
        }
        scores = forward_sum(log_probs[None], [ABC.encode(text) for text in writings])
        assert reading.log_prob >= scores.max() - 1e-5


def test_a_case_that_another_word_beats_is_not_proven() -> None:
    log_probs = np.log(np.array([[[1e-9, 0.3, 0.3, 0.4]]], dtype=np.float32))
    decoder = make_decoder("lexicon", Charset(tuple("aAb")), words=["a", "b"])
    (reading,) = decode(decoder, log_probs)
    assert (reading.text.lower(), reading.matches_constraint) == (
        "a",
        True,
    )  # its cases together: 0.6
    assert not reading.optimal  # alone it has 0.3, and b has 0.4


def test_a_word_that_has_half_of_the_probability_in_one_writing_is_proven() -> None:
    assert read(showing("abC"), ["aBc", "ca"]).optimal
    step = [0.25, 0.6, 0.01, 0.02, 0.1, 0.01, 0.01]  # the blank, abc, ABC
    reading = read(np.log(np.array([step, step], dtype=np.float32)), ["a", "b"])
    assert reading.confidence == pytest.approx(0.66)  # of three alignments, none of which has half
    assert reading.optimal


@pytest.mark.parametrize(
    ("tokens", "step"), [("ab1", [0.2, 0.25, 0.15, 0.4]), ("aA1", [0.2, 0.25, 0.1, 0.45])]
)
def test_a_word_whose_letters_have_no_cases_is_proven_at_any_probability(
    tokens: str, step: list[float]
) -> None:
    decoder = make_decoder("lexicon", Charset(tuple(tokens)), words=["a", "1"])
    (reading,) = decode(decoder, np.log(np.array([[step]], dtype=np.float32)))
    assert (reading.text, reading.optimal) == ("1", True)


@pytest.mark.parametrize("shown", ["abc", "ABC", "Abc", "aBC"])
def test_a_word_is_written_as_the_picture_shows_it(shown: str) -> None:
    assert read(showing(shown), ["aBc", "ca"]).text == shown
    assert read(showing(shown[:2] + "b"), ["aBc", "ca"], lexicon_prior=1).text[:2] == shown[:2]


def test_a_charset_without_small_letters_spells_words_in_them() -> None:
    decoder = make_decoder("lexicon", Charset(tuple("ABC")), words=["abc"])
    (reading,) = decode(decoder, random_log_probs(5, 4, seed=0))
    assert reading.text == "ABC"


def test_the_prior_weighs_words_against_everything_else() -> None:
    log_probs = showing("aba", 0.6)
    word_and_free = forward_sum(log_probs[None], [ABC.encode("abc"), ABC.encode("aba")])
    ratio = float(np.exp(word_and_free[1] - word_and_free[0]))
    above, below = ratio / (1 + ratio) + 1e-3, ratio / (1 + ratio) - 1e-3
    for prior, text in ((1.0, "abc"), (above, "abc"), (below, "aba"), (0.01, "aba")):
        reading = read(log_probs, ["abc"], ignore_case=False, lexicon_prior=prior)
        assert (reading.text, reading.matches_constraint) == (text, text == "abc")
        odds = np.log(prior / (1 - prior)) if prior < 1 and text == "abc" else 0
        assert reading.lm_score == pytest.approx(odds)


@pytest.mark.parametrize("word", ["abcab", "aaa", "bb"])
def test_where_no_word_fits_the_reading_is_greedy_and_says_so(word: str) -> None:
    reading = read(showing("ab")[:3] if word == "bb" else showing("ab"), [word * 2])
    assert reading.text == "ab"
    assert reading.matches_constraint is False


@settings(max_examples=20)
@given(WORDS, SEEDS)
def test_a_batch_equals_its_members(words: list[str], seed: int) -> None:
    log_probs = random_log_probs(4, 7, 7, seed=seed)
    decoder = make_decoder("lexicon", ABC, words=words, lexicon_prior=0.9)
    assert decode(decoder, log_probs) == [decode(decoder, rows)[0] for rows in log_probs]
    assert decode(decoder, log_probs[:0]) == []
    assert decode(decoder, log_probs, [4] * 4) == [
        decode(decoder, rows[:4])[0] for rows in log_probs
    ]


@settings(max_examples=20)
@given(WORDS)
def test_the_index_has_the_words_and_no_others(words: list[str]) -> None:
    automaton = LexiconIndex.of_words(words, ABC, ignore_case=False).automaton
    assert sorted(map(ABC.decode, automaton.texts())) == sorted(set(words))
    for length in range(4):
        for text in map("".join, itertools.product("abc", repeat=length)):
            assert automaton.accepts_text(ABC.encode(text)) is (text in words)


def test_a_saved_index_reads_as_the_list_does(tmp_path: Path) -> None:
    listed, saved = tmp_path / "words.txt", tmp_path / "words.lexicon"
    listed.write_text("\ufeffabc\n\n  Ba \nab\nab\n", encoding="utf-8")
    LexiconIndex.read(listed, ABC).save(saved)
    assert sorted(tmp_path.iterdir()) == [saved, listed]  # nothing temporary is left
    log_probs = random_log_probs(9, 5, 7, seed=0)
    decoders = [make_decoder("lexicon", ABC, words=p) for p in (listed, str(saved))]
    decoders.append(make_decoder("lexicon", ABC, words=("abc", "Ba", "ab")))
    assert (
        decode(decoders[0], log_probs)
        == decode(decoders[1], log_probs)
        == decode(decoders[2], log_probs)
    )
    LexiconIndex.read(saved, ABC).save(saved)  # even onto itself
    assert (
        LexiconIndex.read(saved, ABC).automaton.texts()
        == LexiconIndex.read(listed, ABC).automaton.texts()
    )


def test_files_that_are_no_lexicon_are_refused(tmp_path: Path) -> None:
    saved = tmp_path / "words.lexicon"
    LexiconIndex.of_words(["abc"], ABC).save(saved)
    with pytest.raises(DecodeError, match="another charset"):
        LexiconIndex.read(saved, Charset(tuple("abc")))
    with pytest.raises(DecodeError, match="ignore_case=True, and ignore_case=False"):
        LexiconIndex.read(saved, ABC, ignore_case=False)
    whole = saved.read_bytes()
    for damaged in (whole[:-1], whole[:-200], whole[:60]):
        saved.write_bytes(damaged)
        with pytest.raises(DecodeError, match=r"words\.lexicon is damaged"):
            LexiconIndex.read(saved, ABC)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(DecodeError, match="cannot read the lexicon"):
            LexiconIndex.read(missing, ABC)
    with pytest.raises(CrnnError, match=r"cannot write .*words\.lexicon: No such file"):
        LexiconIndex.of_words(["abc"], ABC).save(tmp_path / "none" / "words.lexicon")
    saved.write_bytes(b"ab\xffc")
    with pytest.raises(DecodeError, match="cannot read the lexicon"):
        LexiconIndex.read(saved, ABC)


def test_words_that_cannot_be_read_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    index = LexiconIndex.of_words(["abc", "xyz", "a b", "ab" * 150], ABC)
    assert index.automaton.texts() == [ABC.encode("abc")]
    assert "1 words of more than 256 tokens are left out" in caplog.messages
    assert any("such as ['xyz', 'a b']: they are left out" in told for told in caplog.messages)


def test_words_that_cannot_be_and_impossible_settings_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"2 words .* such as \['xyz', 'a b'\]"):
        LexiconIndex.of_words(["xyz", "a b"], ABC)
    for nothing in ([], [""]):
        with pytest.raises(DecodeError, match="no words"):
            LexiconIndex.of_words(nothing, ABC)
    with pytest.raises(DecodeError, match="above 0 and at most 1"):
        read(showing("ab"), ["ab"], lexicon_prior=0.0)
    with pytest.raises(DecodeError, match=r"'lexicon' needs \['words'\]: it has words, ignore_"):
        make_decoder("lexicon", ABC)
    with pytest.raises(DecodeError, match="expected log-probabilities"):
        read(np.full((4, 7), np.nan, np.float32), ["ab"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"charset"', b'"kharset"'),
        (b'"ignore_case": true', b'"ignored_case": 0'),
        (b'"sizes": {', b'"sizes": 7, "x": {'),
    ],
)
def test_a_damaged_head_is_told_as_such(old: bytes, new: bytes, tmp_path: Path) -> None:
    saved = tmp_path / "words.lexicon"
    LexiconIndex.of_words(["abc"], ABC).save(saved)
    head, end, rest = saved.read_bytes().partition(b"\n")
    damaged = head.replace(old, new)
    assert damaged != head
    saved.write_bytes(damaged.rstrip().ljust(len(head)) + end + rest)
    with pytest.raises(DecodeError, match=r"words\.lexicon is damaged"):
        LexiconIndex.read(saved, ABC)


def test_no_damage_of_an_index_passes_unseen(tmp_path: Path) -> None:
    saved = tmp_path / "words.lexicon"
    LexiconIndex.of_words(["abc", "ba", "cab"], ABC).save(saved)
    whole = saved.read_bytes()
    for place in range(whole.index(b"\n") + 1, len(whole)):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
        with pytest.raises(DecodeError, match="its checksum is another"):
            LexiconIndex.read(saved, ABC)
    nested = whole.split(b",")[0] + b', "x": ' + b"[" * 100_000 + b"\n"
    saved.write_bytes(nested)
    with pytest.raises(DecodeError, match="is damaged"):
        LexiconIndex.read(saved, ABC)


def test_an_arc_that_leads_nowhere_is_damage(tmp_path: Path) -> None:
    saved = tmp_path / "words.lexicon"
    index = LexiconIndex.of_words(["abc"], ABC)
    index.automaton.target[-1] = 99
    index.save(saved)
    with pytest.raises(DecodeError, match="an arc leads to another node"):
        LexiconIndex.read(saved, ABC)
    index.automaton.target[-1] = 1  # in a circle
    index.save(saved)
    with pytest.raises(DecodeError, match="an arc leads to another node"):
        LexiconIndex.read(saved, ABC)
