from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn_edge.charset import Charset
from crnn_edge.decoders.lm import DEFAULT_LM
from crnn_edge.decoders.ngrams import NGrams, Trie
from crnn_edge.errors import CharsetError, DecodeError
from model.lm import build, main

AB = Charset(tuple("abc"))
TEXTS = st.lists(st.text("abc", max_size=6), min_size=1, max_size=12)
QUANTUM = 1 / 16  # nats a token: costs are whole sixteenths


def witten_bell(texts: Counter[str], order: int, history: str, token: str) -> float:
    """Equation by equation; `^` begins a text and `$` ends it."""
    if history == "" and order == 0:
        return 1 / (len(AB.tokens) + 2)
    after: Counter[str] = Counter()
    for text, times in texts.items():
        line = "^" + text + "$"
        for at in range(1, len(line)):
            if line[max(0, at - len(history)) : at] == history:
                after[line[at]] += times
    if not history:
        for one in "abc^$":
            after.setdefault(one, 0)
    lower = witten_bell(texts, order - 1, history[1:], token) if history else 1 / 5
    if not after:
        return lower
    return (after[token] + len(after) * lower) / (sum(after.values()) + len(after))


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.text("abc", max_size=6), st.integers(1, 4))
def test_a_text_has_the_product_of_interpolated_probabilities(
    texts: list[str], text: str, order: int
) -> None:
    counted = Counter(texts)
    model = build(counted, AB, order, prune_threshold=0)
    line = "^" + text + "$"
    parts = [
        witten_bell(counted, order, line[max(0, at - order + 1) : at], line[at])
        for at in range(1, len(line))
    ]
    expected = sum(map(math.log, parts))
    # A token's probability is rounded once, and once for each context that never saw it.
    assert model.log_prob(text) == pytest.approx(expected, abs=QUANTUM / 2 * order * len(parts))


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(1, 4), st.floats(0, 3))
def test_what_may_follow_sums_to_one(texts: list[str], order: int, prune_threshold: float) -> None:
    model = build(Counter(texts), AB, order, prune_threshold)
    beginning = len(AB.tokens)
    states = {model.start}
    for _ in range(order + 1):
        states |= {model.step(state, token)[1] for state in states for token in range(3)}
    for state in states:
        costs = [model.step(state, token)[0] for token in (0, 1, 2, beginning, model.end)]
        assert sum(math.exp(-cost / 16) for cost in costs) == pytest.approx(1, abs=0.2)


def test_what_was_seen_often_is_probable() -> None:
    model = build(Counter({"abc": 90, "acb": 10}), AB, 3, prune_threshold=0)
    assert model.log_prob("abc") > model.log_prob("acb") + 1
    assert model.log_prob("acb") > model.log_prob("bca") + 3


def test_pruning_drops_what_is_hardly_missed() -> None:
    rng = np.random.default_rng(0)
    texts = Counter("".join(rng.choice(list("abc"), 6, p=[0.8, 0.1, 0.1])) for _ in range(500))
    whole, pruned = build(texts, AB, 4, prune_threshold=0), build(texts, AB, 4, prune_threshold=25)
    assert len(pruned.trie.token) < 2 / 3 * len(whole.trie.token)
    lost = [whole.log_prob(t) - pruned.log_prob(t) for t in texts.elements()]
    assert np.mean(lost) < 0.3  # nats a text of seven tokens
    assert np.mean(lost) > 0


def test_what_is_pruned_is_rounded_to_quarters_of_a_nat_and_nothing_else_is() -> None:
    rng = np.random.default_rng(0)
    texts = Counter("".join(rng.choice(list("abc"), 6, p=[0.8, 0.1, 0.1])) for _ in range(500))
    whole, pruned = (
        build(texts, AB, 4, prune_threshold=0).trie,
        build(texts, AB, 4, prune_threshold=5).trie,
    )
    for part in ("cost", "backoff"):
        assert not np.any(getattr(pruned, part) % 4)
        assert np.any(getattr(pruned, part))
        assert np.any(getattr(whole, part) % 4)


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    model = build(Counter({"abc": 3, "cab": 1, "": 1}), AB, 3, prune_threshold=0)
    model.save(tmp_path / "x.lm")
    again = NGrams.read(tmp_path / "x.lm")
    assert again.tokens == model.tokens
    for text in ("abc", "ccc", "", "bacab"):
        assert again.log_prob(text) == model.log_prob(text)


def test_a_model_without_long_n_grams_is_read_back(tmp_path: Path) -> None:
    build(Counter({"a": 1}), AB, 5, prune_threshold=0).save(tmp_path / "short.lm")
    build(Counter({"abc": 1}), AB, 5, prune_threshold=1e9).save(tmp_path / "pruned.lm")
    for name in ("short.lm", "pruned.lm"):
        assert NGrams.read(tmp_path / name).log_prob("a") < 0


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"cannot read the language model .*nothing\.lm"):
        NGrams.read(tmp_path / "nothing.lm")


def _packed(tmp_path: Path, **changes: object) -> Path:
    """A small model's file with another head."""
    path = tmp_path / "x.lm"
    build(Counter({"abc": 3, "cab": 1}), AB, 3, prune_threshold=0).save(path)
    head, _, packed = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps(json.loads(head) | changes).encode() + b"\n" + packed)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "crnn-ngrams-2"},
        {"ngrams": 10**9},
        {"ngrams": -1},
        {"inner": 1},
        {"inner": "many"},
        {"tokens": ["a", "b"]},
        {"tokens": ["a", "b", "b"]},
        {"tokens": None},
    ],
)
def test_a_head_that_lies_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match=r"x\.lm is no language model, or a damaged one"):
        NGrams.read(_packed(tmp_path, **changes))


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_a_file_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    path = _packed(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(DecodeError, match="damaged one"):
        NGrams.read(path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 255))
def test_whatever_the_parts_hold_no_search_runs_forever(at: int, value: int, token: int) -> None:
    """Files are strangers': what is not refused can be stepped through."""
    trie = build(Counter({"abc": 3, "cab": 1, "ab": 2}), AB, 3, prune_threshold=0).trie
    parts = [part.copy() for part in trie]
    flat = np.concatenate([part.view(np.uint8) for part in parts])
    flat[at % len(flat)] = value
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    token_, cost, children, backoff = np.split(flat, bounds)
    try:
        model = NGrams(AB.tokens, Trie(token_, cost, children, backoff.view(np.int8)))
    except ValueError:
        return
    state = model.start
    for number in (token % 3, 0, 1, 2, 2, 1, 0, model.end):
        _, state = model.step(state, number)
        assert 0 <= state < len(model.trie.children)


def test_parts_that_unpack_to_more_than_is_told_are_refused(tmp_path: Path) -> None:
    path = _packed(tmp_path)
    head = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(head + b"\n" + zlib.compress(bytes(10**7)))
    with pytest.raises(DecodeError, match="do not fill it"):
        NGrams.read(path)


@pytest.mark.parametrize("count", [253, 254])
def test_a_model_has_as_many_tokens_as_bytes_can_tell(count: int, tmp_path: Path) -> None:
    charset = Charset(tuple(map(chr, range(256, 256 + count))))
    texts = Counter({"".join(charset.tokens): 1})
    if count == 253:
        build(texts, charset, 2, 0.0).save(tmp_path / "all.lm")
        assert NGrams.read(tmp_path / "all.lm").tokens == charset.tokens
    else:
        with pytest.raises(CharsetError, match="at most 253 tokens, got 254"):
            build(texts, charset, 2, 0.0)


def test_what_counts_no_times_changes_nothing(tmp_path: Path) -> None:
    for name, text in (("one", "EXIT\nEXIT\n"), ("other", "TOWN\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    base = ["--prune-threshold", "0", "--texts", str(tmp_path / "one.txt")]
    assert main([*base, "--out", str(tmp_path / "a.lm")]) == 0
    more = ["--texts", f"{tmp_path / 'other.txt'}=0"]
    assert main([*base, *more, "--out", str(tmp_path / "b.lm")]) == 0
    assert (tmp_path / "a.lm").read_bytes() == (tmp_path / "b.lm").read_bytes()


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(CharsetError, match="at most 253 tokens, got 300"):
        build(Counter({"Ā": 1}), Charset(tuple(map(chr, range(256, 556)))))


def test_the_command_makes_a_model_of_labels_and_lists(
    tmp_path: Path, crops_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("EXIT\nEXIT\nExit 12\nnaïve\n")
    out = tmp_path / "x.lm"
    told = ["--texts", f"{texts}=3", "--texts", str(crops_folder), "--prune-threshold", "0"]
    assert main([*told, "--out", str(out), "--eval", str(texts)]) == 0
    said = capsys.readouterr()
    assert "n-grams of up to 5 tokens" in said.out
    assert "nats a character, of 3 texts" in said.out
    assert "texts.txt: 1 of 4 texts cannot be spelt and are left out" in said.err
    model = NGrams.read(out)
    assert model.log_prob("EXIT") > model.log_prob("EXTI") + 5


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--synth", "-1"],
        ["--synth", "9", "--order", "9"],
        ["--words", "x"],
        ["--texts", "x.txt=much"],
        ["--synth", "9", "--prune-threshold", "nan"],
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "x.lm")])


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("EXIT\n")
    with pytest.raises(SystemExit, match="2"):
        main(["--texts", f"{tmp_path / 't.txt'}=3", "--out", str(tmp_path / "t.txt")])
    assert (tmp_path / "t.txt").read_text() == "EXIT\n"


@pytest.mark.parametrize(
    ("text", "times", "told"),
    [("ÄÖÜ", "", "can be spelt in the charset"), ("EXIT", "=0", "each text counts 0 times")],
)
def test_nothing_to_learn_from_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, times: str, told: str
) -> None:
    (tmp_path / "t.txt").write_text(f"{text}\n")
    data = f"{tmp_path / 't.txt'}{times}"
    assert main(["--texts", data, "--out", str(tmp_path / "x.lm")]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "x.lm").exists()


def test_the_shipped_model_knows_words_numbers_and_case() -> None:
    model = NGrams.read(DEFAULT_LM)
    assert {*model.lookup} == {*Charset.ascii().tokens}

    def nats(text: str) -> float:
        return -model.log_prob(text)

    assert nats("Street") < nats("Strcet") - 3
    assert nats("Elm") < nats("EIm") - 1
    assert nats("2019") < nats("2O19") - 1
    assert DEFAULT_LM.stat().st_size < 750_000
