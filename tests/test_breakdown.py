from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crnn_edge.metrics import edit_distance
from model import evaluate
from model.analysis import breakdown
from model.analysis.breakdown import Case, confusions, edits, groups

TEXT = st.text("abc", max_size=7)


@given(TEXT, TEXT)
def test_edits_are_the_fewest_and_lead_from_the_truth_to_the_reading(truth: str, read: str) -> None:
    found = edits(truth, read)
    assert len(found) == edit_distance(truth, read)
    assert all(a != b for a, b in found)
    change = sum(len(b) - len(a) for a, b in found)
    assert change == len(read) - len(truth)


@pytest.mark.parametrize(
    ("truth", "read", "found"),
    [
        ("Elm", "EIm", [("l", "I")]),
        ("too", "to", [("o", "")]),
        ("to", "tow", [("", "w")]),
        ("ab", "ba", [("a", "b"), ("b", "a")]),
        ("same", "same", []),
        ("", "x", [("", "x")]),
    ],
)
def test_edits_of_examples(truth: str, read: str, found: list[tuple[str, str]]) -> None:
    assert edits(truth, read) == found


def test_confusions_are_counted_over_all_and_the_most_frequent_comes_first() -> None:
    cases = [Case(32, 64, *pair) for pair in (("Il", "ll"), ("I1", "l1"), ("ab", "a"), ("c", "c"))]
    assert confusions(cases) == [("I", "l", 2), ("b", "", 1)]


def test_every_case_is_in_one_group_of_lengths_one_of_room_and_one_of_shapes() -> None:
    rng = np.random.default_rng(0)
    cases = [
        Case(*rng.integers(8, 200, 2).tolist(), "x" * int(rng.integers(1, 14)), "x")
        for _ in range(200)
    ]
    members: dict[str, int] = {}
    for group in groups(cases, 32):
        members[group.by] = members.get(group.by, 0) + group.score.n
    assert members.pop("text") == 200  # letters alone, here
    assert set(members.values()) == {200}
    assert len(members) == 3


@pytest.mark.parametrize(
    ("truth", "names"),
    [
        ("Word", ["letters alone"]),
        ("2026", ["digits alone"]),
        ("A4", ["letters and digits"]),
        ("A-4", ["with punctuation"]),
        ("a_b", ["with punctuation"]),
        ("Elm St.", ["with punctuation", "with a space"]),
        ("Straße", ["letters alone"]),
        ("", []),
    ],
)
def test_kinds_of_text(truth: str, names: list[str]) -> None:
    found = groups([Case(32, 64, truth, "")], 32)
    assert [group.name for group in found if group.by == "text"] == names


def test_room_for_a_character_is_along_the_line() -> None:
    across = groups([Case(64, 120, "five5", "five5")], 32)  # 120 × 32 / 64 / 5
    upright = groups([Case(120, 64, "five5", "five5")], 32)
    for found, shape in ((across, "horizontal line"), (upright, "vertical line")):
        names = {group.by: group.name for group in found}
        assert names["px per character at 32 px height"] == "12 to below 15"
        assert names["image"] == shape


def test_scores_are_those_of_the_members() -> None:
    found = groups([Case(32, 64, "12", "12"), Case(32, 64, "34", "35"), Case(32, 64, "ab", "")], 32)
    by_name = {group.name: group.score for group in found}
    assert (by_name["digits alone"].n, by_name["digits alone"].accuracy) == (2, 0.5)
    assert by_name["digits alone"].cer == 0.25
    assert by_name["letters alone"].exact == 0


def test_the_command_prints_it_and_puts_it_into_json(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        Image.fromarray(np.full((32, 90), 128, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.tsv").write_text("a.png\taa\nb.png\tab9\n")
    assert evaluate.main([str(tiny_model), str(tmp_path), "--breakdown"]) == 0
    told = capsys.readouterr().out
    assert "letters and digits" in told
    assert "deleted" in told
    assert evaluate.main([str(tiny_model), str(tmp_path), "--breakdown", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {group["name"] for group in found["groups"]} >= {"below 3", "3 to below 5"}
    assert sum(times for *_, times in found["confusions"]) > 0
    assert evaluate.main([str(tiny_model), str(tmp_path), "--json"]) == 0
    assert "groups" not in json.loads(capsys.readouterr().out)


def test_all_read_rightly_has_no_confusions_to_show() -> None:
    cases = [Case(32, 64, "a", "a")]
    told = list(breakdown.lines(groups(cases, 32), confusions(cases)))
    assert told[-1].endswith("substituted 0, deleted 0, inserted 0")
