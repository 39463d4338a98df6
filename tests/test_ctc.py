from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posteriors import gradient, occupancy

from crnn_edge.decoders.checks import check_log_probs
from crnn_edge.decoders.ctc import align, forward_sum, log_softmax
from crnn_edge.errors import DecodeError

GOLDEN = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], dtype=np.float32))


def random_log_probs(*shape: int, seed: int, spread: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=shape) * spread
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(k for k, _ in itertools.groupby(path) if k != 0)


def enumerate_texts(log_probs: np.ndarray) -> dict[tuple[int, ...], dict[tuple[int, ...], float]]:
    """For each text its alignments and their log-probabilities, by trying every path."""
    steps, classes = log_probs.shape
    texts: dict[tuple[int, ...], dict[tuple[int, ...], float]] = {}
    for path in itertools.product(range(classes), repeat=steps):
        log_prob = float(sum(log_probs[t, k].astype(np.float64) for t, k in enumerate(path)))
        texts.setdefault(collapse(path), {})[path] = log_prob
    return texts


def test_the_golden_pair() -> None:
    assert np.exp(forward_sum(GOLDEN[None], [[1], []])) == pytest.approx([0.64, 0.36])


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 999))
def test_forward_sum_equals_enumeration(steps: int, classes: int, seed: int) -> None:
    log_probs = random_log_probs(steps, classes, seed=seed)
    texts = enumerate_texts(log_probs)
    expected = [np.logaddexp.reduce(list(paths.values())) for paths in texts.values()]
    found = forward_sum(log_probs[None], list(texts))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)  # over all texts there are


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 999))
def test_align_finds_the_best_of_all_alignments(steps: int, classes: int, seed: int) -> None:
    log_probs = random_log_probs(steps, classes, seed=seed)
    for text, paths in enumerate_texts(log_probs).items():
        indices = align(log_probs, text)
        path = tuple(text[i] if i >= 0 else 0 for i in indices)
        assert collapse(path) == text
        assert paths[path] == pytest.approx(max(paths.values()), abs=1e-9)
        order = [int(i) for i in indices if i >= 0]
        assert order == sorted(order)
        assert set(order) == set(range(len(text)))


@given(st.integers(1, 30), st.integers(0, 9999), st.sampled_from([0.3, 3, 30, 3000]))
def test_a_text_alone_has_the_sum_that_it_has_among_others(
    steps: int, seed: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(2, steps, 5)) * spread
    log_probs = log_softmax(logits.astype(np.float32))
    texts = [rng.integers(1, 5, size=rng.integers(0, 20)).tolist() for _ in range(8)]
    images = [0, 1] * 4
    together = forward_sum(log_probs, texts, images)
    for text, image, found in zip(texts, images, together, strict=True):
        assert forward_sum(log_probs, [text], [image])[0] == found


@pytest.mark.parametrize("length", [64, 65])
def test_long_texts_alone_too(length: int) -> None:
    log_probs = random_log_probs(1, 200, 9, seed=length)
    text = np.random.default_rng(length).integers(1, 9, size=length).tolist()
    alone, *_ = forward_sum(log_probs, [text])
    assert math.isfinite(alone)
    assert alone == forward_sum(log_probs, [text, [1]])[0]


@given(st.integers(0, 99))
def test_images_and_texts_of_a_batch_do_not_mix(seed: int) -> None:
    log_probs = random_log_probs(3, 9, 4, seed=seed)
    texts = [[1, 1, 2], [], [3]]
    together = forward_sum(log_probs, texts)
    alone = [forward_sum(log_probs[i : i + 1], [texts[i]])[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_a_text_that_needs_more_steps_is_impossible() -> None:
    log_probs = random_log_probs(1, 3, 3, seed=0)
    impossible = [[1, 1, 1], [1, 1, 2], [1, 2, 1, 2]]  # a repeat needs a blank between
    assert np.isneginf(forward_sum(log_probs, impossible)).all()
    assert np.isfinite(forward_sum(log_probs, [[1, 2, 1], [1, 1]])).all()
    for text in impossible:
        with pytest.raises(DecodeError, match="3 time steps cannot spell"):
            align(log_probs[0], text)


def test_a_class_of_probability_zero_is_impossible_without_warnings() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array([[0.4, 0.6, 0.0]] * 2, dtype=np.float32))
    with np.errstate(all="raise"):
        found = forward_sum(log_probs[None], [[1], [2]])
    assert found[0] == pytest.approx(np.log(0.84))
    assert np.isneginf(found[1])
    with pytest.raises(DecodeError, match="cannot spell"):
        align(log_probs, [2])


def test_very_improbable_texts_keep_a_finite_score() -> None:
    log_probs = np.full((1, 400, 3), -50.0, dtype=np.float32)
    log_probs[:, :, 0] = 0
    assert forward_sum(log_probs, [[1, 2] * 100])[0] < -9_000
    assert np.isfinite(forward_sum(log_probs, [[1, 2] * 100]))


def slow_sum(log_probs: np.ndarray, text: list[int]) -> float:
    """A text's score in log space, state by state."""
    states = [0, *(k for token in text for k in (token, 0))]
    far = [2 if s > 1 and k not in (0, states[s - 2]) else 1 for s, k in enumerate(states)]
    ways = [0.0, *[-math.inf] * (len(states) - 1)]  # before the first step
    for row in log_probs.astype(np.float64):
        ways = [
            float(row[k] + np.logaddexp.reduce(ways[max(0, s - far[s]) : s + 1]))
            for s, k in enumerate(states)
        ]
    return float(np.logaddexp.reduce(ways[-2:]))


def test_a_sum_that_floats_hardly_hold_is_as_exact_as_any() -> None:
    rows, text = random_log_probs(30, 3, seed=0), [1, 2, 2, 1] * 4
    penalties = np.linspace(42, 50, 40, dtype=np.float32)  # of all tokens
    log_probs = rows - penalties[:, None, None] * np.array([0, 1, 1], dtype=np.float32)
    found = forward_sum(log_probs, [text] * len(log_probs))
    expected = [slow_sum(image, text) for image in log_probs]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    relative = (found - log_probs.max(axis=2).sum(axis=1)) / math.log(10)
    assert relative[0] > -308
    assert relative[-1] < -324
    assert sum(-323 < exponent < -314 for exponent in relative) > 3  # floats of few digits


def test_ties_go_to_the_alignment_that_is_soonest_through() -> None:
    even = np.full((4, 3), -np.log(3), dtype=np.float32)
    assert align(even, [1, 2]).tolist() == [0, 1, -1, -1]


def test_nothing_to_score_is_nothing() -> None:
    assert forward_sum(np.zeros((0, 5, 3), np.float32), []).shape == (0,)
    assert align(random_log_probs(4, 2, seed=0), []).tolist() == [-1] * 4


@given(st.integers(1, 5), st.integers(0, 999))
def test_any_texts_of_any_images_are_scored_at_once(steps: int, seed: int) -> None:
    log_probs = random_log_probs(3, steps, 4, seed=seed)
    texts, images = [[1], [2, 2], [], [1, 2, 3], [3]], [2, 0, 2, 1, 0]
    together = forward_sum(log_probs, texts, images)
    for text, image, found in zip(texts, images, together, strict=True):
        assert found == pytest.approx(forward_sum(log_probs[image][None], [text])[0], rel=1e-12)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 999))
def test_occupancy_equals_enumeration(steps: int, classes: int, seed: int) -> None:
    log_probs = random_log_probs(steps, classes, seed=seed)
    texts = enumerate_texts(log_probs)
    shares = occupancy(log_probs[None], list(texts))
    for (text, paths), found in zip(texts.items(), shares, strict=True):
        expected = np.zeros((steps, classes))
        total = np.logaddexp.reduce(list(paths.values()))
        for path, log_prob in paths.items():
            expected[np.arange(steps), path] += np.exp(log_prob - total)
        by_class = np.zeros((steps, classes))
        for state, share in enumerate(found.T):
            token = state % 2 and state < 2 * len(text)
            by_class[:, text[state // 2] if token else 0] += share
        np.testing.assert_allclose(by_class, expected, atol=1e-9)


def test_a_character_is_where_it_must_be() -> None:
    sure = np.full((1, 5, 3), -9.0, dtype=np.float32)
    sure[0, np.arange(5), [0, 1, 1, 0, 2]] = 0
    shares = occupancy(sure, [[1, 2]])[0]
    assert shares[:, 1].round(2).tolist() == [0, 1, 1, 0, 0]
    assert shares[:, 3].round(2).tolist() == [0, 0, 0, 0, 1]


@pytest.mark.torch
@settings(max_examples=20)
@given(st.integers(0, 999))
def test_value_and_gradient_equal_torchs_ctc_loss(seed: int) -> None:
    import torch

    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(4, 20, 7, seed=seed)
    texts = [rng.integers(1, 7, size=rng.integers(0, 13)).tolist() for _ in range(4)]
    logits = torch.from_numpy(log_probs).double().requires_grad_()
    loss = torch.nn.functional.ctc_loss(
        logits.log_softmax(2).transpose(0, 1),
        torch.tensor([k for text in texts for k in text]),
        torch.full((4,), 20),
        torch.tensor([len(text) for text in texts]),
        reduction="none",
        zero_infinity=True,
    )
    loss.sum().backward()
    scores = forward_sum(log_probs, texts)
    np.testing.assert_allclose(np.where(np.isinf(scores), 0, -scores), loss.detach(), rtol=1e-5)
    np.testing.assert_allclose(gradient(log_probs, texts), logits.grad, atol=1e-6)


@given(st.integers(1, 6), st.integers(0, 999))
def test_steps_beyond_the_length_do_not_count(length: int, seed: int) -> None:
    log_probs = random_log_probs(2, 6, 3, seed=seed)
    cut = check_log_probs(log_probs, 3, lengths=[length, 6])
    for text in ([], [1], [2, 1], [1, 1]):
        found = forward_sum(cut, [text, text])
        assert found[0] == pytest.approx(forward_sum(log_probs[:1, :length], [text])[0])
        assert found[1] == pytest.approx(forward_sum(log_probs[1:], [text])[0])


def test_a_length_leaves_the_callers_array_alone() -> None:
    for shape in ((1, 6, 3), (6, 3)):
        log_probs = random_log_probs(*shape, seed=0)
        before = log_probs.copy()
        assert np.isneginf(check_log_probs(log_probs, 3, lengths=[2])[0, 2:, 1:]).all()
        np.testing.assert_array_equal(log_probs, before)


@pytest.mark.parametrize("lengths", [[3], [0, 3], [3, 7]])
def test_impossible_lengths_are_refused(lengths: list[int]) -> None:
    with pytest.raises(DecodeError, match="expected 2 lengths of 1 to 6 time steps"):
        check_log_probs(random_log_probs(2, 6, 3, seed=0), 3, lengths)


def test_one_image_is_a_batch_of_one() -> None:
    assert check_log_probs(random_log_probs(6, 3, seed=0), 3).shape == (1, 6, 3)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 2), (5, 4), (3,), (2, 0, 3)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError, match=r"expected log_probs \(N, T, C\) with T > 0 and C = 3"):
        check_log_probs(np.zeros(shape, np.float32), 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_what_is_no_log_probability_is_refused(value: float) -> None:
    log_probs = random_log_probs(2, 5, 3, seed=0)
    log_probs[1, 4, 2] = value
    with pytest.raises(DecodeError, match="expected log-probabilities, at most 0"):
        check_log_probs(log_probs, 3)


def test_rounding_and_log_zero_are_let_pass() -> None:
    check_log_probs(np.array([[[1e-6, -np.inf]]], np.float32), 2)
    check_log_probs(np.zeros((0, 5, 2), np.float32), 2)


@pytest.mark.parametrize("size", [1e19, 3e38])  # whose squares are beyond float32
def test_logits_may_be_as_large_as_floats_are(size: float) -> None:
    check_log_probs(log_softmax(np.array([[[size, -size], [0, 1]]], np.float32)), 2)
