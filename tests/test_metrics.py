from __future__ import annotations

import copy
import json
import pickle
import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_edge.charset import Charset
from crnn_edge.metrics import Estimate, edit_distance, normalize, proportion, score

WORDS = st.text(alphabet="abcA1!", max_size=8)


def test_the_protocol_ignores_case_and_punctuation() -> None:
    assert normalize("Don't STOP, 24/7 é") == "dontstop247"


def test_what_the_protocol_leaves_nothing_of_is_compared_as_written() -> None:
    wrong = score(["абв", "..."], ["где", "word"])
    assert (wrong.accuracy, wrong.one_minus_ned) == (0, 0)
    assert score(["абв", "..."], ["абв", "..."]).accuracy == 1


def test_known_scores() -> None:
    found = score(["Hello!", "World", "four"], ["hello", "World", "for"])
    assert found.n == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.exact == pytest.approx(1 / 3)
    assert found.one_minus_ned == pytest.approx((1 + 1 + 0.75) / 3)
    assert found.cer == pytest.approx((2 + 0 + 1) / 15)


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("ab", "ba", 2),
        ("flaw", "lawn", 2),
    ],
)
def test_known_edit_distances(a: str, b: str, edits: int) -> None:
    assert edit_distance(a, b) == edits
    assert edit_distance(a.split(), b.split()) == (1 if a and b else edits - 2)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=30))
def test_intervals_hold_their_value_and_stay_in_range(pairs: list[tuple[str, str]]) -> None:
    found = score(*zip(*pairs, strict=True))
    for estimate in (found.accuracy, found.exact, found.one_minus_ned, found.cer):
        assert 0 <= estimate.low <= estimate <= estimate.high
    assert max(found.accuracy.high, found.exact.high, found.one_minus_ned.high) <= 1


@given(st.lists(WORDS, min_size=1))
def test_perfect_readings_score_perfectly(texts: list[str]) -> None:
    found = score(texts, texts)
    assert (found.accuracy, found.exact, found.one_minus_ned, found.cer) == (1, 1, 1, 0)


def test_wilson_agrees_with_published_figures() -> None:
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert (proportion(81, 263).low, proportion(81, 263).high) == pytest.approx(
        (0.2553, 0.3662), abs=5e-5
    )
    assert (proportion(0, 20).low, proportion(0, 20).high) == pytest.approx((0, 0.1611), abs=5e-5)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    truths = ["abcd"] * 150
    covered = {"accuracy": 0, "one_minus_ned": 0, "cer": 0}
    trials = 200
    for _ in range(trials):
        wrong = rng.random(150) < 0.2
        found = score(truths, ["abcx" if w else "abcd" for w in wrong])
        for name, truth in (("accuracy", 0.8), ("one_minus_ned", 0.95), ("cer", 0.05)):
            estimate = getattr(found, name)
            covered[name] += estimate.low <= truth <= estimate.high
    assert all(0.90 <= count / trials <= 0.99 for count in covered.values()), covered


def test_ten_thousand_words_take_about_a_second() -> None:
    rng = random.Random(0)
    truths = ["".join(rng.choices("abcdefgh", k=rng.randint(3, 12))) for _ in range(10_000)]
    readings = [t[:-1] + "x" for t in truths]
    start = time.perf_counter()
    assert score(truths, readings).n == 10_000
    assert time.perf_counter() - start < 5


def test_an_estimate_is_a_float_that_survives_copying() -> None:
    estimate = Estimate(0.5, 0.4, 0.6)
    assert estimate + 1 == 1.5
    assert json.dumps(estimate) == "0.5"
    for copied in (copy.deepcopy(estimate), pickle.loads(pickle.dumps(estimate))):
        assert (copied, copied.low, copied.high) == (0.5, 0.4, 0.6)
    assert f"{estimate}" == "0.5000 [0.4000, 0.6000]"
    assert f"{estimate:.1%}" == "50.0%"


def test_a_score_is_json() -> None:
    found = score(["ab", "cd"], ["ab", "ce"]).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["exact"][0] == 0.5
    assert found["n"] == 2


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot score 0 predictions for 0 labels"):
        score([], [])
    with pytest.raises(ValueError, match="cannot score 1 predictions for 2 labels"):
        score(["a", "b"], ["a"])


def test_symbols_are_counted_whole() -> None:
    charset = Charset(("note.half-L1", "note.half-L2", "dot"), separator=" ")
    truth, reading = "note.half-L1 dot note.half-L2", "note.half-L2 dot note.half-L2"
    found = score([truth, "dot"], [reading, "dot"], charset)
    assert found.cer == pytest.approx(1 / 4)
    assert found.exact == found.accuracy == 0.5
    assert found.one_minus_ned == pytest.approx((2 / 3 + 1) / 2)


def test_case_and_punctuation_of_symbols_count() -> None:
    charset = Charset(("note-L", "note.l"), separator=" ")
    assert score(["note-L"], ["note.l"], charset).accuracy == 0
    assert score(["note-L"], ["note.l"]).accuracy == 1


def test_no_sample_is_certain() -> None:
    perfect = score(["abc"] * 20, ["abc"] * 20)
    assert (perfect.cer.low, float(perfect.cer)) == (0, 0)
    assert perfect.cer.high == pytest.approx(1 - perfect.exact.low)
    assert perfect.one_minus_ned.low == pytest.approx(perfect.exact.low)
    single = score(["abcd"], ["abce"]).cer
    assert single.low < 0.25 < single.high < 1
    assert score(["a"], ["abc"]).cer.high >= 2


def test_rounding_is_no_spread() -> None:
    alike = score(
        ["abc"] * 3, ["abd"] * 3
    ).one_minus_ned  # two thirds each, whose mean is another float
    assert (alike.low, alike.high) == pytest.approx((0.2076, 0.9385), abs=1e-4)  # Wilson's, by hand
