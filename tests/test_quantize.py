"""FP32 files to INT8: what survives, what is refused, what is measured. Runs without torch."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from crnn_edge.backends import open_backend
from crnn_edge.errors import ModelFileError
from crnn_edge.labels import LabelledFolder
from quantize import calibration
from quantize.calibration import MIN_CROPS, LabelledCrops
from quantize.cli import main
from quantize.formats.onnx import FORMAT
from quantize.onnx import QUANTIZER, quantize
from quantize.quantizer import Quantizer
from tests.quantizing import broken, relabelled
from tests.tiny import build_tiny, tiny_manifest


def run(*argv: object) -> int:
    return main(QUANTIZER, [str(value) for value in argv])


def test_the_int8_file_is_the_same_model_for_its_user(model: Path, crops_folder: Path) -> None:
    assert run(model, "--calibration", crops_folder, "--max-drop", 100) == 0
    before, after = (
        open_backend(path).manifest for path in (model, model.with_name("tiny-int8.onnx"))
    )
    assert after.precision == "int8"
    for fact in ("name", "version", "charset", "preprocess", "stride", "schema"):
        assert getattr(after, fact) == getattr(before, fact)
    assert after.quantization["calibration"]["n"] == 2 * MIN_CROPS
    assert after.metrics["int8"]["n"] == 2 * MIN_CROPS
    assert after.selftest


def test_the_same_input_gives_the_same_bytes(
    model: Path, crops_folder: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for file in files:
        quantize(model, file, LabelledCrops.load(crops_folder))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_weights_are_stored_in_one_byte_each(model: Path, crops_folder: Path) -> None:
    target = model.with_name("int8.onnx")
    quantize(model, target, LabelledCrops.load(crops_folder))
    graph = onnx.load(target).graph
    large = [t for t in graph.initializer if t.name.startswith(("kernel", "w", "r", "head"))]
    one_byte = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    heavy = [t for t in large if np.prod(t.dims) >= 88]  # the network's four weight tensors
    assert len(heavy) == 4
    assert {t.data_type for t in heavy} <= one_byte
    assert not graph.value_info


def test_convolution_weights_use_seven_bits(model: Path, crops_folder: Path) -> None:
    target = model.with_name("int8.onnx")
    quantize(model, target, LabelledCrops.load(crops_folder))
    (kernel,) = [t for t in onnx.load(target).graph.initializer if t.name == "kernel_quantized"]
    levels = onnx.numpy_helper.to_array(kernel)
    assert levels.dtype == np.int8
    assert 32 < np.abs(levels.astype(int)).max() <= 64


def test_a_linear_layers_weights_have_no_sign_and_one_scale(
    model: Path, crops_folder: Path
) -> None:
    # Signed ones, times activations without a sign, saturate on x86 processors without VNNI.
    target = model.with_name("int8.onnx")
    quantize(model, target, LabelledCrops.load(crops_folder))
    graph = onnx.load(target).graph
    constants = {t.name: t for t in graph.initializer}
    (linear,) = [node for node in graph.node if node.op_type == "MatMulInteger"]
    weight, zero = (constants[linear.input[k]] for k in (1, 3))
    assert weight.data_type == zero.data_type == onnx.TensorProto.UINT8
    assert np.prod(zero.dims, dtype=int) == 1


def test_quantizing_says_nothing_to_the_log(
    model: Path, crops_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quantize(model, model.with_name("int8.onnx"), LabelledCrops.load(crops_folder))
    assert not caplog.records
    assert logging.root.manager.disable == logging.NOTSET


def test_quantizing_leaves_no_handler_of_the_root_logger_behind(
    model: Path, crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    quantize(model, model.with_name("int8.onnx"), LabelledCrops.load(crops_folder))
    assert not logging.root.handlers


def test_a_split_is_disjoint_complete_and_the_same_every_time(crops_folder: Path) -> None:
    first, second = LabelledCrops.load(crops_folder).split()
    assert sorted([*first.indices, *second.indices]) == list(range(4 * MIN_CROPS))
    assert first.indices == LabelledCrops.load(crops_folder).split()[0].indices
    assert first.provenance()["sha256"] != second.provenance()["sha256"]


def test_the_hash_of_crops_is_of_their_pictures_and_of_their_labels(
    crops_folder: Path, tmp_path: Path
) -> None:
    same = relabelled(crops_folder, tmp_path / "same", 4 * MIN_CROPS)
    texts = relabelled(crops_folder, tmp_path / "texts", 4 * MIN_CROPS - 1)
    picture = relabelled(crops_folder, tmp_path / "picture", 4 * MIN_CROPS)
    (picture / "0.png").write_bytes((picture / "1.png").read_bytes())
    hashes = [
        LabelledCrops.load(f).provenance()["sha256"] for f in (crops_folder, same, texts, picture)
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_calibration_tensors_are_what_the_manifest_makes_of_the_pictures(
    crops_folder: Path,
) -> None:
    preprocess = tiny_manifest().preprocess
    folder = LabelledFolder(crops_folder)
    for tensor, (image, _) in zip(
        LabelledCrops.load(crops_folder).tensors(preprocess), folder, strict=True
    ):
        np.testing.assert_array_equal(tensor[0], preprocess(image))


def test_beyond_the_allowed_drop_no_file_is_written(
    model: Path, crops_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantizer = Quantizer(FORMAT, lambda source, target, *_: broken(source, target))
    before = sorted(model.parent.iterdir())
    assert main(quantizer, [str(model), "--calibration", str(crops_folder)]) == 1
    printed = capsys.readouterr()
    assert "falls by" in printed.err
    assert not printed.out
    assert sorted(model.parent.iterdir()) == before


def test_json_has_what_the_table_has(
    model: Path, crops_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = model.with_name("out.onnx")
    argv = [model, "--calibration", crops_folder, "--max-drop", 100, "--out", out, "--json"]
    assert run(*argv, "--validation", crops_folder) == 0
    printed = json.loads(capsys.readouterr().out)
    (verified,) = printed["verified"]
    assert printed["bytes"] == out.stat().st_size == verified["candidate"]["bytes"]
    assert verified["n"] == 4 * MIN_CROPS
    assert verified["reference"]["score"]["exact"][0] == 1


@pytest.mark.parametrize("option", ["--calibration", "--validation"])
def test_crops_whose_labels_are_not_encodable_are_left_out(
    option: str, model: Path, crops_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encodable = (
        2 * MIN_CROPS if option == "--calibration" else MIN_CROPS
    )  # half of those are for validation
    folder = relabelled(crops_folder, tmp_path / "some", encodable)
    assert run(model, "--calibration", crops_folder, option, folder, "--max-drop", 100) == 0
    assert f"{MIN_CROPS} crops of some" in capsys.readouterr().err
    after = open_backend(model.with_name("tiny-int8.onnx")).manifest
    assert after.metrics["int8"]["n"] == MIN_CROPS
    assert after.metrics["int8"]["set"].endswith("(encodable labels)")
    assert after.metrics["int8"]["reference"]["exact"][0] == 1
    assert after.quantization["calibration"]["n"] == 2 * MIN_CROPS


@pytest.mark.parametrize("option", ["--calibration", "--validation"])
def test_without_enough_encodable_labels_no_int8_file_is_written(
    option: str, model: Path, crops_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = relabelled(crops_folder, tmp_path / "few", MIN_CROPS - 1)
    before = sorted(model.parent.iterdir())
    assert run(model, "--calibration", crops_folder, option, folder) == 1
    error = capsys.readouterr().err
    few = MIN_CROPS // 2 if option == "--calibration" else MIN_CROPS - 1
    assert f"cannot verify an INT8 file: {few} of" in error
    assert "--calibration or --validation" in error
    assert sorted(model.parent.iterdir()) == before


def test_an_int8_file_is_not_quantized_again(tmp_path: Path, crops_folder: Path) -> None:
    model = build_tiny(tmp_path / "int8.onnx", tiny_manifest(precision="int8"))
    with pytest.raises(ModelFileError, match="int8 already"):
        quantize(model, tmp_path / "out.onnx", LabelledCrops.load(crops_folder))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model, folder: build_tiny(model, None), "carries no manifest"),
        (lambda model, folder: model.unlink(), "no such file"),
        (lambda model, folder: model.write_bytes(model.read_bytes()[:300]), "damaged"),
        (lambda model, folder: (folder / "labels.tsv").unlink(), "labels.tsv"),
        (lambda model, folder: (folder / "labels.tsv").write_text("0.png\ta\n"), "at least"),
        (lambda model, folder: (folder / "3.png").write_bytes(b"no picture"), "3.png"),
        (lambda model, folder: (folder / "4.png").unlink(), "4.png"),
    ],
)
def test_what_cannot_work_is_said_without_a_traceback(
    spoil, message, model, crops_folder, tmp_path, capsys
) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    for file in crops_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    spoil(model, folder)
    assert run(model, "--calibration", folder) == 1
    printed = capsys.readouterr()
    assert "error: " in printed.err
    assert message in printed.err
    assert not printed.out
    assert not model.with_name("tiny-int8.onnx").exists()


@pytest.mark.parametrize(
    "argv",
    [["--out", "x.tflite"], ["--max-drop", "-1"], ["--max-drop", "nan"], ["--out", "tiny.onnx"]],
)
def test_contradictions_are_misuse(argv, model, monkeypatch, capsys) -> None:
    monkeypatch.chdir(model.parent)
    with pytest.raises(SystemExit) as exit_:
        run("tiny.onnx", *argv)
    assert exit_.value.code == 2


def test_the_shipped_crops_are_enough_small_and_diverse() -> None:
    crops = LabelledCrops.load(calibration.DEFAULT_CALIBRATION_SET)
    size = sum(file.stat().st_size for file in calibration.DEFAULT_CALIBRATION_SET.iterdir())
    assert size <= 1_000_000
    assert len(crops) >= 200
    widths = {tensor.shape[3] for tensor in crops.tensors(tiny_manifest().preprocess)}
    assert len(widths) >= 4
    assert len({c for text in crops.texts for c in text}) >= 60


@pytest.mark.parametrize("name", ["tiny.tflite", "tiny.safetensors"])
def test_a_file_of_another_format_is_misuse(name: str, tmp_path: Path, capsys) -> None:
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(SystemExit):
        run(tmp_path / name)
    assert (
        "is not an .onnx file: expected one that `python -m export.onnx" in capsys.readouterr().err
    )


def test_few_validation_crops_and_those_that_calibrate_too_give_a_warning(
    model: Path, crops_folder: Path, capsys
) -> None:
    own = ("--calibration", crops_folder, "--validation", crops_folder)
    assert run(model, *own, "--max-drop", 100) == 0
    error = capsys.readouterr().err
    assert f"half of the validation crops in {crops_folder} are the calibration crops" in error
    assert f"only {len(LabelledFolder(crops_folder))} crops of crops" in error
