"""All formats at once: each verified against the checkpoint, and none able to stop the others."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from crnn_edge import plugins, selftest
from crnn_edge.backends import open_backend
from crnn_edge.backends.numpy import NumpyBackend
from crnn_edge.errors import EngineError, MissingEngineError
from crnn_edge.files import model_files
from export import all as export_all
from export import verify
from model.network.backend import TorchBackend
from model.network.checkpoint import Checkpoint
from quantize.calibration import MIN_CROPS
from quantize.pipeline import load_quantizer
from quantize.verify import TOLERANCE
from tests.test_export import furnish, unsure_checkpoint

NAMES = ["numpy", "onnx", "openvino", "tflite"]
FORMATS = {name: load_quantizer(name).fmt for name in NAMES}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def made(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every format in both precisions."""
    out = tmp_path_factory.mktemp("made")
    assert run(home, out, "--int8", "--max-drop", 100) == 0
    return out


def run(home: Path, out: Path, *argv: object) -> int:
    fixed = [home / "tiny.safetensors", "--calibration", home / "crops", "--out", out]
    return export_all.main([str(value) for value in (*fixed, *argv)])


def expected_files(*names: str, int8: bool = True) -> set[str]:
    endings = ["", "-int8"] if int8 else [""]
    return {
        file.name
        for name in names
        for ending in endings
        for file in model_files(Path(f"tiny{ending}{FORMATS[name].suffix}"))
    }


def found_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def only(monkeypatch: pytest.MonkeyPatch, *chosen: str) -> None:
    """Pretend that there are no other formats."""
    monkeypatch.setattr(plugins, "available", lambda package, attribute: list(chosen))


def test_a_format_is_a_module_that_converts() -> None:
    assert plugins.available("export", "convert") == NAMES


def test_everything_is_made_and_proves_itself(made: Path) -> None:
    assert found_files(made) == expected_files(*NAMES)
    for name in NAMES:
        for ending, precision in (("", "fp32"), ("-int8", "int8")):
            backend = open_backend(made / f"tiny{ending}{FORMATS[name].suffix}")
            assert selftest.run_selftest(backend).ok
            assert backend.manifest.precision == precision
            assert backend.manifest.metrics[precision]["reference"]["name"] == "torch"


def test_without_int8_there_is_fp32_alone_and_the_table_has_a_row_for_each(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, tmp_path / "new") == 0
    assert found_files(tmp_path / "new") == expected_files(*NAMES, int8=False)
    printed = capsys.readouterr()
    rows = [line for line in printed.out.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {len(row) for row in cells} == {len(cells[0])}
    assert [row[0] for row in cells[2:]] == [
        "torch",
        *(f"tiny{FORMATS[name].suffix}" for name in NAMES),
    ]
    assert [row[1] for row in cells[3:]] == NAMES
    assert f"n = {MIN_CROPS}" in printed.out
    assert "exporting" in printed.err


def test_torch_runs_once_however_many_files_there_are(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    call = TorchBackend.__call__
    monkeypatch.setattr(
        TorchBackend, "__call__", lambda self, tensor: calls.append(1) or call(self, tensor)
    )
    only(monkeypatch, "numpy")
    assert run(home, tmp_path / "few", "--max-drop", 100) == 0
    for_one_file = len(calls)
    assert for_one_file >= MIN_CROPS
    only(monkeypatch, "numpy", "onnx")
    assert run(home, tmp_path / "many", "--int8", "--max-drop", 100) == 0
    assert len(calls) == 2 * for_one_file


def break_convert(
    monkeypatch: pytest.MonkeyPatch, name: str, convert: Callable[[Checkpoint, Path], None]
) -> None:
    monkeypatch.setattr(importlib.import_module(f"export.{name}"), "convert", convert)


def test_a_wrong_file_is_not_written_nor_what_is_made_of_it_and_the_others_are(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    right = importlib.import_module("export.onnx").convert

    def slightly_off(checkpoint: Checkpoint, target: Path) -> None:
        with torch.no_grad():
            checkpoint.model.linears[-1].bias += 0.01
            right(checkpoint, target)
            checkpoint.model.linears[-1].bias -= 0.01

    break_convert(monkeypatch, "onnx", slightly_off)
    only(monkeypatch, "numpy", "onnx")
    assert run(home, tmp_path, "--int8", "--max-drop", 100) == 1
    assert found_files(tmp_path) == expected_files("numpy")
    printed = capsys.readouterr()
    assert "logits differ by 0.01" in printed.err
    assert "error: not every format was written: 1 failed (onnx)" in printed.err
    assert "tiny-int8.npz" in printed.out
    assert run(home, tmp_path, "--int8", "--max-drop", 100, "--json") == 1
    (why,) = json.loads(capsys.readouterr().out)["failed"].values()
    assert "logits differ by 0.01" in why  # not that more was made of it


def test_of_a_network_too_uncertain_for_a_self_test_every_format_is_refused_by_itself(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    unsure = unsure_checkpoint(tmp_path / "unsure.safetensors").path
    only(monkeypatch, "numpy", "onnx")
    argv = [unsure, "--calibration", home / "crops", "--out", tmp_path / "out"]
    assert export_all.main([str(value) for value in argv]) == 1
    error = capsys.readouterr().err
    assert "error: numpy: cannot create a self-test for unsure.npz" in error
    assert "error: onnx: cannot create a self-test for unsure.onnx" in error
    assert "2 failed (numpy, onnx)" in error


def test_a_converter_that_breaks_down_leaves_the_others_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def crash(checkpoint: Checkpoint, target: Path) -> None:
        target.write_bytes(b"half a file")
        raise RuntimeError("the engine has had enough")

    break_convert(monkeypatch, "numpy", crash)
    only(monkeypatch, "numpy", "onnx")
    assert run(home, tmp_path) == 1
    assert found_files(tmp_path) == expected_files("onnx", int8=False)
    assert "error: numpy: the engine has had enough" in capsys.readouterr().err


def test_int8_beyond_the_allowed_drop_is_left_out_and_fp32_is_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    only(monkeypatch, "numpy")
    spoil_linear(monkeypatch)
    (tmp_path / "tiny-int8.npz").write_bytes(b"an older file")
    assert run(home, tmp_path, "--int8") == 1
    assert found_files(tmp_path) == expected_files("numpy")
    assert (tmp_path / "tiny-int8.npz").read_bytes() == b"an older file"
    assert "exact falls by" in capsys.readouterr().err


def spoil_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the NumPy format round two-dimensional weights to nothing."""
    module = importlib.import_module("quantize.numpy")
    right = module.round_weights
    monkeypatch.setattr(
        module, "round_weights", lambda weight, *more: right(0 * weight, *more)
        if weight.ndim == 2 else right(weight, *more),
    )  # fmt: skip


def test_mixed_precision_saves_what_would_be_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    only(monkeypatch, "numpy")
    spoil_linear(monkeypatch)
    assert run(home, tmp_path, "--int8", "--mixed-precision", "--max-drop", 10) == 0
    assert "layers that stay in float: " in capsys.readouterr().err
    kept = open_backend(tmp_path / "tiny-int8.npz").manifest.quantization["int8_layers"]
    assert "linear2" not in kept
    assert "conv1" in kept


@pytest.mark.parametrize(("flags", "code"), [([], 1), (["--allow-absent"], 0)])
def test_an_absent_engine_is_counted_and_may_be_allowed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, flags, code: int
) -> None:
    def absent(checkpoint: Checkpoint, target: Path) -> None:
        raise MissingEngineError("writing such files needs an engine: `pip install engine`")

    break_convert(monkeypatch, "openvino", absent)
    only(monkeypatch, "numpy", "openvino")
    assert run(home, tmp_path, *flags) == code
    assert found_files(tmp_path) == expected_files("numpy", int8=False)
    error = capsys.readouterr().err
    assert "error: openvino: writing such files needs an engine" in error
    assert ("1 lack their engine (openvino)" in error) == bool(code)


def refuses(checkpoint: Checkpoint, target: Path) -> None:
    raise EngineError("the engine is there and cannot compile this")


@pytest.mark.parametrize("convert", [lambda checkpoint, target: 1 / 0, refuses])
def test_allowing_absence_allows_no_failure(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convert
) -> None:
    only(monkeypatch, "numpy", "onnx")
    break_convert(monkeypatch, "onnx", convert)
    assert run(home, tmp_path, "--allow-absent") == 1


def test_a_file_that_cannot_be_compared_keeps_no_other_from_being_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    whole = NumpyBackend.__call__

    def not_finite(self: NumpyBackend, tensor: np.ndarray) -> np.ndarray:
        return whole(self, tensor) * np.float32(np.nan)

    monkeypatch.setattr(NumpyBackend, "__call__", not_finite)
    only(monkeypatch, "numpy", "onnx")
    assert run(home, tmp_path) == 1
    assert found_files(tmp_path) == expected_files("onnx", int8=False)
    assert "gives logits that are not finite" in capsys.readouterr().err


def test_json_tells_all(home: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    only(monkeypatch, "numpy", "onnx")
    break_convert(monkeypatch, "onnx", lambda checkpoint, target: 1 / 0)
    assert run(home, tmp_path, "--json") == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["files"] == [str(tmp_path / "tiny.npz")]
    assert printed["failed"] == {"onnx": "division by zero"}
    (verified,) = printed["verified"]
    assert verified["candidate"]["selftest"] is True
    assert verified["max_difference"] <= TOLERANCE
    assert len(verified["latency_ratio"]) == 3


@pytest.mark.parametrize("argv", [["--max-drop", "-1"], ["--mixed-precision"]])
def test_contradictions_are_misuse(home: Path, tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(home, tmp_path, *argv)
    assert stopped.value.code == 2


def test_a_file_is_no_folder_to_write_to(home: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(home, home / "tiny.safetensors")
    assert stopped.value.code == 2


def verify_files(home: Path, *argv: object) -> int:
    fixed = ["--checkpoint", home / "tiny.safetensors", "--calibration", home / "crops"]
    return verify.main([str(value) for value in (*fixed, *argv)])


def test_verify_takes_many_files_and_prints_one_table(home: Path, made: Path, capsys) -> None:
    files = [made / f"tiny{form.suffix}" for form in FORMATS.values()]
    assert verify_files(home, *files) == 0
    printed = capsys.readouterr().out
    assert printed.count("| torch") == 1
    assert all(file.name in printed for file in files)


def test_verify_takes_everything_that_lies_in_a_folder(home: Path, made: Path, capsys) -> None:
    assert verify_files(home, *sorted(made.iterdir()), "--max-drop", 100) == 0
    printed = capsys.readouterr().out
    rows = [
        line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| tiny")
    ]
    models = {f"tiny{ending}{form.suffix}" for ending in ("", "-int8") for form in FORMATS.values()}
    assert sorted(rows) == sorted(models)  # so the weights beside an .xml are no model of their own


def test_weights_without_their_model_file_are_refused(home: Path, made: Path, capsys) -> None:
    assert verify_files(home, made / "tiny.onnx", made / "tiny.bin") == 1
    assert "unknown file suffix '.bin'" in capsys.readouterr().err


def test_verify_names_the_one_file_that_fails(
    home: Path, made: Path, tmp_path: Path, capsys
) -> None:
    good, bad = made / "tiny.npz", tmp_path / "bad.npz"
    manifest = open_backend(good).manifest
    classes = tuple((k + 1) % 11 if k >= 0 else k for k in manifest.selftest)
    bad.write_bytes(good.read_bytes())
    FORMATS["numpy"].replace_manifest(bad, manifest.replace(selftest=classes))
    assert verify_files(home, good, bad) == 1
    error = capsys.readouterr().err
    assert "bad.npz fails its self-test" in error
    assert "tiny.npz" not in error
