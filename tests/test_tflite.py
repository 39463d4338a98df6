"""The TFLite column: what the graph is made of, both runtimes, files that lie."""

from __future__ import annotations

import io
import json
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from crnn_edge.backends import open_backend
from crnn_edge.backends.tflite import graph_checksum, read_parts
from crnn_edge.charset import Charset
from crnn_edge.errors import EngineError, ModelFileError
from crnn_edge.layer_ir import LSTM, Conv, Linear, MaxPool, ReLU, split
from crnn_edge.manifest import KEY
from export.lowering import lower_model
from export.tflite import convert
from model.network.checkpoint import load_checkpoint
from quantize.calibration import LabelledCrops
from quantize.formats.tflite import replace_manifest, write
from quantize.formats.tflite.graph import LoweringError
from quantize.formats.tflite.lower import relu_first, to_flatbuffer
from quantize.tflite import quantize
from quantize.tflite.parse import parse
from tests.test_export import furnish, tiny_checkpoint
from tests.test_numpy_backend import numbers


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = furnish(tmp_path_factory.mktemp("tflite"))
    convert(tiny_checkpoint(folder / "tiny.safetensors"), folder / "tiny.tflite")
    quantize(folder / "tiny.tflite", folder / "int8.tflite", LabelledCrops.load(folder / "crops"))
    return folder


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes((home / "tiny.tflite").read_bytes())
    return path


def graph(path: Path) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(read_parts(path)[0], 0)


def operators(path: Path) -> list[str]:
    model = graph(path)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


STAGES = "CONV_2D MAX_POOL_2D CONV_2D MAX_POOL_2D CONV_2D CONV_2D MAX_POOL_2D CONV_2D CONV_2D "
STAGES += "MAX_POOL_2D CONV_2D SQUEEZE"
ROWS = "BIDIRECTIONAL_SEQUENCE_LSTM FULLY_CONNECTED"


def test_an_lstm_is_one_operator_and_a_relu_none(home: Path) -> None:
    assert operators(home / "tiny.tflite") == f"{STAGES} {ROWS} {ROWS}".split()


def test_int8_enters_behind_the_first_stage_and_leaves_before_the_lstm(home: Path) -> None:
    first = "CONV_2D MAX_POOL_2D"
    rest = STAGES.removeprefix(f"{first} ")
    expected = f"{first} QUANTIZE {rest} DEQUANTIZE {ROWS} {ROWS}"
    found = [name for name in operators(home / "int8.tflite") if name != "STRIDED_SLICE"]
    assert found == expected.split()


def test_int8_weights_of_a_linear_layer_have_no_even_number_of_rows(home: Path) -> None:
    """On a Cortex-A76, tflite-runtime 2.14 crashes on some that have: 96 of 512 numbers."""
    model, names = graph(home / "int8.tflite").subgraphs[0], operators(home / "int8.tflite")
    layers = load_checkpoint(home / "tiny.safetensors").model.linears
    places = [k for k, name in enumerate(names) if name == "FULLY_CONNECTED"]
    assert len(places) == len(layers) == 2
    for place, layer in zip(places, layers, strict=True):
        rows = model.tensors[model.operators[place].inputs[1]].shape[0]
        assert rows == layer.out_features + 1 - layer.out_features % 2
        cut = names[place + 1 : place + 2] == ["STRIDED_SLICE"]
        assert cut == (rows > layer.out_features)


def test_int8_stores_all_weights_but_the_first_stages_in_one_byte(home: Path) -> None:
    model = graph(home / "int8.tflite")
    heavy = [
        tensor.type
        for tensor in model.subgraphs[0].tensors
        if tensor.buffer and len(tensor.shape) > 1
    ]
    assert heavy.count(schema.TensorType.FLOAT32) == 1
    assert set(heavy) == {schema.TensorType.FLOAT32, schema.TensorType.INT8}


def test_lifting_undoes_lowering(home: Path) -> None:
    layers = relu_first(lower_model(load_checkpoint(home / "tiny.safetensors").model))
    lifted, height = parse(to_flatbuffer(layers, 32, 32))
    assert height == 32
    assert len(lifted) == len(layers)
    for before, after in zip(layers, lifted, strict=True):
        assert type(before) is type(after)
        for name, value in vars(before).items():
            np.testing.assert_array_equal(value, getattr(after, name))


def test_relu_and_pooling_commute() -> None:
    layers = [Conv(numbers(4, 1, 3, 3), numbers(4)), MaxPool((2, 2), (2, 2)), ReLU()]
    x = numbers(1, 8, 8, 1)
    first, second = x.copy(), x.copy()
    for one, other in zip(layers, relu_first(layers), strict=True):
        first, second = one(first), other(second)
    np.testing.assert_array_equal(first, second)
    assert [type(layer) for layer in relu_first(layers)] == [Conv, ReLU, MaxPool]


def test_strides_and_odd_paddings_are_lowered_too(home: Path, tmp_path: Path) -> None:
    layers = [
        Conv(numbers(6, 1, 5, 3), numbers(6), (4, 2), (1, 1)),
        ReLU(),
        MaxPool((3, 2), (2, 2)),
        Conv(numbers(8, 6, 3, 2), numbers(8), (1, 1), (0, 1)),
        LSTM(numbers(2, 20, 8), numbers(2, 20, 5), numbers(2, 20)),
        Linear(numbers(7, 10), numbers(7)),
        Linear(numbers(11, 7), numbers(11)),
    ]
    tensor = numbers(1, 1, 32, 96)
    expected = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    for part in split(layers):
        for layer in part:
            expected = layer(expected)
        expected = expected.reshape(1, *expected.shape[-2:])
    write(to_flatbuffer(layers, 32, 64), read_parts(home / "tiny.tflite")[1], tmp_path / "x.tflite")
    np.testing.assert_allclose(open_backend(tmp_path / "x.tflite")(tensor), expected, atol=1e-4)
    assert len(parse(read_parts(tmp_path / "x.tflite")[0])[0]) == len(layers)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([MaxPool((2, 2), (2, 2), (1, 1))], "max-pooling with padding"),
        ([ReLU()], "a ReLU must follow a convolution"),
        ([Conv(numbers(2, 1, 32, 1), numbers(2)), LSTM(numbers(1, 4, 2), numbers(1, 4, 1),
          numbers(1, 4))], "a unidirectional LSTM"),
    ],
)  # fmt: skip
def test_what_has_no_operator_is_refused(layers: list, message: str) -> None:
    with pytest.raises(LoweringError, match=message):
        to_flatbuffer(layers, 32, 32)


def test_only_a_graph_of_our_own_can_be_quantized(home: Path, file: Path) -> None:
    flatbuffer, manifest = read_parts(home / "int8.tflite")
    for foreign in (flatbuffer, flatbuffer[:100], b""):
        write(foreign, manifest.replace(precision="fp32"), file)
        with pytest.raises(ModelFileError, match=r"cannot quantize .*not an FP32 graph"):
            quantize(file, home / "none.tflite", LabelledCrops.load(home / "crops"))


def test_without_a_reset_a_picture_would_depend_on_the_one_before(home: Path) -> None:
    # The reason for resetting; if this fails, the engine does it by itself.
    interpreter = Interpreter(model_content=read_parts(home / "tiny.tflite")[0])
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for _ in range(2):
        interpreter.set_tensor(given["index"], numbers(*given["shape"]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(made["index"]))
    assert np.abs(answers[0] - answers[1]).max() > 1e-2


def test_more_widths_than_are_kept_are_still_read(home: Path) -> None:
    backend = open_backend(home / "tiny.tflite", threads=1)
    first = backend(numbers(1, 1, 32, 64))
    for width in range(32, 32 * 12, 32):
        assert backend(numbers(1, 1, 32, width)).shape == (1, width // 4, 11)
    np.testing.assert_array_equal(backend(numbers(1, 1, 32, 64)), first)


@pytest.mark.parametrize(
    "tensor",
    [numbers(1, 1, 32, 64).astype(float), numbers(1, 32, 64), numbers(1, 1, 48, 64),
     numbers(0, 1, 32, 64), numbers(1, 1, 32, 1), numbers(1, 1, 32)],
)  # fmt: skip
def test_a_wrong_tensor_is_refused_in_one_line(home: Path, tensor: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"TFLite cannot run .* on a tensor") as caught:
        open_backend(home / "tiny.tflite")(tensor)
    assert "\n" not in str(caught.value)


def test_a_graph_without_its_archive_is_refused(file: Path) -> None:
    file.write_bytes(read_parts(file)[0])
    with pytest.raises(ModelFileError, match="damaged, cut short, or not written by"):
        open_backend(file)


def test_another_graph_under_the_manifest_is_refused(home: Path, file: Path) -> None:
    archive = file.read_bytes()[len(read_parts(file)[0]) :]
    file.write_bytes(read_parts(home / "int8.tflite")[0] + archive)
    with pytest.raises(ModelFileError, match="not what was exported"):
        open_backend(file)


def test_the_checksum_of_files_with_a_schema_2_manifest_is_read(file: Path) -> None:
    flatbuffer, manifest = read_parts(file)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        entries.writestr(KEY, manifest.to_json())
        entries.writestr("crnn_seal", graph_checksum(flatbuffer))
    file.write_bytes(flatbuffer + archive.getvalue())
    assert open_backend(file).manifest == manifest


def test_an_archive_from_elsewhere_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.txt", "a b c")
    with pytest.raises(ModelFileError, match="carries no manifest"):
        open_backend(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(KEY, json.dumps([0] * 100_000))
    with pytest.raises(ModelFileError, match="larger than the file"):
        open_backend(file)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"TFL3" * 9, b"\x1c\0\0\0TFL3" + b"\xff" * 64]
)
def test_a_graph_with_a_right_checksum_that_is_none_is_refused(file: Path, content: bytes) -> None:
    write(content, read_parts(file)[1], file)
    with pytest.raises(ModelFileError, match="cannot open the model file"):
        open_backend(file)


def test_another_charset_is_refused_with_both_values(file: Path) -> None:
    replace_manifest(file, open_backend(file).manifest.replace(charset=Charset(tuple("abc"))))
    with pytest.raises(ModelFileError, match=r"gives logits.* 11\).* 4 classes: 3 tokens"):
        open_backend(file)


def test_the_older_runtime_serves_where_the_newer_is_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_backend(home / "tiny.tflite")(numbers(1, 1, 32, 64))
    older = types.ModuleType("tflite_runtime.interpreter")
    used = []

    class Older(Interpreter):
        def __init__(self, model_content: bytes, num_threads: int) -> None:
            used.append(num_threads)
            super().__init__(model_content=model_content, num_threads=num_threads)

    older.Interpreter = Older
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", older)
    found = open_backend(home / "tiny.tflite", threads=1)(numbers(1, 1, 32, 64))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert set(used) == {1}


def test_a_missing_engine_names_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"pip install '\.\[tflite\]'.*numpy<2"):
        open_backend(home / "tiny.tflite")
    with pytest.raises(EngineError, match=r"pip install '\.\[tflite\]'"):
        to_flatbuffer([], 32, 32)
