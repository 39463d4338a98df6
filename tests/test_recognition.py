"""What a reading knows of itself: how probable it is, and where its characters stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from decoding import decode
from test_ctc import random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.recognition import Character, Recognition

AB = Charset(("a", "b"))


def reading_of(text: str, probs: list[list[float]], *place: float) -> Recognition:
    log_probs = np.log(np.array(probs, dtype=np.float32))
    return Recognition.of(AB, [Hypothesis.of(AB.encode(text), log_probs)], *place)


def test_a_text_does_not_reach_what_the_best_alignment_of_another_one_has() -> None:
    reading = reading_of("a", [[0.9, 0.08, 0.02]])  # 0.9 is the probability of no text at all
    assert not reading.hypothesis.is_at_least(math.log(0.5))
    assert reading.hypothesis.is_at_least(math.log(0.079))


@pytest.mark.parametrize("known", [False, True])
def test_a_text_reaches_what_its_alignments_have_together(known: bool) -> None:
    for probability, reached in ((0.3, True), (0.63, True), (0.65, False)):
        reading = reading_of("a", [[0.6, 0.4, 1e-9]] * 2)  # .4 * .4 + 2 * .4 * .6 = 0.64
        if known:
            assert reading.confidence == pytest.approx(0.64)
        assert reading.hypothesis.is_at_least(math.log(probability)) is reached


def test_characters_are_placed_in_the_image() -> None:
    probs = [[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]]
    assert [(c.start, c.end) for c in reading_of("ab", probs).characters] == [
        (1.75, 2.25),
        (2.25, 2.75),
    ]
    assert reading_of("ab", probs, 4.5, 13).characters == (
        Character("a", pytest.approx(0.8), 1.75 * 4.5, 2.25 * 4.5),
        Character("b", pytest.approx(0.7), 2.25 * 4.5, 2.75 * 4.5),
    )


def test_alternatives_are_placed_as_the_reading_is() -> None:
    log_probs = random_log_probs(4, 3, seed=0, spread=0.5)
    decoder = make_decoder("beam", AB, nbest=4)
    (reading,) = decode(decoder, log_probs)
    (placed,) = decode(decoder, log_probs, step_px=10, width_px=35, rotation=90)
    assert len(placed.alternatives) == 3
    for before, after in zip(reading.alternatives, placed.alternatives, strict=True):
        assert (after.text, after.rotation) == (before.text, 90)
        spans = [(min(35, 10 * c.start), min(35, 10 * c.end)) for c in before.characters]
        assert [(c.start, c.end) for c in after.characters] == spans
    assert any(other.characters for other in placed.alternatives)
