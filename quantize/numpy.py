"""An FP32 `.npz` file to INT8 storage: a quarter of the size, computed in float as before.

Weights alone are rounded, each output channel by its own scale, so crops judge the result but
calibrate nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.backends.numpy import LAYERS, read_arrays, read_manifest
from crnn_edge.files import atomic_path
from crnn_edge.layer_ir import KINDS, FloatArray, Layer
from crnn_edge.manifest import KEY, Manifest
from quantize import cli
from quantize.calibration import Crops
from quantize.layer_names import check_float, chosen, int8_manifest, named

_LEAST = np.float32(1e-30)  # weights that are all zero have a scale, too

Arrays = dict[str, npt.NDArray[Any]]


def round_weights(
    weight: FloatArray, axes: int, levels: int = 127
) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Weights as int8 and scales, one scale for each index of the first `axes` axes.

    Args:
        weight: What to round.
        axes: 0 for a single scale.
        levels: The largest int8 value to use.
    """
    flat = np.abs(weight).reshape(*weight.shape[:axes], -1)
    scale = np.maximum(flat.max(axis=-1), _LEAST) / np.float32(levels)
    shaped = scale.reshape(scale.shape + (1,) * (weight.ndim - axes))
    return np.rint(weight / shaped).astype(np.int8), scale.astype(np.float32)


def pack(layers: Sequence[Layer]) -> Arrays:
    """A network as the arrays of a file, all but the manifest."""
    kinds = {kind: name for name, kind in KINDS.items()}
    arrays: Arrays = {}
    facts = []
    for index, layer in enumerate(layers):
        fact: dict[str, Any] = {"kind": kinds[type(layer)]}
        for field in fields(layer):
            value = getattr(layer, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{index}.{field.name}"] = value
            else:
                fact[field.name] = value
        facts.append(fact)
    return {LAYERS: _bytes(json.dumps(facts)), **arrays}


def quantize(source: Path, target: Path, crops: Crops, keep_float: Collection[str] = ()) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.npz` file with a manifest.
        target: The file to write.
        crops: Of no use here; every format is given them.
        keep_float: Layers to leave as they are, by the names of `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is no such file, or is quantized already.
        LayerNameError: If a layer to keep is none that would be quantized.
    """
    del crops
    arrays = read_arrays(source)
    manifest = read_manifest(source, arrays)
    check_float(source, manifest)
    layers = _layers(arrays)
    shrunk = chosen(list(layers.values()), keep_float)
    small: Arrays = {}
    for name, array in arrays.items():
        index, _, field = name.partition(".")
        if "weight" in field and layers[index] in shrunk:
            small[name], small[f"{name}.scale"] = round_weights(array, 2 if array.ndim == 3 else 1)
        else:
            small[name] = array
    write(small, int8_manifest(manifest, shrunk), target)


def _layers(arrays: Arrays) -> dict[str, str]:
    """The names of the layers with weights, by their place in the file."""
    kinds = [fact["kind"] for fact in json.loads(arrays[LAYERS].tobytes())]
    return {str(place): name for place, name in enumerate(named(kinds)) if name}


def write(arrays: Arrays, manifest: Manifest, path: Path) -> None:
    """Write a file.

    Args:
        arrays: What `pack` gives.
        manifest: What the file shall say about itself.
        path: The file, which is whole at any time: the old one or the new one.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, **{**arrays, KEY: _bytes(manifest.to_json())})  # type: ignore[arg-type]


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Give a model file another manifest."""
    write(read_arrays(path), manifest, path)


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


FORMAT = cli.Format("numpy", ".npz", quantize, replace_manifest)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT))
