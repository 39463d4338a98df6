"""Which word of a lexicon is read, and in which case, in pictures that leave it open."""

from __future__ import annotations

import numpy as np
import pytest
from decoding import decode

from crnn_edge.charset import Charset
from crnn_edge.decoders import lexicon, make_decoder
from crnn_edge.recognition import Recognition


@pytest.fixture(params=["short list", "tree"], autouse=True)
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "tree":
        monkeypatch.setattr(lexicon, "_SHORT", 0)


def read(tokens: str, probs: list[list[float]], **settings: object) -> Recognition:
    decoder = make_decoder("lexicon", Charset(tuple(tokens)), **settings)
    (reading,) = decode(decoder, np.log(np.array(probs, dtype=np.float32)))
    return reading


def test_a_letter_is_written_in_the_case_that_all_its_steps_together_show() -> None:
    clear, vague = [0.01, 0.01, 0.98], [0.01, 0.6, 0.39]  # the blank, a, A
    assert read("aA", [vague, vague, clear], words=["a"]).text == "A"  # 1.76 against 1.21
    assert read("aA", [vague, vague, vague, clear, vague], words=["a"]).text == "A"
    assert read("aA", [vague] * 9 + [clear], words=["a"]).text == "a"  # though A shows best


def test_both_cases_of_a_letter_count_for_its_word() -> None:
    step = [0.1, 0.3, 0.25, 0.35]  # the blank, a, A, b
    assert read("aAb", [step], words=["a", "b"]).text == "a"  # 0.55
    assert read("aAb", [step], words=["a", "b"], ignore_case=False).text == "b"  # 0.35


@pytest.mark.parametrize("prior", [0.01, 0.3, 0.99, 1.0])
def test_between_two_words_the_prior_does_not_matter(prior: float) -> None:
    steps = [[0.25, 0.4, 0.35], [0.4, 0.25, 0.35]]  # the blank, a, b: greedily it is a
    reading = read("ab", steps, words=["a", "b"], lexicon_prior=prior)
    assert reading.text == "b"  # .35 * .4 + .35 * .35 + .25 * .35 = .35; a has .3225
    assert (reading.matches_constraint, reading.optimal) == (True, True)
