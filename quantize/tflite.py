"""An FP32 `.tflite` file to INT8: a quarter of the size, checked against what it came from.

The file's graph is read back into layers, NumPy runs them on crops that go through the model's own
preprocessing, and the graph is written anew with the ranges that it saw: `quantize.tflite_graph`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quantize import cli
from quantize.calibration import Crops
from quantize.tflite_graph import LoweringError, Range, lower
from quantize.tflite_lift import lift
from runtime.backends.tflite import read_parts, seal
from runtime.errors import ModelFileError
from runtime.layers import FloatArray, Layer, split
from runtime.manifest import Manifest


def quantize(source: Path, target: Path, crops: Crops) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.tflite` file with a manifest.
        target: The file to write.
        crops: What calibrates; through the manifest's preprocessing.

    Raises:
        ModelFileError: If `source` is no such file, or is quantised already.
    """
    flatbuffer, manifest = read_parts(source)
    if manifest.precision != "fp32":
        raise ModelFileError(f"{source} is {manifest.precision} already: start from the FP32 file")
    try:
        layers, height = lift(flatbuffer)
    except LoweringError as error:
        raise ModelFileError(f"cannot quantise {source}: {error}") from None
    eyes, _ = split(layers)
    seen = [_ranges(eyes, tensor) for tensor in crops.tensors(manifest.preprocess)]
    ranges = [
        (min(low for low, _ in ranges), max(high for _, high in ranges))
        for ranges in zip(*seen, strict=True)
    ]
    small = lower(layers, height, manifest.preprocess.grid, ranges)
    provenance = {**manifest.provenance, "calibration": crops.provenance()}
    write(small, manifest.replace(precision="int8", provenance=provenance), target)


def write(flatbuffer: bytes, manifest: Manifest, path: Path) -> None:
    """Write a graph with its manifest.

    Args:
        flatbuffer: The graph.
        manifest: What the file shall say about itself.
        path: The file, which is whole at any time: the old one or the new one.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(flatbuffer + seal(flatbuffer, manifest))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def restamp(path: Path, manifest: Manifest) -> None:
    """Give a model file another manifest."""
    write(read_parts(path)[0], manifest, path)


def _ranges(layers: Sequence[Layer], tensor: FloatArray) -> list[Range]:
    """Smallest and largest value of a picture and of each layer's output."""
    x = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    ranges = [(float(x.min()), float(x.max()))]
    for layer in layers:
        x = layer(x)
        ranges.append((float(x.min()), float(x.max())))
    return ranges


FORMAT = cli.Format("tflite", ".tflite", quantize, restamp)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT))
