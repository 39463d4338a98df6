from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarking import IMAGES, rows, run

from crnn_edge.charset import Charset
from crnn_edge.errors import EngineError
from examples.benchmarks import decoders
from examples.benchmarks.programs import decoders as programs


def test_our_decoders_are_measured_where_no_other_can_be_installed(
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent(*_: Any) -> str:
        raise EngineError("no network")

    monkeypatch.setattr(decoders, "environment", absent)
    monkeypatch.setattr(decoders, "_NOISE_ROUNDS", 1)
    (tmp_path / "words").write_text("abc\nbad\ncab\n")
    code, out, err = run(
        capsys, "decoders", "--model", tiny_model, "--images", crops, "--rescored", 4,
        "--words", tmp_path / "words", "--json", tmp_path / "a.json",
    )  # fmt: skip
    assert code == 0
    assert "left out: no network" in err
    names = [cells[0] for cells in rows(out) if cells[0].endswith(": ours")]
    assert names == [f"{name}: ours" for name in ("greedy", "beam", "prefix_search", "lm", "beam")]
    assert [cells[-1] for cells in rows(out) if cells[0] == "lm: ours"] == ["–"]
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["images"] == IMAGES
    assert [row["lexicon"] for row in found["lexicons"]] == ["3 words"]
    assert all(row["same"] == row["of"] > 0 for row in found["lexicons"])


@pytest.mark.parametrize(
    ("content", "message"), [("für".encode("latin-1"), "no UTF-8"), (b"XYZ\n", "contains no word")]
)
def test_words_that_are_of_no_use_are_refused_in_one_line(
    content: bytes,
    message: str,
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "words").write_bytes(content)
    code, out, err = run(
        capsys, "decoders", "--model", tiny_model, "--images", crops, "--words", tmp_path / "words"
    )
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_the_language_model_is_left_out_where_the_network_reads_other_symbols(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert decoders.has_lm(Charset.ascii())
    assert not decoders.has_lm(Charset(("♩", "♪")))
    assert "left out: the decoder lm: " in capsys.readouterr().err
    made = programs.ours(["♩", "♪"], Path("no such folder"))
    assert "lm" not in made
    assert "beam" in made
