from __future__ import annotations

import math
import re

import numpy as np
import pytest
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ctc import GOLDEN, enumerate_texts, random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import beam, beam_search, beam_vectorized, make_decoder
from crnn_edge.errors import DecodeError
from crnn_edge.recognition import Recognition

AB = Charset(("a", "b"))
FULL = {"beam_size": 300, "min_token_prob": 0.0, "blank_skip_threshold": 1.0}
SEEDS = st.integers(0, 9999)


@pytest.fixture(params=["plain", "batched"], autouse=True)
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "batched":  # also where it would not pay
        monkeypatch.setattr(beam, "_MUCH", -1)
        monkeypatch.setattr(beam, "_WIDE", 1000)
        monkeypatch.setattr(beam, "_FEW", 1)


def read(log_probs: np.ndarray, charset: Charset = AB, **settings: object) -> Recognition:
    (reading,) = decode(make_decoder("beam", charset, **settings), log_probs)
    return reading


def ranking(log_probs: np.ndarray, charset: Charset = AB) -> list[tuple[float, str]]:
    """All texts there are and their probabilities, the most probable first."""
    texts = enumerate_texts(log_probs).items()
    return sorted(
        ((math.exp(np.logaddexp.reduce(list(p.values()))), charset.decode(t)) for t, p in texts),
        reverse=True,
    )


def test_beam_finds_the_golden_pair() -> None:
    reading = read(GOLDEN, Charset(("a",)))
    assert reading.text == "a"
    assert reading.confidence == pytest.approx(0.64)
    assert reading.optimal


@settings(max_examples=60)
@given(st.integers(1, 6), SEEDS, st.floats(0.1, 4))
def test_at_full_width_it_equals_trying_everything(steps: int, seed: int, spread: float) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed, spread=spread)
    expected = ranking(log_probs)
    reading = read(log_probs, **FULL, nbest=5)
    found = [reading, *reading.alternatives]
    assert [r.text for r in found] == [text for _, text in expected[:5]]
    assert [r.confidence for r in found] == pytest.approx([p for p, _ in expected[:5]], rel=1e-5)


@settings(max_examples=60)
@given(st.integers(1, 12), SEEDS, st.floats(0.1, 6), st.integers(1, 4))
def test_it_is_never_less_probable_than_greedy(
    steps: int, seed: int, spread: float, beam_size: int
) -> None:
    log_probs = random_log_probs(steps, 5, seed=seed, spread=spread)
    charset = Charset(tuple("abcd"))
    (greedy,) = decode(make_decoder("greedy", charset), log_probs)
    assert read(log_probs, charset, beam_size=beam_size).log_prob >= greedy.log_prob - 1e-9


@settings(max_examples=60)
@given(st.integers(1, 6), SEEDS, st.floats(0.5, 6))
def test_what_is_proven_is_the_most_probable(steps: int, seed: int, spread: float) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed, spread=spread)
    reading = read(log_probs, beam_size=2)
    if reading.optimal:
        assert reading.text == ranking(log_probs)[0][1]


@pytest.mark.parametrize("beam_size", [2, 3])
def test_the_reading_is_the_best_of_all_the_texts_that_the_beam_ends_with(beam_size: int) -> None:
    log_probs = random_log_probs(40, 5, 3, seed=1, spread=1)
    readings = decode(make_decoder("beam", AB, beam_size=beam_size), log_probs)
    ended = decode(make_decoder("beam", AB, beam_size=beam_size, nbest=10), log_probs)
    for rows, reading, first in zip(log_probs, readings, ended, strict=True):
        texts = {first.text, *(other.text for other in first.alternatives)}
        assert reading.text == next(text for _, text in ranking(rows) if text in texts)


def test_a_clear_reading_is_proven_and_a_vague_one_is_not() -> None:
    assert read(random_log_probs(9, 3, seed=0, spread=9)).optimal
    assert not read(random_log_probs(9, 3, seed=0, spread=0.1), beam_size=2).optimal


@settings(max_examples=30)
@given(SEEDS, st.floats(0.5, 6))
def test_a_batch_equals_its_members(seed: int, spread: float) -> None:
    log_probs = random_log_probs(5, 9, 3, seed=seed, spread=spread)
    decoder = make_decoder("beam", AB, beam_size=3, nbest=3)
    for rows, reading in zip(log_probs, decode(decoder, log_probs), strict=True):
        (alone,) = decode(decoder, rows)
        assert alone == reading
        assert alone.log_prob == reading.log_prob


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 12), st.floats(0.1, 4), st.integers(1, 9), st.floats(0, 0.2))
def test_the_batched_search_is_the_plain_one(
    seed: int, steps: int, spread: float, beam_size: int, share: float
) -> None:
    probs = np.exp(random_log_probs(3, steps, 6, seed=seed, spread=spread), dtype=np.float64)
    mask = beam_search.candidate_mask(probs, 0.02, 1.0)
    together = beam_vectorized.search(probs, mask, beam_size, share)
    for candidates, found in zip(beam_search.steps_of(probs, mask), together, strict=True):
        alone = beam_search.search(candidates, 6, beam_size, share)
        assert [text for _, text in found] == [text for _, text in alone]
        assert [p for p, _ in found] == pytest.approx([p for p, _ in alone], rel=1e-6)


def test_nothing_is_tried_where_a_blank_is_as_probable_as_was_told() -> None:
    probs = np.array([[[0.992, 0.008], [0.9, 0.1], [0.999, 0.001]]], np.float32)
    for blank_skip_threshold, mask in ((0.99, [False, True, False]), (1.0, [True, True, False])):
        found = beam_search.candidate_mask(probs, 0.002, blank_skip_threshold)
        assert found[0, :, 1].tolist() == mask
        assert not found[0, :, 0].any()


@given(st.integers(1, 9), SEEDS)
def test_a_length_cuts_the_text(length: int, seed: int) -> None:
    log_probs = random_log_probs(2, 9, 3, seed=seed)
    short, _ = decode(make_decoder("beam", AB, **FULL), log_probs, lengths=[length, 9])
    assert short.confidence == pytest.approx(read(log_probs[0, :length], **FULL).confidence)


@pytest.mark.host
def test_long_and_improbable_readings_do_not_underflow() -> None:
    log_probs = random_log_probs(1500, 20, seed=0, spread=0.3)
    reading = read(log_probs, Charset(tuple("abcdefghijklmnopqrs")), beam_size=4)
    assert len(reading.text) > 100
    assert -9999 < reading.log_prob < -745  # exp of which is no float


def test_steps_without_any_probability_do_no_harm() -> None:
    with np.errstate(all="raise"):
        log_probs = np.full((2, 4, 3), -np.inf, dtype=np.float32)
        log_probs[1, :, 1] = 0
        assert [r.text for r in decode(make_decoder("beam", AB), log_probs)] == ["", "a"]
        assert decode(make_decoder("beam", AB), log_probs[:0]) == []
        (impossible,) = decode(make_decoder("greedy", AB), log_probs[:1])
        assert impossible.to_dict()["characters"] == []
        assert impossible.confidence == 0


@pytest.mark.parametrize("pattern", ["a+b?", "(ab)*", "[^a]{2,3}", "b.|a", "()"])
@settings(max_examples=12)
@given(steps=st.integers(1, 6), seed=SEEDS)
def test_a_pattern_leaves_the_best_text_that_matches(pattern: str, steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed)
    matching = [text for p, text in ranking(log_probs) if p and re.fullmatch(pattern, text)]
    reading = read(log_probs, beam_size=300, pattern=pattern)
    assert reading.matches_constraint is bool(matching)
    assert reading.text == (matching[0] if matching else ranking(log_probs)[0][1])


@pytest.mark.parametrize(
    ("pattern", "text", "probs"),
    [
        ("ab", "ab", [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]),  # an empty beginning comes too late
        ("bab|a", "a", [[0.1, 0.3, 0.6], [0.4, 0.3, 0.3]]),  # and so does one of the first b
    ],
)
def test_no_place_in_the_beam_goes_to_what_can_no_longer_match(
    pattern: str, text: str, probs: list[list[float]]
) -> None:
    reading = read(np.log(np.array(probs, dtype=np.float32)), beam_size=1, pattern=pattern)
    assert (reading.text, reading.matches_constraint) == (text, True)


def test_a_pattern_holds_against_the_picture() -> None:
    charset = Charset.ascii()
    log_probs = random_log_probs(3, 24, 96, seed=0, spread=3)
    for reading in decode(make_decoder("beam", charset, pattern=r"[A-Z]{2}\d{4}"), log_probs):
        assert re.fullmatch(r"[A-Z]{2}\d{4}", reading.text)
        assert reading.matches_constraint


def test_where_no_text_matches_the_reading_is_free_and_says_so() -> None:
    log_probs = random_log_probs(3, 3, seed=1, spread=5)
    reading = read(log_probs, pattern="a{9}")
    assert reading.matches_constraint is False
    assert reading.text == read(log_probs).text
    assert read(log_probs).matches_constraint is None


@pytest.mark.parametrize(
    "wrong",
    [{"beam_size": 0}, {"beam_size": 10**9}, {"min_token_prob": 1.0}, {"min_token_prob": -0.1},
     {"blank_skip_threshold": 0.0}, {"nbest": 0}],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DecodeError, match="decoder setting"):
        make_decoder("beam", AB, **wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_log_probs_are_refused(value: float) -> None:
    log_probs = random_log_probs(4, 3, seed=0)
    log_probs[1, 0] = value
    with pytest.raises(DecodeError, match="expected log-probabilities"):
        read(log_probs)
    with pytest.raises(DecodeError, match="C = 3"):
        read(log_probs[:0])
