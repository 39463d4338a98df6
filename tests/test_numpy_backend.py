"""Layers in NumPy against torch's, and files that lie."""

from __future__ import annotations

import ctypes
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.backends import open_backend
from crnn_edge.backends.numpy import LAYERS, read_arrays
from crnn_edge.charset import Charset
from crnn_edge.errors import EngineError, ModelFileError
from crnn_edge.layer_ir import LSTM, Conv, Linear, MaxPool, ReLU, output_shape, split
from crnn_edge.manifest import KEY
from quantize.formats.numpy import to_arrays, write
from quantize.rounding import round_weights
from tests.tiny import tiny_manifest


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def network(classes: int = 11) -> list:
    """A network that is no VGG: strides, one direction, two linear layers in a row."""
    return [
        Conv(numbers(6, 1, 5, 3), numbers(6), (4, 2), (1, 1)),
        ReLU(),
        MaxPool((3, 2), (2, 2), (1, 1)),
        Conv(numbers(8, 6, 4, 1), numbers(8)),
        LSTM(numbers(1, 20, 8), numbers(1, 20, 5), numbers(1, 20)),
        Linear(numbers(7, 5), numbers(7)),
        Linear(numbers(classes, 7), numbers(classes)),
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(to_arrays(network()), tiny_manifest(), tmp_path / "tiny.npz")
    return tmp_path / "tiny.npz"


@pytest.mark.torch
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("padding", [0, 1, (1, 0)])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 1)])
def test_a_convolution_and_a_pooling_are_torchs(kernel, padding, stride) -> None:
    import torch
    from torch import nn

    from export.lowering import lower_model
    from model.network.config import NetworkConfig
    from model.network.crnn import CRNN

    x = numbers(2, 3, 9, 14)
    conv = nn.Conv2d(3, 5, kernel, stride, padding)
    pool = nn.MaxPool2d((3, 3), stride, padding)
    model = CRNN(NetworkConfig("chain", (4,) * 7, 4, 1))
    model.backbone = nn.Sequential(conv, pool)
    model.lstms = model.linears = nn.ModuleList()
    y = x.transpose(0, 2, 3, 1)
    for layer, theirs in zip(lower_model(model), (conv, pool), strict=True):
        y = layer(np.ascontiguousarray(y))
        x = theirs(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(y.transpose(0, 3, 1, 2), x, atol=1e-5)


def test_a_network_without_a_table_of_its_own_runs_in_any_shape(file: Path) -> None:
    for shape in [(1, 1, 32, 32), (3, 1, 32, 160)]:
        logits = open_backend(file)(numbers(*shape))
        assert logits.shape == (shape[0], *output_shape(network(), *shape[2:]))
        assert np.ptp(logits) > 0.1


def test_the_callers_tensor_is_left_alone(file: Path) -> None:
    tensor = numbers(2, 1, 32, 64)
    before = tensor.copy()
    open_backend(file)(tensor)
    np.testing.assert_array_equal(tensor, before)


@pytest.mark.torch
def test_a_backbone_beyond_a_chain_is_refused_by_name() -> None:
    from torch import nn

    from export.lowering import UnknownLayerError, lower_model
    from model.network.config import NetworkConfig
    from model.network.crnn import CRNN

    model = CRNN(NetworkConfig("x", (4, 4, 4, 4, 4, 4, 4), 4, 1, num_classes=11))
    model.backbone.append(nn.Sigmoid())
    with pytest.raises(UnknownLayerError, match=r"cannot write Sigmoid\(\)"):
        lower_model(model)


def test_rounding_moves_no_weight_by_more_than_half_a_level() -> None:
    for weight, axes in ((numbers(4, 3, 2, 2), 1), (numbers(2, 8, 3), 2), (numbers(1, 1) * 0, 1)):
        levels, scale = round_weights(weight, axes)
        assert scale.shape == weight.shape[:axes]
        scale = scale.reshape(scale.shape + (1,) * (weight.ndim - axes))
        assert np.all(np.abs(levels * scale - weight) <= scale * 0.5001)


@pytest.mark.parametrize(
    "tensor",
    [
        numbers(1, 1, 32, 64).astype(np.float64),
        numbers(1, 32, 64),
        numbers(1, 1, 48, 64),
        numbers(1, 3, 32, 64),
        numbers(0, 1, 32, 64),
        numbers(1, 1, 32, 0),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tensor.shape}",
)
def test_a_wrong_tensor_is_refused_in_one_line(file: Path, tensor: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"cannot run .* on a tensor") as caught:
        open_backend(file)(tensor)
    assert "\n" not in str(caught.value)


def test_another_device_is_refused(file: Path) -> None:
    with pytest.raises(EngineError, match="no device 'cuda': expected cpu"):
        open_backend(file, device="cuda")


def rewrite(path: Path, **changes: object) -> None:
    """Replace arrays; a text becomes its bytes, None removes."""
    arrays: dict = {**read_arrays(path), **changes}
    for name, value in changes.items():
        if isinstance(value, str):
            arrays[name] = np.frombuffer(value.encode(), np.uint8)
        elif value is None:
            del arrays[name]
    np.savez(path, **arrays)


def fact(kind: str = "linear", **values: object) -> str:
    return json.dumps([{"kind": kind, **values}])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({KEY: None}, "carries no manifest"),
        ({KEY: np.array([255, 254], np.uint8)}, "no UTF-8"),
        ({LAYERS: None}, "layers in .* is invalid: expected a list"),
        ({LAYERS: "[" * 100_000}, "layers in .* is invalid"),
        ({LAYERS: "[]"}, "list of 1 to 256"),
        ({LAYERS: "[7]"}, "layers in .* is invalid"),
        ({LAYERS: json.dumps([{"kind": "relu"}] * 300)}, "list of 1 to 256"),
        ({LAYERS: fact("relu")}, "no LSTM or linear layer at its end"),
        ({LAYERS: fact("magic")}, "magic"),
        ({LAYERS: fact("maxpool", kernel=[2, 2], stride=[0, 1])}, "stride is"),
        ({LAYERS: fact("maxpool", kernel=[2, 10**9], stride=[1, 1])}, "kernel is"),
        ({LAYERS: fact("maxpool", kernel=[2, 2], stride=[1, 1], padding=[2, 2])}, "padding"),
        ({LAYERS: fact("maxpool", kernel=2, stride=2)}, "invalid"),
        ({"0.weight": numbers(6, 2, 5, 3)}, r"layer 0 \(Conv\): takes no \(32, 16, 1\)"),
        ({"0.weight": numbers(6, 1)}, "a convolution's weight has shape"),
        ({"0.weight": None}, "missing"),
        ({"0.bias": numbers(5)}, "bias"),
        ({"3.weight": numbers(8, 6, 2, 1)}, "not one row high"),
        ({"4.weight_hh": numbers(1, 20, 6)}, "an LSTM's weights"),
        ({"4.bias": numbers()}, "an LSTM's weights"),
        ({"5.weight": numbers(7, 6)}, "a linear layer takes no"),
        ({"6.weight": np.ones((11, 7), np.int8)}, "6.weight.scale"),
        ({"6.weight": np.ones((11, 7))}, "is float64"),
        ({"6.weight": np.array([{}], dtype=object)}, "Object|object|pickle"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(file: Path, changes: dict, message: str) -> None:
    rewrite(file, **changes)
    with pytest.raises(ModelFileError, match=message) as caught:
        open_backend(file)
    assert str(file) in str(caught.value)


def test_another_charset_or_height_is_refused_with_both_values(tmp_path: Path) -> None:
    write(to_arrays(network(12)), tiny_manifest(), tmp_path / "x.npz")
    with pytest.raises(ModelFileError, match=r"gives logits.* 12\).* 11 classes: 10 tokens"):
        open_backend(tmp_path / "x.npz")
    write(
        to_arrays(network(4)), tiny_manifest(charset=Charset(("a", "b", "c"))), tmp_path / "x.npz"
    )
    assert open_backend(tmp_path / "x.npz").manifest.charset.num_classes == 4


def bomb(path: Path, method: int, shape: tuple[int, ...], body: bytes) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("layers.npy", header.getvalue() + body)


def test_sizes_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    bomb(path, zipfile.ZIP_DEFLATED, (1 << 22,), bytes(1 << 24))
    assert path.stat().st_size < 1 << 16
    with pytest.raises(ModelFileError, match="larger than the file"):
        open_backend(path)
    for shape in [(1 << 40,), (1 << 62, 1 << 62), (-4,), (3,)]:
        bomb(path, zipfile.ZIP_STORED, shape, bytes(16))
        with pytest.raises(ModelFileError, match="damaged, cut short"):
            open_backend(path)


def test_threads_are_told_to_the_library_that_multiplies(file: Path) -> None:
    core = np.core if np.__version__.startswith("1.") else np._core
    library = ctypes.CDLL(core._multiarray_umath.__file__)
    if not hasattr(library, "scipy_openblas_get_num_threads64_"):
        pytest.skip("this NumPy multiplies without its own OpenBLAS")
    for threads in (2, 1):
        open_backend(file, threads=threads)
        assert library.scipy_openblas_get_num_threads64_() == threads


def test_pictures_become_rows_where_the_first_reader_stands() -> None:
    eyes, reader = split(network())
    assert [type(layer) for layer in reader] == [LSTM, Linear, Linear]
    assert len(eyes) == 4
