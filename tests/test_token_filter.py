"""Characters that decoders skip, fold or may not read."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ctc import enumerate_texts, random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.decoders.token_filter import FilteredDecoder, TokenFilter
from crnn_edge.errors import DecodeError

CHARSET = Charset(tuple("aAb-"))
DECODERS = [
    ("greedy", {}),
    ("beam", {}),
    ("beam", {"pattern": "[aAb]{1,3}"}),
    ("lexicon", {"words": ["ab", "ba"], "ignore_case": False}),
    ("prefix_search", {}),
    ("lm", {}),
]


def spelling(path: str) -> np.ndarray:
    """Log-probs `(T, 5)` that give each step of a path, `.` for blank, p = 0.8."""
    probs = np.full((len(path), 5), 0.05, dtype=np.float32)
    probs[np.arange(len(path)), [".aAb-".index(k) for k in path]] = 0.8
    return np.log(probs)


@pytest.mark.parametrize(("name", "given_settings"), DECODERS)
def test_every_decoder_skips_what_it_ignores(name: str, given_settings: dict[str, object]) -> None:
    decoder = make_decoder(name, CHARSET, ignore="-", **given_settings)
    (found,) = decode(decoder, spelling("a-b"))
    assert found.text == "ab"
    blank = decode(make_decoder(name, CHARSET, **given_settings), spelling("a.b"))[0]
    assert found.log_prob == pytest.approx(blank.log_prob, abs=0.2)


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(0, 999))
def test_a_text_has_the_probability_of_all_texts_that_differ_by_what_is_ignored(
    steps: int, seed: int
) -> None:
    """Exactly so where the text has no two equal characters side by side."""
    log_probs = random_log_probs(steps, 5, seed=seed)
    filtered = TokenFilter(CHARSET, ignore="-")(log_probs[None])[0]
    assert np.exp(filtered).sum(axis=1) == pytest.approx(1, abs=1e-5)
    expected: dict[tuple[int, ...], float] = {}
    for text, paths in enumerate_texts(log_probs).items():
        kept = tuple(k for k in text if k != 4)
        expected[kept] = expected.get(kept, 0.0) + sum(np.exp(list(paths.values())))
    for text, paths in enumerate_texts(filtered).items():
        p = sum(np.exp(list(paths.values())))
        if len(set(text)) == len(text):
            assert p <= expected.get(text, 0.0) + 1e-5
        if len(text) == 1:
            assert 4 not in text or p == 0


@pytest.mark.parametrize("name", ["greedy", "beam", "prefix_search"])
def test_a_letter_has_the_probability_of_both_cases(name: str) -> None:
    probs = np.array([[[0.1, 0.3, 0.26, 0.32, 0.02]]], np.float32)  # the blank, a, A, b, -
    plain = decode(make_decoder(name, CHARSET), np.log(probs))[0]
    folded = decode(make_decoder(name, CHARSET, fold_case="upper"), np.log(probs))[0]
    assert (plain.text, folded.text) == ("b", "A")
    assert folded.confidence == pytest.approx(0.56)
    assert decode(make_decoder(name, CHARSET, fold_case="lower"), np.log(probs))[0].text == "a"


@pytest.mark.parametrize("name", ["greedy", "beam", "lm", "prefix_search"])
def test_only_allowed_characters_are_read(name: str) -> None:
    log_probs = spelling("a-b")
    assert decode(make_decoder(name, CHARSET, allowed="ab"), log_probs)[0].text == "ab"
    assert decode(make_decoder(name, CHARSET, blocked="ab"), log_probs)[0].text == "-"
    one_case = make_decoder(name, CHARSET, allowed="A", fold_case="upper")
    assert decode(one_case, log_probs)[0].text == "A"


def test_a_filter_changes_no_array_and_its_decoder_can_be_pickled() -> None:
    log_probs = random_log_probs(2, 6, 5, seed=0)
    before = log_probs.copy()
    decoder = make_decoder("lm", CHARSET, ignore="-")
    assert isinstance(decoder, FilteredDecoder)
    assert decoder(log_probs) == pickle.loads(pickle.dumps(decoder))(log_probs)
    np.testing.assert_array_equal(log_probs, before)


@pytest.mark.parametrize(
    ("given_settings", "told"),
    [
        ({"ignore": "x"}, r"'ignore' has characters that are not in the charset: \['x'\]"),
        ({"blocked": "aAb-"}, "leave no character"),
        ({"allowed": "a", "ignore": "a"}, "leave no character"),
        ({"fold_case": "title"}, "must be upper or lower"),
        ({"ignore": 7}, "'ignore' must be text"),
    ],
)
def test_impossible_filters_are_refused(given_settings: dict[str, object], told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        make_decoder("greedy", CHARSET, **given_settings)


def test_a_decoder_without_filter_settings_is_not_wrapped() -> None:
    decoder = make_decoder("beam", CHARSET, ignore="", allowed="", blocked="", fold_case="")
    assert not isinstance(decoder, FilteredDecoder)


@pytest.mark.parametrize(("name", "given_settings"), DECODERS)
def test_decoders_and_hypotheses_can_be_pickled(
    name: str, given_settings: dict[str, object]
) -> None:
    log_probs = random_log_probs(2, 6, 5, seed=1)
    decoder = make_decoder(name, CHARSET, **given_settings)
    found = decoder(log_probs)
    assert pickle.loads(pickle.dumps(decoder))(log_probs) == found
    assert pickle.loads(pickle.dumps(found)) == found
