from __future__ import annotations

import math
import re

import numpy as np
import pytest
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_beam import AB, SEEDS, ranking
from test_ctc import GOLDEN, random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.errors import DecodeError
from crnn_edge.recognition import Recognition


def read(log_probs: np.ndarray, charset: Charset = AB, **settings: object) -> Recognition:
    (reading,) = decode(make_decoder("prefix_search", charset, **settings), log_probs)
    return reading


def test_it_finds_the_golden_pair() -> None:
    reading = read(GOLDEN, Charset(("a",)))
    assert (reading.text, reading.optimal) == ("a", True)


@settings(max_examples=60)
@given(st.integers(1, 6), SEEDS, st.floats(0.1, 6))
def test_it_equals_trying_everything(steps: int, seed: int, spread: float) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed, spread=spread)
    reading = read(log_probs)
    (prob, text), *_ = ranking(log_probs)
    assert (reading.text, reading.optimal) == (text, True)
    assert reading.confidence == pytest.approx(prob, rel=1e-5)


def test_a_lead_of_less_than_a_thousandth_counts() -> None:
    step = [math.sqrt(0.4999), 1 - math.sqrt(0.4999)]
    reading = read(np.log(np.array([step, step], dtype=np.float32)), Charset(("a",)))
    assert (reading.text, reading.optimal) == ("a", True)  # 0.5001, and nothing at all has 0.4999


@settings(max_examples=20)
@given(SEEDS)
def test_it_stays_exact_on_many_classes_if_they_are_clear(seed: int) -> None:
    log_probs = random_log_probs(16, 96, seed=seed, spread=7)
    charset = Charset.ascii()
    reading = read(log_probs, charset)
    (beam,) = decode(make_decoder("beam", charset, beam_size=50, min_token_prob=0.0), log_probs)
    assert reading.log_prob >= beam.log_prob - 1e-9
    assert reading.text == beam.text or not beam.optimal


def test_it_says_when_it_gave_up_and_is_no_worse_than_greedy() -> None:
    charset = Charset.ascii()
    log_probs = random_log_probs(24, 96, seed=0, spread=1)
    reading = read(log_probs, charset, max_expansions=100)
    (greedy,) = decode(make_decoder("greedy", charset), log_probs)
    assert not reading.optimal
    assert reading.log_prob >= greedy.log_prob


@pytest.mark.parametrize("pattern", ["a+b?", "(ab)*", "b.|a"])
@settings(max_examples=15)
@given(steps=st.integers(1, 6), seed=SEEDS)
def test_a_pattern_leaves_the_best_text_that_matches(pattern: str, steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed)
    matching = [text for p, text in ranking(log_probs) if re.fullmatch(pattern, text)]
    reading = read(log_probs, pattern=pattern)
    assert (reading.text, reading.matches_constraint, reading.optimal) == (matching[0], True, True)


def test_where_no_text_matches_the_reading_is_greedy_and_says_so() -> None:
    log_probs = random_log_probs(3, 3, seed=1)
    reading = read(log_probs, pattern="a{9}")
    (greedy,) = decode(make_decoder("greedy", AB), log_probs)
    assert (reading.text, reading.matches_constraint) == (greedy.text, False)


def test_a_batch_equals_its_members() -> None:
    log_probs = random_log_probs(5, 6, 3, seed=3)
    assert decode(make_decoder("prefix_search", AB), log_probs) == [
        read(rows) for rows in log_probs
    ]
    assert decode(make_decoder("prefix_search", AB), log_probs[:0]) == []


def test_impossible_settings_and_broken_log_probs_are_refused() -> None:
    with pytest.raises(DecodeError, match="must be a number at least 1"):
        make_decoder("prefix_search", AB, max_expansions=0)
    with pytest.raises(DecodeError, match="expected log-probabilities"):
        read(np.full((4, 3), np.nan, np.float32))
