"""INT8 for `.onnx` files: a quarter of the size.

The recipe, each point of it measured:

* Convolutions with their ReLUs and max-poolings: static ranges, from crops that go through the
  model's own preprocessing; weights per channel. All three operators are quantized, because
  otherwise conversions to float and back remain around the poolings.
* The first convolution and its pooling stay float: on one gray channel INT8 arithmetic takes six
  times as long as float (70 µs against 11, of 450 for the whole network).
* Seven bits for convolution weights (`reduce_range`): x86 processors without VNNI add pairs of
  8-bit products in 16 bits, which saturates; the same file would be right on one machine and
  wrong on another.
* LSTM and linear layers: activation ranges computed at run time; linear weights unsigned, 8 bits
  per tensor. ONNX Runtime makes LSTM weights signed, with a scale for each direction, whatever it
  is asked for. They could saturate as above, but only where two neighboring weights are near the
  limit (of `crnn-lite`'s, one in 10,000 exceeds 100 of 127).

Alternatives that gave no better accuracy on 1,295 real words, all within 0.5 points of one another:
percentile and entropy ranges; 32 or 100 calibration crops; a first convolution, an LSTM or a last
layer in float; eight bits for convolutions on a processor with VNNI.
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
from crnn_edge.install_hint import install_hint
from quantize.calibration import LabelledCrops
from quantize.cli import main
from quantize.formats.onnx import FORMAT, load_onnx, write
from quantize.layer_names import check_float, int8_manifest, layer_names, select_layers
from quantize.quantizer import Quantizer

STATIC = ["Conv", "Relu", "MaxPool"]
DYNAMIC = ["LSTM", "MatMul"]
ONNX_OPS = {"Conv": "conv", "LSTM": "lstm", "MatMul": "linear"}


def load_tools() -> ModuleType:
    """The module `onnxruntime.quantization`.

    Raises:
        MissingEngineError: If it is not installed; the message names the extra.
    """
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise MissingEngineError(
            f"quantizing ONNX files needs the packages onnx and onnxruntime ({error}): "
            f"{install_hint('quantize')}"
        ) from None
    module: ModuleType = quantization
    return module


def quantize(
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    exclude_layers: Collection[str] = (),
) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.onnx` file with a manifest.
        target: The file to write.
        calibration: The crops that choose the INT8 ranges, through the manifest's preprocessing.
        exclude_layers: Layers to keep in float, named as in `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is not such a file, or is quantized already.
        LayerNameError: If the network has no layer of a name to exclude.
    """
    onnx, tools = load_onnx(), load_tools()
    manifest = open_backend(source, "onnx", threads=1).manifest
    check_float(source, manifest)
    model = onnx.load(source)
    nodes_of = _nodes_by_layer(model.graph)
    selected = select_layers(list(nodes_of), exclude_layers, first_conv=False)
    quantized = {node for layer in selected for node in nodes_of[layer]}
    nodes_to_exclude = [node.name for node in model.graph.node if node.name not in quantized]
    tensors = calibration.tensors(manifest.preprocess)
    reader = _CalibrationReader(model.graph.input[0].name, tensors)
    with tempfile.TemporaryDirectory() as folder, _log_silenced():
        static, dynamic = Path(folder, "static.onnx"), Path(folder, "dynamic.onnx")
        tools.quantize_static(
            model,
            static,
            reader,
            op_types_to_quantize=STATIC,
            nodes_to_exclude=nodes_to_exclude,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )
        tools.quantize_dynamic(
            static,
            dynamic,
            op_types_to_quantize=DYNAMIC,
            nodes_to_exclude=nodes_to_exclude,
            weight_type=tools.QuantType.QUInt8,
        )
        model = onnx.load(dynamic)
    write(model, int8_manifest(manifest, selected, calibration.provenance()), target)


def _nodes_by_layer(graph: Any) -> dict[str, list[str]]:
    """The layers: of each, its node with weights and what follows it. Nodes get names."""
    nodes: dict[str, list[str]] = {}
    current = None
    names = layer_names([ONNX_OPS.get(node.op_type) for node in graph.node])
    for index, (node, name) in enumerate(zip(graph.node, names, strict=True)):
        node.name = node.name or f"{node.op_type}_{index}"  # ONNX Runtime excludes by name
        current = name or current
        if current:
            nodes.setdefault(current, []).append(node.name)
    return nodes


class _CalibrationReader:
    """Inputs for ONNX Runtime's static quantizer: one tensor a call, then None."""

    def __init__(self, name: str, tensors: Iterator[npt.NDArray[np.float32]]) -> None:
        self._name = name
        self._tensors = tensors

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {self._name: tensor}


@contextmanager
def _log_silenced() -> Iterator[None]:
    """No advice from the quantizer, which is meant for other networks and goes to every log."""
    before, placeholder = logging.root.manager.disable, logging.NullHandler()
    logging.root.addHandler(placeholder)  # else its `logging.info` installs a handler for good
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        logging.root.removeHandler(placeholder)


QUANTIZER = Quantizer(FORMAT, quantize)


if __name__ == "__main__":
    sys.exit(main(QUANTIZER))
