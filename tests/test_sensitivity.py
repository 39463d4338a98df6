"""Mixed precision: layers have names, can be kept in float, and only those that must be are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from crnn_edge.backends import open_backend
from export.numpy import convert as convert_numpy
from export.onnx import convert as convert_onnx
from export.openvino import convert as convert_openvino
from export.tflite import convert as convert_tflite
from model.network.checkpoint import load_checkpoint
from quantize import mixed_precision, sensitivity
from quantize.calibration import LabelledCrops
from quantize.cli import main as quantize_main
from quantize.comparison import VerificationError
from quantize.formats.numpy import write
from quantize.layer_names import LayerNameError, layer_names
from quantize.mixed_precision import ALL_LAYERS, int8_layers, layer_sensitivity
from quantize.numpy import QUANTIZER as NUMPY
from quantize.numpy import names_by_index, read_arrays
from quantize.pipeline import quantizer_of
from quantize.quantizer import Quantizer
from tests.test_export import furnish

CONVERT = {
    ".onnx": convert_onnx,
    ".npz": convert_numpy,
    ".xml": convert_openvino,
    ".tflite": convert_tflite,
}
FLOAT_FIRST = {".onnx", ".tflite"}
"""Whose first convolution is float in any case."""

QUANTIZERS = {suffix: quantizer_of(Path(f"x{suffix}")) for suffix in CONVERT}
COUNT = 48
"""Crops enough to show a loss of a third of one half."""

CONVOLUTIONS = [f"conv{k}" for k in range(1, 8)]
OTHERS = ["lstm1", "linear1", "lstm2", "linear2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, and the FP32 files of a network that reads them without a fault."""
    folder = furnish(tmp_path_factory.mktemp("sensitivity"), count=COUNT)
    for suffix, convert in CONVERT.items():
        convert(load_checkpoint(folder / "tiny.safetensors"), folder / f"tiny{suffix}")
    return folder


@pytest.fixture(scope="module")
def split(home: Path) -> tuple[LabelledCrops, LabelledCrops]:
    return LabelledCrops.load(home / "crops").split()


def distance(a: Path, b: Path) -> float:
    tensor = np.random.default_rng(0).normal(size=(1, 1, 32, 96)).astype(np.float32)
    return float(np.abs(open_backend(a)(tensor) - open_backend(b)(tensor)).mean())


def test_layers_are_counted_by_kind() -> None:
    kinds = ["conv", "relu", None, "conv", "lstm", "linear", "lstm"]
    assert layer_names(kinds) == ["conv1", None, None, "conv2", "lstm1", "linear1", "lstm2"]


@pytest.mark.parametrize("suffix", CONVERT)
def test_a_file_tells_its_int8_layers_in_order(
    home: Path, split, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"x{suffix}"
    QUANTIZERS[suffix].quantize(home / f"tiny{suffix}", target, split[0])
    assert int8_layers(target) == [*CONVOLUTIONS[suffix in FLOAT_FIRST :], *OTHERS]


@pytest.mark.parametrize("suffix", CONVERT)
@pytest.mark.parametrize("kept", [{"conv3"}, {"lstm2", "linear1"}, {*CONVOLUTIONS[1:]}])
def test_a_kept_layer_stays_float_and_brings_the_file_nearer(
    home: Path, split, tmp_path: Path, suffix: str, kept: set[str]
) -> None:
    source, whole, mixed = home / f"tiny{suffix}", tmp_path / f"w{suffix}", tmp_path / f"m{suffix}"
    QUANTIZERS[suffix].quantize(source, whole, split[0])
    QUANTIZERS[suffix].quantize(source, mixed, split[0], kept)
    layers = int8_layers(whole)
    assert int8_layers(mixed) == [layer for layer in layers if layer not in kept]
    assert 0 < distance(source, mixed) != distance(source, whole)
    if len(kept) > 2:
        assert distance(source, mixed) < distance(source, whole)


@pytest.mark.parametrize("suffix", CONVERT)
def test_all_layers_in_float_compute_what_the_source_computes(
    home: Path, split, tmp_path: Path, suffix: str
) -> None:
    source, target = home / f"tiny{suffix}", tmp_path / f"x{suffix}"
    QUANTIZERS[suffix].quantize(source, target, split[0])
    QUANTIZERS[suffix].quantize(source, target, split[0], int8_layers(target))
    assert distance(source, target) < 1e-5


def test_a_kept_convolution_has_float_weights_in_the_file(
    home: Path, split, tmp_path: Path
) -> None:
    QUANTIZERS[".onnx"].quantize(home / "tiny.onnx", tmp_path / "x.onnx", split[0], {"conv4"})
    graph = onnx.load(tmp_path / "x.onnx").graph
    floats = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert [node.input[1] in floats for node in convolutions] == [k in (0, 3) for k in range(7)]


@pytest.mark.parametrize("suffix", CONVERT)
def test_a_layer_that_is_not_there_is_an_error(
    home: Path, split, tmp_path: Path, suffix: str
) -> None:
    with pytest.raises(LayerNameError, match=r"cannot exclude layers conv9.*lstm1"):
        QUANTIZERS[suffix].quantize(
            home / f"tiny{suffix}", tmp_path / f"x{suffix}", split[0], ["conv9"]
        )
    assert not list(tmp_path.iterdir())


def fragile(*layers: str) -> Quantizer:
    """The NumPy format, except that INT8 destroys some layers."""
    numbers = {name: str(place) for place, name in enumerate(PLACES) if name}

    def quantize(
        source: Path, target: Path, crops: LabelledCrops, exclude_layers: Collection[str] = ()
    ):
        NUMPY.quantize(source, target, crops, exclude_layers)
        arrays = read_arrays(target)
        for layer in set(layers) - set(exclude_layers):
            for name in arrays:
                if name.startswith(f"{numbers[layer]}.weight") and not name.endswith("scale"):
                    arrays[name] = 0 * arrays[name]
        write(
            {k: v for k, v in arrays.items() if k != "crnn_manifest"},
            open_backend(target).manifest, target,
        )  # fmt: skip

    return dataclasses.replace(NUMPY, quantize=quantize)


PLACES: list[str | None] = []


@pytest.fixture(autouse=True, scope="module")
def places(home: Path) -> None:
    """Which layer of the NumPy file is called what."""
    for place, name in names_by_index(read_arrays(home / "tiny.npz")).items():
        PLACES.extend([None] * (int(place) - len(PLACES)))
        PLACES.append(name)


def choose(
    quantizer: Quantizer, home: Path, split, target: Path, max_drop: float = 10
) -> list[str]:
    return mixed_precision.quantize(quantizer, home / "tiny.npz", target, *split, max_drop)


def test_mixed_precision_keeps_nothing_where_nothing_is_lost(
    home: Path, split, tmp_path: Path
) -> None:
    assert choose(NUMPY, home, split, tmp_path / "mixed.npz", max_drop=100) == []
    NUMPY.quantize(home / "tiny.npz", tmp_path / "plain.npz", split[0])
    assert (tmp_path / "mixed.npz").read_bytes() == (tmp_path / "plain.npz").read_bytes()


@pytest.mark.parametrize("broken", [["linear2"], ["conv5"], ["conv2", "lstm1"]])
def test_mixed_precision_keeps_just_the_layers_that_need_it(
    home: Path, split, tmp_path: Path, broken: list[str]
) -> None:
    target = tmp_path / "mixed.npz"
    kept = choose(fragile(*broken), home, split, target)
    assert sorted(kept) == sorted(broken)
    assert not set(int8_layers(target)) & set(broken)


@pytest.mark.parametrize("broken", [["linear2"], ["lstm1", "linear2"]])
def test_mixed_precision_tries_again_without_what_was_ranked_too_high(
    home: Path, split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: list[str]
) -> None:
    ranking = ["conv3", *broken, *({*CONVOLUTIONS, *OTHERS} - {"conv3", *broken}), ALL_LAYERS]
    found = {name: SimpleNamespace(kl_divergence=-place) for place, name in enumerate(ranking)}
    monkeypatch.setattr(mixed_precision, "layer_sensitivity", lambda *_: found)
    target = tmp_path / "mixed.npz"
    assert choose(fragile(*broken), home, split, target) == broken
    int8 = int8_layers(target)  # of those chosen, not of the last that were tried
    assert "conv3" in int8
    assert not set(int8) & set(broken)


def test_mixed_precision_gives_up_with_advice(home: Path, split, tmp_path: Path) -> None:
    everything = [name for name in PLACES if name]
    with pytest.raises(VerificationError, match=r"even with only .* in INT8.*model\.qat"):
        choose(fragile(*everything), home, split, tmp_path / "mixed.npz")


def test_the_command_keeps_layers_too_and_its_file_passes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [home / "tiny.npz", "--out", tmp_path / "x.npz", "--calibration", home / "crops"]
    argv += ["--max-drop", 10]
    quantizer = fragile("linear2")
    assert quantize_main(quantizer, [str(value) for value in argv]) == 1
    assert not list(tmp_path.iterdir())
    assert quantize_main(quantizer, [*(str(value) for value in argv), "--mixed-precision"]) == 0
    assert "layers that stay in float: linear2" in capsys.readouterr().err
    assert "linear2" not in int8_layers(tmp_path / "x.npz")


def test_a_layer_that_suffers_stands_out(home: Path, split) -> None:
    found = layer_sensitivity(fragile("lstm1"), home / "tiny.npz", *split)
    assert list(found) == [*CONVOLUTIONS, *OTHERS, ALL_LAYERS]
    del found[ALL_LAYERS]
    assert max(found, key=lambda layer: found[layer].kl_divergence) == "lstm1"
    assert min(found, key=lambda layer: found[layer].top1_agreement) == "lstm1"
    assert all(each.kl_divergence >= 0 for each in found.values())
    assert all(each.candidate.bytes < each.reference.bytes + 2000 for each in found.values())


def test_the_report_has_a_row_for_each_layer(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sensitivity.main([str(home / "tiny.onnx"), "--calibration", str(home / "crops")]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    layers = [row.split("|")[1].strip() for row in rows[2:]]
    assert layers == [*CONVOLUTIONS[1:], *OTHERS, "all"]
    assert f"n = {COUNT // 2}" in printed


def test_json_has_every_layer_with_its_figures(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(home / "tiny.npz"), "--calibration", str(home / "crops"), "--json"]
    assert sensitivity.main(argv) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == [*CONVOLUTIONS, *OTHERS, "all"]
    for cost in printed.values():
        low, high = cost["latency_ratio"][1:]
        assert 0 < low <= cost["latency_ratio"][0] <= high
        assert cost["kl_divergence"] >= 0
        assert 0 < cost["top1_agreement"] <= 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("labels.tsv", "is not a model file"), ("none.onnx", "no such file")],
)
def test_what_is_no_model_is_said_so(home: Path, name: str, message: str, capsys) -> None:
    argv = [str(home / name), "--calibration", str(home / "crops")]
    assert sensitivity.main(argv) == 1
    assert message in capsys.readouterr().err
