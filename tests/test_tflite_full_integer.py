"""INT8 TFLite files: ranges, layers kept in float, and full-integer files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from crnn_edge.backends import open_backend
from crnn_edge.backends.tflite import read_parts
from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.layer_ir import LSTM, Conv, Layer, Linear, MaxPool, ReLU, split, to_sequence
from crnn_edge.types import FloatArray
from export.cli import main as export_main
from export.lowering import lower_model
from export.tflite import convert
from model.network.config import CONFIGS
from model.network.crnn import CRNN
from model.network.fusion import num_parameters
from quantize.calibration import LabelledCrops
from quantize.cli import main as quantize_main
from quantize.formats.tflite import write
from quantize.formats.tflite.graph import Range, scale_and_zero
from quantize.formats.tflite.lower import QuantizationPlan, relu_first, to_flatbuffer
from quantize.layer_names import LayerNameError
from quantize.tflite import QUANTIZER, quantize
from quantize.tflite.ranges import equalize, mse_ranges
from tests.test_export import furnish, tiny_checkpoint
from tests.test_numpy_backend import numbers
from tests.test_tflite import graph, operators

WIDTH = 64
FLOATS = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = furnish(tmp_path_factory.mktemp("integer"))
    crops = LabelledCrops.load(folder / "crops")
    convert(tiny_checkpoint(folder / "tiny.safetensors"), folder / "tiny.tflite")
    quantize(folder / "tiny.tflite", folder / "int8.tflite", crops)
    quantize(folder / "tiny.tflite", folder / "whole.tflite", crops, full_integer_width=WIDTH)
    return folder


def pictures(count: int = 4) -> list[FloatArray]:
    return [numbers(1, 1, 32, 64) * (1 + i / 4) for i in range(count)]


def convolutions() -> list[Layer]:
    """Convolutions, one channel of which has peaks a hundred times those of another."""
    first, second = numbers(4, 1, 3, 3), numbers(5, 4, 3, 3)
    first[0] *= 10
    first[1] /= 10
    return [
        Conv(first, np.full(4, 0.1, dtype=np.float32), (1, 1), (1, 1)),
        ReLU(),
        MaxPool((2, 2), (2, 2)),
        Conv(second, numbers(5), (1, 1), (1, 1)),
        ReLU(),
    ]


def run(layers: list[Layer], tensor: FloatArray) -> FloatArray:
    x = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    pictured, rows = split(layers)
    for layer in pictured:
        x = layer(x)
    for layer in rows:
        x = layer(to_sequence(x) if x.ndim == 4 else x)
    return x


def rounded(x: FloatArray, over: Range) -> FloatArray:
    scale, zero = scale_and_zero(over)
    return (np.clip(np.rint(x / scale) + zero, -128, 127) - zero) * scale


# Ranges


def test_equalized_channels_are_more_alike_and_compute_the_same() -> None:
    after = equalize(convolutions(), pictures())
    for tensor in pictures():
        np.testing.assert_allclose(
            run(after, tensor), run(convolutions(), tensor), rtol=1e-4, atol=1e-4
        )
    spreads = []
    for layers in (convolutions(), after):
        peaks = run(layers[:2], pictures()[-1]).max(axis=(0, 1, 2))
        spreads.append(peaks.max() / peaks.min())
    assert spreads[1] < spreads[0] / 3


def test_a_channel_that_is_never_active_stays_finite() -> None:
    layers = convolutions()
    layers[0].bias[2] = -1e3
    for layer in equalize(layers, pictures()):
        if isinstance(layer, Conv):
            assert np.isfinite(layer.weight).all()
            assert np.isfinite(layer.bias).all()


def test_a_range_holds_zero_and_errs_less_than_all_there_is() -> None:
    noise = np.random.default_rng(0).normal(size=(50, 1, 1, 32, 128)).astype(np.float32)
    layers, tensors = convolutions(), list(noise)
    over = mse_ranges(layers, tensors)
    assert len(over) == len(layers) + 1
    assert all(low <= 0 <= high for low, high in over)
    values = np.concatenate([tensor.ravel() for tensor in tensors])
    full = (float(values.min()), float(values.max()))
    errors = [np.square(rounded(values, given) - values).mean() for given in (over[0], full)]
    assert over[0][1] < 0.95 * full[1]
    assert errors[0] < 0.95 * errors[1]


# Layers kept in float


def heavy(path: Path) -> list[str]:
    """Types of the weights, in the order of the operators that read them."""
    names = {value: name for name, value in vars(schema.TensorType).items()}
    model = graph(path).subgraphs[0]
    readers = "CONV_2D BIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_LSTM FULLY_CONNECTED"
    return [
        names[model.tensors[operator.inputs[1]].type]
        for operator, name in zip(model.operators, operators(path), strict=True)
        if name in readers.split()
    ]


@pytest.mark.parametrize("width", [None, WIDTH])
def test_a_layer_that_is_to_stay_float_stays_float(
    home: Path, tmp_path: Path, width: int | None
) -> None:
    path, crops = tmp_path / "mixed.tflite", LabelledCrops.load(home / "crops")
    quantize(home / "tiny.tflite", path, crops, ["conv3", "lstm1", "linear2"], width)
    convs = ["INT8"] * 7
    convs[2] = "FLOAT32"
    if width is None:
        convs[0] = "FLOAT32"
    rows = ["INT8", "INT8", "INT8"] if width else ["INT8", "INT8"]
    assert heavy(path) == [*convs, "FLOAT32", *rows, "FLOAT32"]
    part = graph(path).subgraphs[0]
    ends = {part.tensors[index].type for index in (*part.inputs, *part.outputs)}
    assert ends == {schema.TensorType.INT8 if width else schema.TensorType.FLOAT32}
    tensor = numbers(1, 1, 32, 96)
    expected = open_backend(home / "tiny.tflite")(tensor)
    found = open_backend(path)(tensor)
    assert np.abs(found - expected).mean() < np.abs(expected).mean() / 10
    kept = {"conv3", "lstm1", "linear2"}
    assert not kept & set(read_parts(path)[1].quantization["int8_layers"])


def test_what_is_int8_is_in_the_manifest(home: Path) -> None:
    layers = [f"conv{k}" for k in range(1, 8)] + ["lstm1", "linear1", "lstm2", "linear2"]
    assert read_parts(home / "whole.tflite")[1].quantization["int8_layers"] == layers
    assert read_parts(home / "int8.tflite")[1].quantization["int8_layers"] == layers[1:]


def test_an_unknown_layer_is_refused(home: Path) -> None:
    crops = LabelledCrops.load(home / "crops")
    with pytest.raises(LayerNameError, match="cannot exclude layers conv8: the network has conv1"):
        quantize(home / "tiny.tflite", home / "no.tflite", crops, ["conv8"])


def test_a_layer_that_is_float_anyway_may_be_excluded(home: Path, tmp_path: Path) -> None:
    crops = LabelledCrops.load(home / "crops")
    quantize(home / "tiny.tflite", tmp_path / "x.tflite", crops, ["conv1"])
    assert heavy(tmp_path / "x.tflite") == heavy(home / "int8.tflite")


# Full-integer files


def test_a_full_integer_graph_has_no_float(home: Path) -> None:
    part = graph(home / "whole.tflite").subgraphs[0]
    assert not FLOATS & {tensor.type for tensor in part.tensors}
    for index in (*part.inputs, *part.outputs):
        assert part.tensors[index].type == schema.TensorType.INT8
        assert len(part.tensors[index].quantization.scale) == 1


def test_compilers_find_a_fixed_width_and_intermediates_without_size(home: Path) -> None:
    # What Arm's compiler for Ethos-U and the runtime for microcontrollers insist on.
    part = graph(home / "whole.tflite").subgraphs[0]
    assert part.tensors[part.inputs[0]].shape.tolist() == [1, 32, WIDTH, 1]
    assert all(tensor.shapeSignature is None for tensor in part.tensors)
    lists = [operator.intermediates for operator in part.operators]
    inside = [index for given in lists if given is not None for index in given]
    assert len(inside) == 2 * 2 * 5
    assert all(part.tensors[index].shape.tolist() == [0] for index in inside)


def test_the_integer_file_says_about_what_the_float_one_says(home: Path) -> None:
    exact, whole = (open_backend(home / f"{name}.tflite", threads=1) for name in ("tiny", "whole"))
    for width in (WIDTH, 32, 160):  # a runtime resizes what compilers take for fixed
        tensor = numbers(2, 1, 32, width)
        expected, found = exact(tensor), whole(tensor)
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < np.abs(expected).mean() / 10
        assert (found.argmax(2) == expected.argmax(2)).mean() > 0.9


def test_the_integer_file_starts_each_picture_anew(home: Path) -> None:
    backend = open_backend(home / "whole.tflite", threads=1)
    first = backend(numbers(1, 1, 32, WIDTH))
    backend(numbers(1, 1, 32, WIDTH) * 3)
    np.testing.assert_array_equal(backend(numbers(1, 1, 32, WIDTH)), first)


def test_what_is_beyond_the_levels_is_the_last_level_and_not_the_first(home: Path) -> None:
    backend = open_backend(home / "whole.tflite", threads=1)
    bright = np.full((1, 1, 32, WIDTH), 50, dtype=np.float32)
    np.testing.assert_array_equal(backend(bright * 1e6), backend(bright))
    assert np.abs(backend(bright) - backend(-bright)).max() > 0


@pytest.mark.parametrize("cells", [1, 6])
def test_the_integer_lstm_computes_an_lstm(home: Path, tmp_path: Path, cells: int) -> None:
    bias = numbers(2, 20)
    bias[:, 5:10] += cells  # a forget gate that is open lets cells grow
    layers: list[Layer] = [
        Conv(numbers(8, 1, 32, 2), numbers(8), (32, 2)),
        ReLU(),
        LSTM(numbers(2, 20, 8) / 2, numbers(2, 20, 5), bias),
        Linear(numbers(7, 10), numbers(7)),
    ]
    tensors = [numbers(1, 1, 32, 64) / 4]
    plan = QuantizationPlan(mse_ranges(layers, tensors), range(len(layers)), full_integer=True)
    plan = QuantizationPlan(mse_ranges(layers, tensors), range(len(layers)), full_integer=True)
    manifest = read_parts(home / "tiny.tflite")[1].replace(charset=Charset(tuple("abcdef")))
    write(to_flatbuffer(layers, 32, 64, plan), manifest, tmp_path / "x.tflite")
    expected = run(layers, tensors[0])
    found = open_backend(tmp_path / "x.tflite")(tensors[0])
    step = scale_and_zero(plan.ranges[-1])[0]
    assert np.abs(expected).max() > 40 * step
    assert np.abs(found - expected).mean() < 2 * step


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("integer", [False, True])
def test_int8_takes_a_byte_a_weight_and_little_else(name: str, integer: bool) -> None:
    model = CRNN(CONFIGS[name])
    layers = relu_first(lower_model(model))
    heavy = [i for i, layer in enumerate(layers) if isinstance(layer, Conv | LSTM | Linear)]
    plan = QuantizationPlan([(-1, 1)] * (len(layers) + 1), heavy if integer else heavy[1:], integer)
    size = len(to_flatbuffer(layers, model.config.height, 32, plan))
    assert size < 1.02 * num_parameters(model) + 40_000  # and a manifest


# Command lines


def test_both_commands_write_the_same_full_integer_file(home: Path, tmp_path: Path) -> None:
    fixed = ["--calibration", home / "crops", "--max-drop", 100, "--io", "int8", "--width", 96]
    out = tmp_path / "exported.tflite"
    argv = [home / "tiny.safetensors", "--int8", "--out", out, *fixed]
    assert export_main("tflite", [str(value) for value in argv]) == 0
    source = tmp_path / "tiny.tflite"
    source.write_bytes((home / "tiny.tflite").read_bytes())
    assert quantize_main(QUANTIZER, [str(value) for value in (source, *fixed)]) == 0
    graphs = [read_parts(path)[0] for path in (out, tmp_path / "tiny-int8-io.tflite")]
    assert graphs[0] == graphs[1]
    assert graph(out).subgraphs[0].tensors[0].shape.tolist() == [1, 32, 96, 1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--io", "int8"], "add --int8"),
        (["--int8", "--width", "64"], "add --io int8"),
    ],
)
def test_arguments_that_would_be_of_no_use_are_refused(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        export_main("tflite", flags)
    assert message in capsys.readouterr().err


def test_export_refuses_a_width_that_is_never_read_before_any_work(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [home / "tiny.safetensors", "--calibration", home / "crops", "--int8", "--io", "int8"]
    argv += ["--width", 100, "--out", tmp_path / "out" / "x.tflite"]
    assert export_main("tflite", [str(value) for value in argv]) == 1
    error = capsys.readouterr().err
    assert "error: invalid width 100 px" in error
    assert "expected a multiple of 16 from 16 to 2048" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("width", [0, -32, 33, 1 << 20])
def test_a_width_that_is_never_read_is_refused(home: Path, width: int) -> None:
    with pytest.raises(ModelFileError, match=rf"invalid width {width} px: expected a multiple of"):
        quantize(
            home / "tiny.tflite", home / "no.tflite", LabelledCrops.load(home / "crops"),
            full_integer_width=width,
        )  # fmt: skip
