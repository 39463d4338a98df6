from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from benchmarking import IMAGES, rows, run

from crnn_edge.errors import EngineError
from examples.benchmarks import recognizers
from examples.benchmarks.child import Child

BASELINE = """
from examples.benchmarks.programs.timing import timed

def start(text):
    about = {"engine": {"baseline": "1.0"}, "size_bytes": 2_000_000}
    return {"about": lambda: about, "read": lambda paths: timed(lambda path: text, paths)}
"""


def test_baselines_that_cannot_be_installed_are_reported_and_the_others_measured(
    tiny_model: Path,
    tiny_int8_model: Path,
    crops: Path,
    tmp_path: Path,
    program: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent() -> dict[str, Any]:
        raise EngineError("cannot install absent: no network")

    start = partial(Child, program("mine.baseline", BASELINE), ["word1"])
    monkeypatch.setattr(
        recognizers, "INSTALL", {"absent": absent, "present": lambda: {"Present 5": start}}
    )
    code, out, _ = run(
        capsys, "baselines", "--models", tiny_model, tiny_int8_model, "--images", crops,
        "--json", tmp_path / "a.json", "--png", tmp_path / "a.png",
    )  # fmt: skip
    assert code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "left out: absent: cannot install absent: no network" in out
    table = {cells[0]: cells for cells in rows(out)}
    assert list(table) == ["tiny.onnx (onnx)", "int8.onnx (onnx)", "Present 5"]
    assert table["Present 5"][1].startswith("5.0 ±")  # one of twenty words
    assert table["Present 5"][-1] == str(IMAGES)
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["rows"][0]["times_first"][0] == 1.0
