from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarking import rows, run

from crnn_edge.errors import EngineError
from examples.benchmarks import synth

TRDG = """
print("imported")

class GeneratorFromDict:
    def __init__(self, path, **settings):
        self.texts, self.number = open(path).read().splitlines(), 0
        self.generator = type("Inner", (), {"fonts": ["a", "b"]})

    def __next__(self):
        self.number += 1
        sum(range(50_000))
        return (object() if self.number % 2 else None), self.texts[self.number]
"""


def test_both_renderers_are_measured_in_the_same_rounds(
    program: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import matplotlib

    program("trdg.generators", TRDG)
    monkeypatch.setattr(synth, "environment", lambda *_: sys.executable)
    monkeypatch.setattr(synth, "_PROBE", 4)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    code, out, _ = run(
        capsys, "synth", "--rounds", 2, "--seconds", 0.1, "--processes", 1, "--fonts", fonts
    )
    assert code == 0
    table = {cells[0]: cells for cells in rows(out)}
    assert set(table) == {"ours", "trdg 1.8.0"}
    assert table["trdg 1.8.0"][1] == "2"
    assert table["trdg 1.8.0"][-2:] == ["1.00×", "1.00×"]
    assert "2 rounds" in out


def test_ours_is_measured_alone_where_trdg_cannot_be_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib

    def absent(*_: Any) -> str:
        raise EngineError("cannot install trdg: no network")

    monkeypatch.setattr(synth, "environment", absent)
    monkeypatch.setattr(synth, "_PROBE", 4)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    code, out, err = run(
        capsys, "synth", "--rounds", 2, "--seconds", 0.1, "--processes", 1, "--fonts", fonts
    )
    assert code == 0
    assert "left out: cannot install trdg: no network" in err
    (cells,) = rows(out)
    assert cells[0] == "ours"
    assert cells[-2:] == ["–", "–"]


def test_both_renderers_write_the_same_kinds_of_texts(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("alpha\nbeta\n")
    texts = synth.write_texts(tmp_path / "texts", tmp_path / "words").read_text().splitlines()
    assert all(texts)
    assert sum(text.lower() in ("alpha", "beta") for text in texts) > len(texts) / 4
    assert any(character.isdigit() for text in texts for character in text)
