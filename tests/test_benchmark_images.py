from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarking import run
from PIL import Image

from examples.benchmarks import recognizers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good picture, and `bad.png`, which a test makes."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 96), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "labels.tsv").write_text("good.png\tgood\nbad.png\tbad\n")
    return tmp_path


@pytest.mark.parametrize("benchmark", ["backends", "baselines"])
def test_an_unreadable_image_is_named_before_anything_is_measured(
    benchmark: str,
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recognizers, "INSTALL", {})
    code, out, err = run(capsys, benchmark, "--models", tiny_model, "--images", folder)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: cannot read {folder / 'bad.png'}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("widths", [[], ["--widths", 64, 4096]])
def test_an_image_too_long_for_a_model_is_named_before_anything_is_measured(
    widths: list[object], folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    width = 96 if widths else 3000
    Image.fromarray(np.zeros((32, width), np.uint8)).save(folder / "bad.png")
    code, out, err = run(
        capsys, "backends", "--models", tiny_model, "--threads", 1, "--images", folder, *widths
    )
    assert (code, out) == (1, "")
    culprit = "--widths 4096" if widths else str(folder / "bad.png")
    assert err.startswith(f"error: {culprit}, for tiny.onnx, onnx, 1: ")
    assert "at most 2048" in err
    assert err.count("\n") == 1


def test_an_image_too_long_for_our_model_is_named_before_baselines_read_it(
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recognizers, "INSTALL", {})
    Image.fromarray(np.zeros((32, 3000), np.uint8)).save(folder / "bad.png")
    code, out, err = run(capsys, "baselines", "--models", tiny_model, "--images", folder)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {folder / 'bad.png'}, for tiny.onnx (onnx): ")
