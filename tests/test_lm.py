from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ctc import random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import lm, make_decoder
from crnn_edge.decoders.ctc import forward_sum
from crnn_edge.errors import DecodeError
from crnn_edge.recognition import Recognition
from model.lm import build

AB = Charset(tuple("ab"))
SEEDS = st.integers(0, 9999)
EVERYTHING = {"beam_size": 1000, "min_token_prob": 0.0, "blank_skip_threshold": 1.0}


@pytest.fixture(scope="module")
def mostly_ab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lm") / "ab.lm"
    build(Counter({"ab": 60, "abab": 20, "b": 5, "aa": 1}), AB, 3, prune_threshold=0).save(path)
    return path


def read(log_probs: np.ndarray, model: Path, charset: Charset = AB, **given: object) -> Recognition:
    (reading,) = decode(make_decoder("lm", charset, lm=model, **given), log_probs)
    return reading


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    SEEDS,
    st.floats(0.2, 4),
    st.floats(0, 2),
    st.floats(0, 2),
    st.sampled_from([0.0, 0.1, 1.0]),
)
def test_at_full_width_no_text_scores_higher(
    mostly_ab: Path,
    steps: int,
    seed: int,
    spread: float,
    lm_weight: float,
    token_insertion_bonus: float,
    uniform_weight: float,
) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed, spread=spread)
    told = {
        "lm_weight": lm_weight,
        "token_insertion_bonus": token_insertion_bonus,
        "uniform_weight": uniform_weight,
    }
    decoder = lm.Decoder(AB, mostly_ab, **told, **EVERYTHING)
    (reading,) = decode(decoder, log_probs)
    texts = [t for n in range(steps + 1) for t in itertools.product((1, 2), repeat=n)]
    seen = forward_sum(log_probs[None], texts)
    priors = [_lm_score(decoder, text, **told) for text in texts]
    best = int(np.argmax(seen + priors))
    found = texts.index(reading.hypothesis.classes)
    assert seen[found] + priors[found] == pytest.approx(seen[best] + priors[best], abs=1e-6)
    assert reading.lm_score == pytest.approx(priors[found], abs=1e-9)
    assert reading.log_prob == pytest.approx(seen[found], abs=1e-6)


def _lm_score(
    decoder: lm.Decoder,
    text: tuple[int, ...],
    lm_weight: float,
    token_insertion_bonus: float,
    uniform_weight: float,
) -> float:
    """As the equation says; 55 equally probable characters, and the end, make a code."""
    word = decoder.ngrams.log_prob(AB.tokens[k - 1] for k in text)
    length = len(text) + 1
    mixed = (1 - uniform_weight) * math.exp(word) + uniform_weight * math.exp(-4 * length)
    return lm_weight * (math.log(mixed) + token_insertion_bonus * length)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), SEEDS, st.floats(0.2, 4))
def test_without_weight_it_is_the_text_that_the_picture_makes_most_probable(
    mostly_ab: Path, steps: int, seed: int, spread: float
) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed, spread=spread)
    (best,) = decode(make_decoder("prefix_search", AB), log_probs)
    reading = read(log_probs, mostly_ab, lm_weight=0.0, **EVERYTHING)
    assert reading.log_prob == pytest.approx(best.log_prob, abs=1e-5)
    assert reading.lm_score == 0


def test_of_two_texts_that_look_alike_the_usual_one_is_read(mostly_ab: Path) -> None:
    probs = np.array([[0.02, 0.97, 0.01], [0.98, 0.01, 0.01], [0.02, 0.5, 0.48]], np.float32)
    assert read(np.log(probs), mostly_ab, lm_weight=0.0).text == "aa"
    assert read(np.log(probs), mostly_ab).text == "ab"


def test_what_is_seen_clearly_is_read_however_unusual(mostly_ab: Path) -> None:
    probs = np.full((5, 3), 0.0005, np.float32)
    probs[[0, 2, 4], [2, 2, 1]] = probs[[1, 3], 0] = 0.999
    assert read(np.log(probs), mostly_ab).text == "bba"


def test_where_all_is_garbage_the_picture_decides() -> None:
    """With codes allowed the n-grams have no say between two impossible texts."""
    charset = Charset.ascii()
    rows = np.full((9, 96), 1e-5, np.float32)
    rows[1::2, 0] = 1
    for step, (first, second) in enumerate(zip("xQ7kz", "jQ7kq", strict=True)):
        rows[2 * step, charset.encode(second)] = 0.48
        rows[2 * step, charset.encode(first)] = 0.52
    log_probs = np.log(rows / rows.sum(axis=1, keepdims=True))
    free, bound = (
        decode(make_decoder("lm", charset, uniform_weight=uniform_weight, nbest=4), log_probs)[0]
        for uniform_weight in (0.1, 0.0)
    )
    assert free.text == "xQ7kz"
    spread = [
        max(abs(reading.lm_score - other.lm_score) for other in reading.alternatives)
        for reading in (free, bound)
    ]
    assert spread[0] < spread[1] / 3


def test_a_word_wins_where_letters_are_doubtful() -> None:
    charset = Charset.ascii()
    rows = np.full((11, 96), 1e-5, np.float32)
    rows[1::2, 0] = 1
    for step, letter in enumerate("Street"):
        rows[2 * step, charset.encode(letter)] = 1
    rows[6, charset.encode("c")], rows[6, charset.encode("e")] = 0.6, 0.4
    log_probs = np.log(rows / rows.sum(axis=1, keepdims=True))
    assert decode(make_decoder("greedy", charset), log_probs)[0].text == "Strcet"
    reading = decode(make_decoder("lm", charset, nbest=3, min_token_prob=0), log_probs)[0]
    assert reading.text == "Street"
    assert reading.alternatives[0].text == "Strcet"
    assert reading.confidence == pytest.approx(0.4, abs=0.02)  # what the picture says, and no more


def test_a_batch_reads_as_each_alone(mostly_ab: Path) -> None:
    log_probs = np.stack([random_log_probs(7, 3, seed=seed) for seed in range(9)])
    decoder = make_decoder("lm", AB, lm=mostly_ab)
    together = decode(decoder, log_probs)
    assert together == [decode(decoder, rows)[0] for rows in log_probs]
    assert decoder(np.zeros((0, 7, 3), np.float32)) == []


def test_a_line_of_a_thousand_steps_does_not_underflow(mostly_ab: Path) -> None:
    log_probs = random_log_probs(1000, 3, seed=3, spread=0.5) - 1  # e ** -1140 in all
    reading = read(log_probs, mostly_ab, min_token_prob=0.001, blank_skip_threshold=1.0)
    assert math.isfinite(reading.log_prob)
    assert len(reading.text) > 50


def test_impossible_classes_are_never_read(mostly_ab: Path) -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array([[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0]], np.float32))
    reading = read(log_probs, mostly_ab, **EVERYTHING)
    assert reading.text in {"b", "ab"}


def test_a_token_that_the_model_does_not_know_is_refused(mostly_ab: Path) -> None:
    with pytest.raises(DecodeError, match=r"ab\.lm does not know 1 of the 3 tokens, such as \['c'"):
        make_decoder("lm", Charset(tuple("abc")), lm=mostly_ab)


@pytest.mark.parametrize(
    "told",
    [
        {"lm_weight": -1.0},
        {"lm_weight": math.nan},
        {"token_insertion_bonus": 11.0},
        {"uniform_weight": 1.5},
        {"beam_size": 0},
        {"beam_size": 2.5},
        {"beam_size": 1001},
        {"min_token_prob": 1.0},
        {"blank_skip_threshold": 0.0},
        {"nbest": 0},
        {"lm_weight": "much"},
    ],
)
def test_impossible_settings_are_refused(told: dict[str, object], mostly_ab: Path) -> None:
    with pytest.raises(DecodeError):
        make_decoder("lm", AB, lm=mostly_ab, **told)


def test_among_texts_that_match_a_pattern_the_usual_one_is_read() -> None:
    charset = Charset.ascii()
    rows = np.full((9, 96), 1e-5, np.float32)
    rows[1::2, 0] = 1
    for step, (first, second) in enumerate(zip("Strcet"[:5], "Street"[:5], strict=True)):
        rows[2 * step, charset.encode(first)] = 0.55
        rows[2 * step, charset.encode(second)] += 0.4
    log_probs = np.log(rows / rows.sum(axis=1, keepdims=True))
    reading = decode(make_decoder("lm", charset, pattern="[A-Za-z]{5}", nbest=2), log_probs)[0]
    assert (reading.text, reading.matches_constraint) == ("Stree", True)
    assert reading.alternatives[0].text == "Strce"
    free = decode(make_decoder("lm", charset, pattern="[0-9]{40}"), log_probs)[0]
    assert (free.text, free.matches_constraint) == ("Stree", False)
