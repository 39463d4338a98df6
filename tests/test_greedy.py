from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ctc import GOLDEN, enumerate_texts, random_log_probs

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.decoders.ctc import align
from crnn_edge.errors import CrnnError, DecodeError, UnknownNameError
from crnn_edge.recognition import Recognition

AB = Charset(("a", "b"))


def certain(path: str) -> np.ndarray:
    """Log-probs `(T, 3)` that give each step of a path, `-` for blank, p = 0.8."""
    probs = np.full((len(path), 3), 0.1, dtype=np.float32)
    probs[np.arange(len(path)), ["-ab".index(k) for k in path]] = 0.8
    return np.log(probs)


def read(log_probs: np.ndarray, charset: Charset = AB) -> Recognition:
    (reading,) = decode(make_decoder("greedy", charset), log_probs[None])
    return reading


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("aab", "ab"),
        ("a-ab", "aab"),
        ("aa-aa", "aa"),
        ("--a--b--", "ab"),
        ("---", ""),
        ("a", "a"),
        ("bababa", "bababa"),
    ],
)
def test_greedy_merges_repeats_then_drops_blanks(path: str, text: str) -> None:
    assert read(certain(path)).text == text


def test_greedy_misses_the_golden_pair() -> None:
    reading = read(GOLDEN, Charset(("a",)))
    assert reading.text == ""
    assert reading.confidence == pytest.approx(0.36)
    assert reading.characters == ()


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(0, 999))
def test_log_prob_is_the_sum_over_all_alignments(steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed)
    reading = read(log_probs)
    paths = enumerate_texts(log_probs)[tuple(AB.encode(reading.text))]
    assert reading.log_prob == pytest.approx(np.logaddexp.reduce(list(paths.values())), abs=1e-6)
    assert reading.confidence == math.exp(reading.log_prob) <= 1


@given(st.integers(1, 12), st.integers(0, 999))
def test_the_greedy_path_is_the_best_alignment_of_its_text(steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed)
    classes = AB.encode(read(log_probs).text)
    path = [classes[i] if i >= 0 else 0 for i in align(log_probs, classes)]
    assert path == log_probs.argmax(axis=1).tolist()


def test_characters_say_where_and_how_surely() -> None:
    log_probs = certain("-aa-b")
    log_probs[2] = np.log([0.02, 0.95, 0.03])
    first, second = read(log_probs).characters
    assert (first.token, first.start, first.end) == ("a", 3, 4)  # middles 3.5 and 4.5
    assert (second.token, second.start, second.end) == ("b", 4, 5)
    assert first.confidence == pytest.approx(0.95)
    assert second.confidence == pytest.approx(0.8)


@given(st.integers(1, 20), st.integers(0, 999))
def test_spans_are_in_order_and_do_not_overlap(steps: int, seed: int) -> None:
    log_probs = random_log_probs(steps, 3, seed=seed)
    (reading,) = decode(make_decoder("greedy", AB), log_probs, step_px=3.5, width_px=30.0)
    edges = [edge for c in reading.characters for edge in (c.start, c.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= 30 for edge in edges)
    assert "".join(c.token for c in reading.characters) == reading.text
    assert all(0 < c.confidence <= 1 for c in reading.characters)


def test_pixels_change_spans_only() -> None:
    reading = read(certain("-aa-b"))
    (placed,) = decode(make_decoder("greedy", AB), certain("-aa-b"), step_px=2.0, width_px=9.0)
    assert placed.log_prob == reading.log_prob
    assert [(c.start, c.end) for c in reading.characters] == [(3, 4), (4, 5)]
    assert [(c.start, c.end) for c in placed.characters] == [(6, 8), (8, 9)]


@given(st.integers(0, 999))
def test_a_batch_equals_its_members(seed: int) -> None:
    log_probs = random_log_probs(4, 9, 3, seed=seed)
    together = decode(make_decoder("greedy", AB), log_probs)
    for rows, reading in zip(log_probs, together, strict=True):
        alone = read(rows)
        assert alone == reading
        assert (alone.log_prob, alone.characters) == (reading.log_prob, reading.characters)


def test_a_reading_does_not_change_with_the_array_it_came_from() -> None:
    log_probs = certain("aab")[None]
    (reading,) = decode(make_decoder("greedy", AB), log_probs)
    log_probs[:] = np.log(1 / 3)
    assert reading.log_prob == read(certain("aab")).log_prob


def test_a_reading_keeps_little_alive() -> None:
    charset = Charset.ascii()
    batch = random_log_probs(64, 25, 96, seed=0, spread=6)
    reading = decode(make_decoder("greedy", charset), batch)[3]
    assert len(pickle.dumps(reading)) < 1.1 * batch[3].nbytes
    assert not np.shares_memory(reading.hypothesis.text_log_probs, batch)
    assert pickle.loads(pickle.dumps(reading)).log_prob == reading.log_prob


@pytest.mark.parametrize("decoder", ["greedy", "prefix_search"])
def test_whether_a_text_reaches_a_probability_is_told_as_by_that(decoder: str) -> None:
    made = make_decoder(decoder, Charset(tuple("abcd")))
    log_probs = random_log_probs(40, 6, 5, seed=3, spread=4)
    told = set()
    for reading, fresh in zip(decode(made, log_probs), decode(made, log_probs), strict=True):
        for limit in (-4.0, -1.0, -0.1):
            told.add(fresh.hypothesis.is_at_least(limit))
            assert fresh.hypothesis.is_at_least(limit) == (reading.log_prob >= limit)
    assert told == {True, False}


def test_a_reading_is_json() -> None:
    told = read(certain("aa-b")).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["text"] == "ab"
    assert told["characters"][0] == {
        "token": "a", "confidence": pytest.approx(0.8), "start": 2, "end": 3,
    }  # fmt: skip


def test_symbols_are_joined_by_the_separator() -> None:
    music = Charset(("clef-G2", "C4"), separator=" ")
    reading = read(certain("a-bb-b"), music)
    assert reading.text == "clef-G2 C4 C4"
    assert [c.token for c in reading.characters] == ["clef-G2", "C4", "C4"]


def test_no_images_give_no_readings() -> None:
    assert decode(make_decoder("greedy", AB), np.zeros((0, 5, 3), np.float32)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_log_probs_are_refused(value: float) -> None:
    log_probs = certain("ab")
    log_probs[1, 0] = value
    with pytest.raises(DecodeError, match="expected log-probabilities"):
        read(log_probs)
    with pytest.raises(DecodeError, match=r"C = 3 .*got shape \(1, 2, 4\)"):
        read(np.zeros((2, 4), np.float32))


@given(st.integers(1, 9), st.integers(0, 999))
def test_a_length_cuts_the_text(length: int, seed: int) -> None:
    log_probs = random_log_probs(2, 9, 3, seed=seed)
    short, whole = decode(make_decoder("greedy", AB), log_probs, lengths=[length, 9])
    assert short == read(log_probs[0, :length])
    assert short.log_prob == pytest.approx(read(log_probs[0, :length]).log_prob)
    assert whole == read(log_probs[1])


def test_unknown_decoders_are_refused_with_those_that_exist() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no decoder 'magic'.*There are: .*greedy"
    ) as caught:
        make_decoder("magic", AB)
    assert "ctc" not in str(caught.value)  # which is a file there, but no decoder
    with pytest.raises(UnknownNameError, match=r"no decoder 'ctc'.*defines no `Decoder`"):
        make_decoder("ctc", AB)
    with pytest.raises(UnknownNameError, match=r"no decoder 'nobody\.home'"):
        make_decoder("nobody.home", AB)
    for name in ("", ".", "..", "a..b", "../greedy", ".greedy"):
        with pytest.raises(UnknownNameError):
            make_decoder(name, AB)


def test_a_dotted_name_is_a_module_of_the_users(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their").mkdir()
    (tmp_path / "their" / "shouting.py").write_text(
        "from crnn_edge.decoders import greedy\n"
        "class Decoder(greedy.Decoder):\n"
        "    def __init__(self, charset, volume=1):\n"
        "        super().__init__(charset)\n"
        "        self.volume = volume\n"
    )
    (tmp_path / "their" / "broken.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert make_decoder("their.shouting", AB, volume=3).volume == 3
    with pytest.raises(DecodeError, match=r"no setting \['pitch'\]: it has volume"):
        make_decoder("their.shouting", AB, pitch=1)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        make_decoder("their.broken", AB)


def test_greedy_has_no_settings_of_its_own() -> None:
    with pytest.raises(
        CrnnError,
        match=r"'greedy' has no setting \['beam_size'\] \(beam and lm would\)",
    ):
        make_decoder("greedy", AB, beam_size=8)
