"""`python -m export.verify`: what is as good as its checkpoint passes, what is not is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export import verify
from export.onnx import convert
from model.network.checkpoint import load_checkpoint
from quantize.calibration import MIN_CROPS
from tests.test_export import furnish, slightly_off, tiny_checkpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("verify"))


def verify_file(home: Path, file: Path, *argv: object) -> int:
    fixed = [file, "--checkpoint", home / "tiny.safetensors", "--calibration", home / "crops"]
    return verify.main([str(value) for value in (*fixed, *argv)])


def test_verify_passes_what_export_wrote(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(load_checkpoint(home / "tiny.safetensors"), tmp_path / "tiny.onnx")
    assert verify_file(home, tmp_path / "tiny.onnx", "--validation", home / "crops", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2 * MIN_CROPS


def test_verify_says_so_where_the_file_is_another_networks(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_checkpoint(tmp_path / "other.safetensors", final_kernel=(2, 2))  # a time step less
    convert(other, tmp_path / "other.onnx")
    assert verify_file(home, tmp_path / "other.onnx") == 1
    error = capsys.readouterr().err
    assert "other.onnx gives logits (1, 15, 11), torch (1, 16, 11)" in error
    assert "do not come from the same checkpoint" in error
    assert "--checkpoint" in error


def test_verify_fails_what_is_off_and_shows_the_table(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slightly_off(load_checkpoint(home / "tiny.safetensors"), tmp_path / "tiny.onnx")
    assert verify_file(home, tmp_path / "tiny.onnx") == 1
    printed = capsys.readouterr()
    assert "max Δ" in printed.out
    assert "logits differ by 0.01" in printed.err
