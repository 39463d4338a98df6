from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from benchmarking import IMAGES, rows, run, write_crops

from examples.benchmarks import recognizers
from examples.benchmarks.child import Child

BASELINE = """
from examples.benchmarks.programs.timing import timed

def start(text):
    about = {"engine": {"baseline": "1.0"}, "size_bytes": 2_000_000}
    return {"about": lambda: about, "read": lambda paths: timed(lambda path: text, paths)}
"""


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "plates" / "dev", tmp_path / "meters"]
    for folder in made:
        folder.mkdir(parents=True)
        write_crops(folder)
    return made


def test_every_recognizer_reads_every_set(
    tiny_model: Path,
    folders: list[Path],
    tmp_path: Path,
    program: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = partial(Child, program("mine.baseline", BASELINE), ["WORD1"])
    monkeypatch.setattr(
        recognizers, "INSTALL", {"ppocr": lambda: {"Other": start, "Other, padded": start}}
    )
    code, out, _ = run(
        capsys, "sets", "--images", *folders, "--models", tiny_model, "--baselines", "ppocr",
        "--str", "plates", "--json", tmp_path / "a.json",
    )  # fmt: skip
    assert code == 0
    assert "Other, padded |" in out
    assert "Other |" not in out  # only the padded variant
    table = {cells[0]: cells[1:] for cells in rows(out)}
    assert list(table) == ["plates, STR", "meters", "mean of the sets", "processor time, ms a word"]
    assert table["plates, STR"][0] == str(IMAGES)
    assert table["plates, STR"][2].startswith("5.0 ±")  # one of twenty, in another case
    assert table["meters"][2].startswith("0.0 ±")
    assert table["mean of the sets"][2] == "2.5"
    found = json.loads((tmp_path / "a.json").read_text())
    assert set(found["sets"]["Other, padded"]) == {"plates", "meters"}


def test_at_most_as_many_images_are_read_as_asked(
    tiny_model: Path, folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sets", "--images", folders[1], "--models", tiny_model, "--max", "7"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert rows(out)[0][1] == "7"


def test_a_set_that_does_not_exist_is_refused(
    tiny_model: Path, folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(
        capsys, "sets", "--images", *folders, "--models", tiny_model, "--str", "plate"
    )
    assert code == 1
    assert err == "error: --str plate: no such set; sets: plates, meters\n"
