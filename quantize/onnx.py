"""An FP32 `.onnx` file to INT8: a quarter of the size, checked against what it came from.

The recipe, each point of it measured:

* Convolutions with their ReLUs and poolings: static ranges, from crops that go through the
  model's own preprocessing; weights per channel. All three kinds of node, or conversions to float
  and back stay around the poolings.
* The first convolution and its pooling stay float: on one gray channel INT8 arithmetic takes six
  times as long as float does (70 µs against 11, of 450 for all).
* Seven bits for convolution weights (`reduce_range`): x86 processors without VNNI add pairs of
  8-bit products in 16 bits, which saturates; the same file would be right on one machine and
  wrong on another.
* LSTM and linear layers: activations ranged at run time; linear weights unsigned, 8 bits per
  tensor. LSTM weights become signed, with a scale a direction, whatever the tool is told. So they
  could saturate as above; two neighbors would have to be as large as hardly any is (of
  `crnn-lite`'s, one in 10,000 exceeds 100 of 127).

What was tried instead read 1,295 real words no better, all within 0.5 points of one another:
percentile and entropy ranges, 32 or 100 crops to calibrate with, a first convolution, an LSTM or
a last layer left in float, eight bits for convolutions on a processor with VNNI.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.backends import open_backend
from crnn_edge.errors import MissingEngineError
from crnn_edge.files import atomic_write
from crnn_edge.manifest import KEY, Manifest
from quantize import cli
from quantize.calibration import Crops
from quantize.layer_names import check_float, chosen, int8_manifest, named

STATIC = ["Conv", "Relu", "MaxPool"]
DYNAMIC = ["LSTM", "MatMul"]
KINDS = {"Conv": "conv", "LSTM": "lstm", "MatMul": "linear"}


def load_tools() -> tuple[ModuleType, ModuleType]:
    """The modules `onnx` and `onnxruntime.quantization`.

    Raises:
        EngineError: If they are not installed; the message names the extra.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError as error:
        raise MissingEngineError(
            f"writing ONNX files needs onnx and onnxruntime ({error}): `pip install onnx "
            "onnxruntime` (the `quantize` extra)"
        ) from None
    return onnx, quantization


def quantize(source: Path, target: Path, crops: Crops, keep_float: Collection[str] = ()) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.onnx` file with a manifest.
        target: The file to write.
        crops: What calibrates; through the manifest's preprocessing.
        keep_float: Layers to leave as they are, by the names of `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is no such file, or is quantized already.
        LayerNameError: If a layer to keep is none that would be quantized.
    """
    onnx, tools = load_tools()
    manifest = open_backend(source, "onnx", threads=1).manifest
    check_float(source, manifest)
    model = onnx.load(source)
    layers = _layers(model.graph)
    shrunk = chosen(list(layers), keep_float)
    touched = {node for layer in shrunk for node in layers[layer]}
    untouched = [node.name for node in model.graph.node if node.name not in touched]
    crop = _Reader(model.graph.input[0].name, crops.tensors(manifest.preprocess))
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        halfway, done = Path(scratch, "static.onnx"), Path(scratch, "dynamic.onnx")
        tools.quantize_static(
            model,
            halfway,
            crop,
            op_types_to_quantize=STATIC,
            nodes_to_exclude=untouched,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )
        tools.quantize_dynamic(
            halfway,
            done,
            op_types_to_quantize=DYNAMIC,
            nodes_to_exclude=untouched,
            weight_type=tools.QuantType.QUInt8,
        )
        model = onnx.load(done)
    write(model, int8_manifest(manifest, shrunk, calibration=crops.provenance()), target)


def _layers(graph: Any) -> dict[str, list[str]]:
    """The layers to quantize: of each, its node with weights and what follows up to the next.

    The first convolution, where the picture is largest, is not among them if there is a second.
    """
    layers: dict[str, list[str]] = {}
    current = None
    names = named([KINDS.get(node.op_type) for node in graph.node])
    for index, (node, name) in enumerate(zip(graph.node, names, strict=True)):
        node.name = node.name or f"{node.op_type}_{index}"  # exclusions go by name
        current = name or current
        if current:
            layers.setdefault(current, []).append(node.name)
    if "conv2" in layers:
        del layers["conv1"]
    return layers


def write(model: Any, manifest: Manifest, path: Path) -> None:
    """Write an ONNX graph with its manifest, and with nothing that inference does not need.

    Args:
        model: An `onnx.ModelProto`; its metadata is replaced.
        manifest: What the file shall say about itself.
        path: The file, which is whole at any time: the old one or the new one.
    """
    onnx, _ = load_tools()
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
    onnx.helper.set_model_props(model, {KEY: manifest.to_json()})
    atomic_write(path, model.SerializeToString(deterministic=True))


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Give a model file another manifest."""
    onnx, _ = load_tools()
    write(onnx.load(path), manifest, path)


class _Reader:
    """What the static quantizer takes its inputs from: the next one, then None."""

    def __init__(self, name: str, tensors: Iterator[npt.NDArray[np.float32]]) -> None:
        self._name = name
        self._tensors = tensors

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {self._name: tensor}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hush the quantizer's advice, which is about other models than ours and goes to every log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


FORMAT = cli.Format("onnx", ".onnx", quantize, replace_manifest)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT))
