"""INT8 for OpenVINO IR (`.xml` and `.bin`): a quarter of the size.

Done on OpenVINO's own graph, without NNCF, which by default also quantizes the LSTM and loses 14
points of accuracy by that:

* Convolutions: a `FakeQuantize` before each, with ranges from crops that go through the model's
  own preprocessing, and int8 weights per channel. It is placed before a pooling rather than behind
  it, so that the pooling is computed in int8, too. The first convolution, which gets the image
  itself, computes in float: half a point more accurate, and faster.
* Seven bits for convolution weights: x86 processors without VNNI add pairs of 8-bit products in 16
  bits, which saturates.
* LSTM and linear layers: int8 weights per channel, float arithmetic.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.backends.openvino import read_manifest, read_model, shared_core
from crnn_edge.preprocess import Preprocess
from quantize.calibration import LabelledCrops
from quantize.cli import main
from quantize.formats.openvino import FORMAT, load_openvino, write
from quantize.layer_names import check_float, int8_manifest, layer_names, select_layers
from quantize.quantizer import Quantizer
from quantize.rounding import round_weights

CONV_LEVELS = 63
"""The largest int8 value of a convolution's weight: seven bits."""

OPENVINO_OPS = {"Convolution": "conv", "LSTMSequence": "lstm", "MatMul": "linear"}

Range = tuple[float, float]


def quantize(
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    exclude_layers: Collection[str] = (),
) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.xml` file with a manifest, its `.bin` beside it.
        target: The `.xml` file to write.
        calibration: The crops that choose the INT8 ranges, through the manifest's preprocessing.
        exclude_layers: Layers to keep in float, named as in `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is not such a file, or is quantized already.
        LayerNameError: If the network has no layer of a name to exclude.
    """
    openvino = load_openvino()
    model = read_model(source)
    manifest = read_manifest(model, source)
    check_float(source, manifest)
    nodes = model.get_ordered_ops()
    names = layer_names([OPENVINO_OPS.get(node.get_type_name()) for node in nodes])
    layers = {name: node for name, node in zip(names, nodes, strict=True) if name}
    selected = select_layers(list(layers), exclude_layers)
    convolutions = [
        layers[name] for name in selected if name.startswith("conv") and name != "conv1"
    ]
    # Convolutions may share an input.
    inputs = {_key(output): output for output in map(_before_poolings, convolutions)}
    ranges = _ranges(openvino, model, list(inputs.values()), calibration, manifest.preprocess)
    for output, (low, high) in zip(inputs.values(), ranges, strict=True):
        _insert_fake_quantize(openvino, output, low, high)
    for name in selected:
        node = layers[name]
        match node.get_type_name():
            case "Convolution":
                _quantize_weights(openvino, node.input(1), axes=1, levels=CONV_LEVELS)
            case "LSTMSequence":
                _quantize_weights(openvino, node.input(4), axes=2)
                _quantize_weights(openvino, node.input(5), axes=2)
            case "MatMul":
                _quantize_weights(openvino, node.input(1), axes=0)
    model.validate_nodes_and_infer_types()
    write(model, int8_manifest(manifest, selected, calibration.provenance()), target)


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_friendly_name(), output.get_index()


def _before_poolings(convolution: Any) -> Any:
    """The output that a convolution gets, or the one in front of the poolings before it."""
    output = convolution.input(0).get_source_output()
    while output.get_node().get_type_name() == "MaxPool":
        output = output.get_node().input(0).get_source_output()
    return output


def _ranges(
    openvino: Any,
    model: Any,
    outputs: list[Any],
    calibration: LabelledCrops,
    preprocess: Preprocess,
) -> list[Range]:
    """The smallest and the largest value of each output on all crops."""
    observed = openvino.Model(outputs, model.get_parameters(), "observed")
    request = shared_core().compile_model(observed, "CPU").create_infer_request()
    ranges: list[list[Range]] = [[] for _ in outputs]
    for tensor in calibration.tensors(preprocess):
        request.infer({0: tensor})
        for index, by_crop in enumerate(ranges):
            data = request.get_output_tensor(index).data
            by_crop.append((float(data.min()), float(data.max())))
    return [(min(low for low, _ in pairs), max(high for _, high in pairs)) for pairs in ranges]


def _insert_fake_quantize(openvino: Any, output: Any, low: float, high: float) -> None:
    """Put a `FakeQuantize` behind an output: from 0 if it is never negative, else symmetric.

    In both cases 0 is a quantization level, as padding needs it.
    """
    readers = list(output.get_target_inputs())
    high = max(high, -low, 1e-6)
    low = 0.0 if low >= 0 else -high * 128 / 127
    opset = openvino.opset13
    bounds = [opset.constant(np.float32(bound)) for bound in (low, high)]
    quantized = opset.fake_quantize(output, *bounds, *bounds, 256)
    for reader in readers:
        reader.replace_source_output(quantized.output(0))


def _quantize_weights(openvino: Any, port: Any, *, axes: int, levels: int = 127) -> None:
    """Replace a float constant by int8 values and the operators that dequantize them.

    Args:
        openvino: The module.
        port: The input of a node. Left alone if its source is not a constant.
        axes: As in `round_weights`; 0 for a linear layer, whose outputs are its columns.
        levels: The largest int8 value.
    """
    opset = openvino.opset13
    constant = port.get_source_output().get_node()
    if constant.get_type_name() != "Constant":
        return
    weight = np.array(constant.get_data())
    rows = weight.T if axes == 0 else weight
    values, scale = round_weights(rows, max(axes, 1), levels)
    scale = scale.reshape(scale.shape + (1,) * (weight.ndim - scale.ndim))
    if axes == 0:
        values, scale = np.ascontiguousarray(values.T), scale.T
    floats = opset.convert(opset.constant(values, dtype=np.int8), "f32")
    if axes == 2:
        # The CPU's LSTM takes only float constants. OpenVINO folds a quotient into one; a product
        # with a scale it would keep, for an int8 layer.
        product = opset.divide(floats, opset.constant(1 / scale))
    else:
        product = opset.multiply(floats, opset.constant(scale))
    port.replace_source_output(product.output(0))


QUANTIZER = Quantizer(FORMAT, quantize)


if __name__ == "__main__":
    sys.exit(main(QUANTIZER))
