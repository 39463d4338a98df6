"""An FP32 `.tflite` file to INT8: a quarter of the size, checked against what it came from.

The file's graph is read back into layers, NumPy runs them on crops that go through the model's own
preprocessing, and the graph is written anew with the ranges that it saw: `quantize.tflite_lower`.

The first convolution stays float, as in `quantize.onnx`. With `--io int8` there are no floats at
all, not even in input and output: all of such a file is for whole numbers and has a fixed width, as
microcontrollers and accelerators want it. On 1,295 real words it reads as well; on a processor it
is slower, since only the reference kernels of the LSTM compute that way.
"""

from __future__ import annotations

import functools
import io
import sys
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

from crnn_edge.backends.tflite import CHECKSUM, graph_checksum, read_parts
from crnn_edge.errors import ModelFileError
from crnn_edge.files import atomic_write
from crnn_edge.layer_ir import KINDS, Layer
from crnn_edge.manifest import KEY, Manifest
from quantize import cli
from quantize.calibration import Crops
from quantize.full_integer import check_width
from quantize.layer_names import check_float, chosen, int8_manifest, named
from quantize.tflite_graph import LoweringError
from quantize.tflite_lift import lift
from quantize.tflite_lower import Int8, lower
from quantize.tflite_ranges import equalized, ranges_of

_NAMES = {kind: name for name, kind in KINDS.items()}


def quantize(
    source: Path,
    target: Path,
    crops: Crops,
    keep_float: Collection[str] = (),
    integer_width: int | None = None,
) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.tflite` file with a manifest.
        target: The file to write.
        crops: What calibrates; through the manifest's preprocessing.
        keep_float: Layers to leave as they are, by the names of `quantize.layer_names`.
        integer_width: If given, input, output and all that is not kept float are integers alone,
            for pictures of this width.

    Raises:
        ModelFileError: If `source` is no such file, is quantized already, or reads no such width.
        LayerNameError: If a layer to keep is none that would be quantized.
    """
    flatbuffer, manifest = read_parts(source)
    check_float(source, manifest)
    try:
        layers, height = lift(flatbuffer)
    except LoweringError as error:
        raise ModelFileError(f"cannot quantize {source}: {error}") from None
    check_width(integer_width, manifest.preprocess)
    places = _places(layers, first=integer_width is not None)
    shrunk = chosen(list(places), keep_float)
    layers = equalized(layers, crops.tensors(manifest.preprocess))
    ranges = ranges_of(layers, crops.tensors(manifest.preprocess))
    int8 = Int8(ranges, {places[name] for name in shrunk}, integer_width is not None)
    small = lower(layers, height, integer_width or manifest.preprocess.width_multiple, int8)
    write(small, int8_manifest(manifest, shrunk, calibration=crops.provenance()), target)


def _places(layers: Sequence[Layer], *, first: bool) -> dict[str, int]:
    """Where the layers are that can become INT8, by name; the first convolution only if asked."""
    names = named([_NAMES[type(layer)] for layer in layers])
    places = {name: index for index, name in enumerate(names) if name}
    if "conv2" in places and not first:
        del places["conv1"]
    return places


def write(flatbuffer: bytes, manifest: Manifest, path: Path) -> None:
    """Write a graph with its manifest.

    Args:
        flatbuffer: The graph.
        manifest: What the file shall say about itself.
        path: The file, which is whole at any time: the old one or the new one.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for name, text in ((KEY, manifest.to_json()), (CHECKSUM, graph_checksum(flatbuffer))):
            entries.writestr(zipfile.ZipInfo(name), text)  # a ZipInfo of its own bears no date
    atomic_write(path, flatbuffer + archive.getvalue())


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Give a model file another manifest."""
    write(read_parts(path)[0], manifest, path)


def integer(width: int) -> cli.Quantizer:
    """What writes files for whole numbers alone, for pictures `width` pixels wide."""
    return functools.partial(quantize, integer_width=width)


FORMAT = cli.Format("tflite", ".tflite", quantize, replace_manifest, integer)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT))
