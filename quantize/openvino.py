"""An FP32 IR (`.xml` and `.bin`) to INT8: a quarter of the size, checked against what it came from.

Done on OpenVINO's own graph, without its compression tool, whose default also quantizes the LSTM
and loses 14 points of accuracy by it:

* Convolutions: a `FakeQuantize` before each, with ranges from crops that go through the model's
  own preprocessing, and int8 weights per channel. It stands before a pooling rather than behind
  it, so that the pooling is done in int8, too. The first convolution, which sees the picture
  itself, computes in float: half a point better, and faster.
* Seven bits for convolution weights: x86 processors without VNNI add pairs of 8-bit products in 16
  bits, which saturates.
* LSTM and linear layers: int8 weights per channel, float arithmetic.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.backends.openvino import checksum_line, read_manifest, read_model, shared_core
from crnn_edge.errors import MissingEngineError
from crnn_edge.files import atomic_path
from crnn_edge.manifest import KEY, Manifest
from quantize import cli
from quantize.calibration import Crops
from quantize.layer_names import check_float, chosen, int8_manifest, named
from quantize.numpy import round_weights

CONV_LEVELS = 63
"""The largest int8 value of a convolution's weight: seven bits."""

KINDS = {"Convolution": "conv", "LSTMSequence": "lstm", "MatMul": "linear"}

Range = tuple[float, float]


def load_engine() -> Any:
    """The module `openvino`.

    Raises:
        EngineError: If it is not installed; the message names the extra.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingEngineError(
            f"writing OpenVINO files needs it ({error}): `pip install openvino` (the `openvino` "
            "extra)"
        ) from None
    return openvino


def quantize(source: Path, target: Path, crops: Crops, keep_float: Collection[str] = ()) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.xml` file with a manifest, its `.bin` beside it.
        target: The `.xml` file to write.
        crops: What calibrates; through the manifest's preprocessing.
        keep_float: Layers to leave as they are, by the names of `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is no such file, or is quantized already.
        LayerNameError: If a layer to keep is none that would be quantized.
    """
    openvino = load_engine()
    model = read_model(source)
    manifest = read_manifest(model, source)
    check_float(source, manifest)
    nodes = model.get_ordered_ops()
    names = named([KINDS.get(node.get_type_name()) for node in nodes])
    layers = {name: node for name, node in zip(names, nodes, strict=True) if name}
    shrunk = chosen(list(layers), keep_float)
    convolutions = [layers[name] for name in shrunk if name.startswith("conv") and name != "conv1"]
    sources = {_key(output): output for output in map(_before_poolings, convolutions)}
    ranges = _ranges(openvino, model, list(sources.values()), crops, manifest)
    for output, (low, high) in zip(sources.values(), ranges, strict=True):
        _limit(openvino, output, low, high)
    for name in shrunk:
        node = layers[name]
        match node.get_type_name():
            case "Convolution":
                _shrink(openvino, node.input(1), axes=1, levels=CONV_LEVELS)
            case "LSTMSequence":
                _shrink(openvino, node.input(4), axes=2)
                _shrink(openvino, node.input(5), axes=2)
            case "MatMul":
                _shrink(openvino, node.input(1), axes=0)
    model.validate_nodes_and_infer_types()
    write(model, int8_manifest(manifest, shrunk, calibration=crops.provenance()), target)


def write(model: Any, manifest: Manifest, path: Path) -> None:
    """Write an IR with its manifest and checksum.

    Args:
        model: An `openvino.Model`.
        manifest: What the file shall say about itself.
        path: The `.xml`. It is replaced last: until then the old one's checksum refuses the new
            `.bin`, so at no time are two files taken for one model that are not.
    """
    openvino = load_engine()
    for index, node in enumerate(model.get_ordered_ops()):
        # Else nodes without a name of their own are numbered anew in every process.
        node.set_friendly_name(f"{node.get_type_name()}_{index}")
    model.set_rt_info(manifest.to_json(), [KEY])
    with atomic_path(path) as partial, atomic_path(path.with_suffix(".bin")) as weights:
        openvino.save_model(model, partial, compress_to_fp16=False)  # and `weights` beside it
        xml = re.sub(rb"\s*\n\s*", b"\n", partial.read_bytes())  # indented, it weighs a third more
        partial.write_bytes(xml + checksum_line(xml, weights.read_bytes()))


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Give a model file another manifest."""
    write(read_model(path).clone(), manifest, path)


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_friendly_name(), output.get_index()


def _before_poolings(convolution: Any) -> Any:
    output = convolution.input(0).get_source_output()
    while output.get_node().get_type_name() == "MaxPool":
        output = output.get_node().input(0).get_source_output()
    return output


def _ranges(
    openvino: Any, model: Any, outputs: list[Any], crops: Crops, manifest: Manifest
) -> list[Range]:
    """The smallest and the largest value that each output takes on any crop."""
    watched = openvino.Model(outputs, model.get_parameters(), "watched")
    request = shared_core().compile_model(watched, "CPU").create_infer_request()
    found: list[list[Range]] = [[] for _ in outputs]
    for tensor in crops.tensors(manifest.preprocess):
        request.infer({0: tensor})
        for index, seen in enumerate(found):
            data = request.get_output_tensor(index).data
            seen.append((float(data.min()), float(data.max())))
    return [(min(low for low, _ in seen), max(high for _, high in seen)) for seen in found]


def _limit(openvino: Any, output: Any, low: float, high: float) -> None:
    """Put a `FakeQuantize` behind an output: from 0 if it is never negative, else symmetric.

    Either way 0 is a level, as padding needs it.
    """
    readers = list(output.get_target_inputs())
    high = max(high, -low, 1e-6)
    low = 0.0 if low >= 0 else -high * 128 / 127
    opset = openvino.opset13
    bounds = [opset.constant(np.float32(bound)) for bound in (low, high)]
    limited = opset.fake_quantize(output, *bounds, *bounds, 256)
    for reader in readers:
        reader.replace_source_output(limited.output(0))


def _shrink(openvino: Any, port: Any, *, axes: int, levels: int = 127) -> None:
    """Replace a float constant by int8 values and what makes them float again."""
    opset = openvino.opset13
    constant = port.get_source_output().get_node()
    if constant.get_type_name() != "Constant":
        return  # not weights
    weight = np.array(constant.get_data())
    rows = weight.T if axes == 0 else weight  # a linear layer's outputs are its columns
    values, scale = round_weights(rows, max(axes, 1), levels)
    scale = scale.reshape(scale.shape + (1,) * (weight.ndim - scale.ndim))
    if axes == 0:
        values, scale = np.ascontiguousarray(values.T), scale.T
    floats = opset.convert(opset.constant(values, dtype=np.int8), "f32")
    if axes == 2:
        # The processor's LSTM takes none but float constants, and the engine folds this into one;
        # a product with a scale it would keep, as what an int8 layer wants.
        product = opset.divide(floats, opset.constant(1 / scale))
    else:
        product = opset.multiply(floats, opset.constant(scale))
    port.replace_source_output(product.output(0))


FORMAT = cli.Format("openvino", ".xml", quantize, replace_manifest)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT))
