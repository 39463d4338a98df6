"""A checkpoint to a model file: the same function, the same manifest, or no file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from crnn_edge import selftest
from crnn_edge.backends import open_backend
from crnn_edge.charset import Charset
from crnn_edge.manifest import Manifest
from crnn_edge.recognizer import Recognizer
from export.cli import main
from export.onnx import convert
from model.network.backend import TorchBackend
from model.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from quantize.calibration import MIN_CROPS
from quantize.formats.onnx import FORMAT, write
from quantize.quantizer import Quantizer
from quantize.verify import TOLERANCE

CHARSET = Charset(tuple("abcdefghij"))


def tiny_checkpoint(
    path: Path, layers: int = 2, final_kernel: tuple[int, int] = (2, 1)
) -> Checkpoint:
    """A small network with loud, varied logits, whose batch-norms have seen data."""
    torch.manual_seed(0)
    config = NetworkConfig(
        name="tiny",
        channels=(4, 4, 8, 8, 8, 8, 8),
        lstm_hidden=8,
        lstm_layers=layers,
        num_classes=CHARSET.num_classes,
        final_kernel=final_kernel,
    )
    model = CRNN(config).train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(4, 1, 32, 64))
        for parameter in (*model.lstms.parameters(), *model.linears.parameters()):
            parameter *= 5
    save_checkpoint(path, model, Manifest(name="tiny", charset=CHARSET), half=False)
    return load_checkpoint(path)


def furnish(folder: Path, count: int = 2 * MIN_CROPS) -> Path:
    """Put `tiny.safetensors` and `crops` there, which the network reads without a fault."""
    (folder / "crops").mkdir()
    checkpoint = tiny_checkpoint(folder / "tiny.safetensors")
    recognizer = Recognizer(TorchBackend.from_checkpoint(checkpoint))
    rng = np.random.default_rng(0)
    lines = []
    for index in range(count):
        coarse = rng.integers(0, 256, (4, 4 + index % 7), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((coarse.shape[1] * 12, 32))
        picture.save(folder / "crops" / f"{index}.png")
        lines.append(f"{index}.png\t{recognizer(np.asarray(picture)).text}\n")
    (folder / "crops" / "labels.tsv").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("export"))


def run(home: Path, *argv: object, convert=convert) -> int:
    fixed = [str(home / "tiny.safetensors"), "--calibration", str(home / "crops")]
    with patch("export.onnx.convert", convert):
        return main("onnx", [*fixed, *map(str, argv)])


def test_the_predictions_of_the_test_network_differ(home: Path) -> None:
    texts = {line.split("\t")[1] for line in (home / "crops/labels.tsv").read_text().splitlines()}
    assert len(texts) >= 4  # else the tests below compare nothing with nothing


@pytest.mark.parametrize(("layers", "final_kernel"), [(1, (2, 1)), (2, (2, 2))])
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 32, 160)])
def test_the_file_computes_what_torch_computes_in_any_shape(
    tmp_path: Path, layers: int, final_kernel: tuple[int, int], shape: tuple[int, ...]
) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny.safetensors", layers, final_kernel)
    convert(checkpoint, tmp_path / "tiny.onnx")
    tensor = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    expected = TorchBackend.from_checkpoint(checkpoint)(tensor)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(open_backend(tmp_path / "tiny.onnx")(tensor), expected, atol=1e-4)


def test_the_graph_has_only_what_every_engine_has(tmp_path: Path) -> None:
    convert(tiny_checkpoint(tmp_path / "tiny.safetensors"), tmp_path / "tiny.onnx")
    graph = onnx.load(tmp_path / "tiny.onnx").graph
    onnx.checker.check_model(onnx.load(tmp_path / "tiny.onnx"), full_check=True)
    assert {node.op_type for node in graph.node} <= {
        *("Conv", "Relu", "MaxPool", "LSTM", "MatMul", "Add"),
        *("Squeeze", "Transpose", "Reshape", "Constant", "Identity"),
    }
    assert [value.name for value in (*graph.input, *graph.output)] == ["image", "logits"]
    assert graph.output[0].type.tensor_type.shape.dim[2].dim_value == CHARSET.num_classes


def test_the_manifest_survives_export(home: Path, tmp_path: Path) -> None:
    assert run(home, "--out", tmp_path / "tiny.onnx") == 0
    before = load_checkpoint(home / "tiny.safetensors").manifest
    after = open_backend(tmp_path / "tiny.onnx").manifest
    for fact in ("name", "version", "charset", "preprocess", "stride", "schema", "precision"):
        assert getattr(after, fact) == getattr(before, fact)
    assert before.provenance.items() <= after.provenance.items()
    assert len(after.provenance["checkpoint_sha256"]) == 64
    assert after.metrics["fp32"]["n"] == MIN_CROPS
    assert after.metrics["fp32"]["exact"][0] == 1


@pytest.mark.parametrize("int8", [[], ["--int8", "--max-drop", 100]])
def test_a_finished_file_passes_its_own_self_test(home: Path, tmp_path: Path, int8: list) -> None:
    assert run(home, "--out", tmp_path / "tiny.onnx", *int8) == 0
    assert selftest.run_selftest(open_backend(tmp_path / "tiny.onnx")).ok


def test_the_same_checkpoint_gives_the_same_bytes(home: Path, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        assert run(home, "--int8", "--max-drop", 100, "--out", tmp_path / name) == 0
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_int8_is_compared_with_the_fp32_file_and_that_with_torch(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "tiny.onnx"
    assert run(home, "--int8", "--max-drop", 100, "--out", out, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    names = [[side[r]["name"] for r in ("reference", "candidate")] for side in printed["verified"]]
    assert names == [["torch", "fp32.onnx"], ["fp32.onnx", "int8.onnx"]]
    assert 0 < printed["verified"][0]["max_difference"] <= TOLERANCE
    assert printed["verified"][1]["max_difference"] > TOLERANCE
    assert printed["bytes"] == out.stat().st_size
    assert [path.name for path in out.parent.iterdir()] == ["tiny.onnx"]


def unencodable(home: Path, folder: Path) -> Path:
    """The crops, all of them with a label that the network cannot spell."""
    folder.mkdir()
    for file in (home / "crops").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    labels = (home / "crops" / "labels.tsv").read_text()
    (folder / "labels.tsv").write_text(re.sub("\t.*", "\tZ9", labels))
    return folder


def test_int8_is_refused_at_once_where_no_label_is_encodable(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = unencodable(home, tmp_path / "foreign"), tmp_path / "out" / "tiny.onnx"
    assert run(home, "--calibration", folder, "--int8", "--out", out) == 1
    error = capsys.readouterr().err
    assert "cannot verify an INT8 file: 0 of" in error
    assert "--calibration or --validation" in error
    assert "exporting" not in error
    assert not out.parent.exists()


def test_fp32_warns_where_no_label_is_encodable_and_compares_logits(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = unencodable(home, tmp_path / "foreign"), tmp_path / "tiny.onnx"
    assert run(home, "--calibration", folder, "--out", out) == 0
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "charset" in line]
    assert f"0 of {MIN_CROPS} crops" in error
    assert "accuracy says nothing here" in error
    out.unlink()
    assert run(home, "--calibration", folder, "--out", out, convert=slightly_off) == 1
    assert "logits differ" in capsys.readouterr().err


def slightly_off(checkpoint: Checkpoint, target: Path) -> None:
    """An exporter with a fault that no reading shows."""
    with torch.no_grad():
        checkpoint.model.linears[-1].bias += 0.01
        convert(checkpoint, target)
        checkpoint.model.linears[-1].bias -= 0.01


def test_an_export_that_differs_beyond_rounding_leaves_no_file(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tiny.onnx"
    assert run(home, "--out", out, "--max-drop", 100, convert=slightly_off) == 1
    assert "logits differ by 0.01 (allowed: 0.001)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_int8_beyond_the_allowed_drop_leaves_an_older_file_alone(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_logits(source: Path, target: Path, *_: object) -> None:
        model = onnx.load(source)
        for tensor in model.graph.initializer:
            if list(tensor.dims) == [2 * 8, CHARSET.num_classes]:
                nothing = np.zeros(tensor.dims, dtype=np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(nothing, tensor.name))
        write(model, open_backend(source).manifest, target)

    out = tmp_path / "tiny.onnx"
    out.write_bytes(b"an older file")
    with patch("quantize.onnx.QUANTIZER", Quantizer(FORMAT, without_logits)):
        assert run(home, "--int8", "--out", out) == 1
    assert "exact falls by" in capsys.readouterr().err
    assert out.read_bytes() == b"an older file"
    assert list(tmp_path.iterdir()) == [out]


def unsure_checkpoint(path: Path) -> Checkpoint:
    """The small network before it has learned anything."""
    checkpoint = tiny_checkpoint(path)
    with torch.no_grad():
        for parameter in checkpoint.model.linears[-1].parameters():
            parameter *= 1e-3
    save_checkpoint(path, checkpoint.model, checkpoint.manifest, half=False)
    return load_checkpoint(path)


def test_a_network_too_uncertain_for_a_self_test_must_be_trained_longer(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsure_checkpoint(tmp_path / "unsure.safetensors")
    argv = [tmp_path / "unsure.safetensors", "--calibration", home / "crops"]
    argv += ["--out", tmp_path / "out" / "unsure.onnx"]
    assert main("onnx", [str(value) for value in argv]) == 1
    error = capsys.readouterr().err
    assert "cannot create a self-test for fp32.onnx" in error
    assert "Train longer" in error
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "no checkpoint at"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:2000]),
            "damaged or not a safetensors file",
        ),
        (lambda path: path.write_bytes(b""), "damaged or not a safetensors file"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_said_so(
    spoil, message, tmp_path, home, capsys
) -> None:
    tiny_checkpoint(tmp_path / "tiny.safetensors")
    spoil(tmp_path / "tiny.safetensors")
    argv = [tmp_path / "tiny.safetensors", "--out", tmp_path / "out.onnx"]
    assert main("onnx", [str(value) for value in argv]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert not printed.out
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    "argv", [["--out", "tiny.tflite"], ["--max-drop", "-1"], ["--max-drop", "nan"], ["--out", "."]]
)
def test_contradictions_are_misuse(home: Path, argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(home, *argv)
    assert stopped.value.code == 2


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main("onnx", ["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "examples:" in printed
    assert "--int8" in printed
