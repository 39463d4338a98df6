"""INT8 for `.tflite` files: a quarter of the size.

The file's graph is parsed back into layers, NumPy runs them on crops that go through the model's
own preprocessing, and the graph is written again with the ranges observed:
`quantize.formats.tflite.lower`.

The first convolution stays float, as in `quantize.onnx`. With `--io int8` the file is full-integer:
there are no floats, not even in input and output, and the width is fixed, as microcontrollers and
accelerators require. On 1,295 real words such a file is as accurate; on a CPU it is slower, because
only the reference kernels of the LSTM compute that way.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from pathlib import Path

from crnn_edge.backends.tflite import read_parts
from crnn_edge.errors import ModelFileError
from crnn_edge.layer_ir import KINDS, Layer
from quantize.calibration import LabelledCrops
from quantize.formats.tflite import FORMAT, write
from quantize.formats.tflite.graph import LoweringError
from quantize.formats.tflite.lower import QuantizationPlan, to_flatbuffer
from quantize.full_integer import check_width
from quantize.layer_names import check_float, int8_manifest, layer_names, select_layers
from quantize.quantizer import QuantizeFunction, Quantizer
from quantize.tflite.parse import parse
from quantize.tflite.ranges import equalize, mse_ranges

_NAMES = {kind: name for name, kind in KINDS.items()}


def quantize(
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    exclude_layers: Collection[str] = (),
    full_integer_width: int | None = None,
) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.tflite` file with a manifest.
        target: The file to write.
        calibration: The crops that choose the INT8 ranges, through the manifest's preprocessing.
        exclude_layers: Layers to keep in float, named as in `quantize.layer_names`.
        full_integer_width: If given, write a full-integer file for images of this width in pixels;
            only excluded layers compute in float.

    Raises:
        ModelFileError: If `source` is not such a file, is quantized already, or cannot have that
            width.
        LayerNameError: If the network has no layer of a name to exclude.
    """
    flatbuffer, manifest = read_parts(source)
    check_float(source, manifest)
    try:
        layers, height = parse(flatbuffer)
    except LoweringError as error:
        raise ModelFileError(f"cannot quantize {source}: {error}") from None
    full_integer = full_integer_width is not None
    check_width(full_integer_width, manifest.preprocess)
    indices = _indices_by_name(layers)
    selected = select_layers(list(indices), exclude_layers, first_conv=full_integer)
    layers = equalize(layers, calibration.tensors(manifest.preprocess))
    ranges = mse_ranges(layers, calibration.tensors(manifest.preprocess))
    plan = QuantizationPlan(ranges, {indices[name] for name in selected}, full_integer)
    width = full_integer_width or manifest.preprocess.width_multiple
    flatbuffer = to_flatbuffer(layers, height, width, plan)
    write(flatbuffer, int8_manifest(manifest, selected, calibration.provenance()), target)


def _indices_by_name(layers: Sequence[Layer]) -> dict[str, int]:
    """The indices of the layers with weights, by their names."""
    names = layer_names([_NAMES[type(layer)] for layer in layers])
    return {name: index for index, name in enumerate(names) if name}


def full_integer(width_px: int) -> QuantizeFunction:
    """A function that writes full-integer files for images `width_px` pixels wide."""
    return functools.partial(quantize, full_integer_width=width_px)


QUANTIZER = Quantizer(FORMAT, quantize, full_integer)
