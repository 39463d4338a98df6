"""Writing `.npz` files: the manifest, the list of layers and the weights, each an array."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.backends.numpy import LAYERS, read_arrays
from crnn_edge.files import atomic_path
from crnn_edge.layer_ir import KINDS, Layer
from crnn_edge.manifest import KEY, Manifest
from quantize.formats.base import ModelFormat

Arrays = dict[str, npt.NDArray[Any]]


def to_arrays(layers: Sequence[Layer]) -> Arrays:
    """A network as the arrays of a file, without the manifest."""
    names = {kind: name for name, kind in KINDS.items()}
    arrays: Arrays = {}
    facts = []
    for index, layer in enumerate(layers):
        fact: dict[str, Any] = {"kind": names[type(layer)]}
        for field in fields(layer):
            value = getattr(layer, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{index}.{field.name}"] = value
            else:
                fact[field.name] = value
        facts.append(fact)
    return {LAYERS: _to_bytes(json.dumps(facts)), **arrays}


def write(arrays: Arrays, manifest: Manifest, path: Path) -> None:
    """Write a file. The zip archive that it is has a CRC of each array.

    Args:
        arrays: The network, as `to_arrays` returns it.
        manifest: The manifest to store in the file.
        path: The file. It is replaced atomically.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        entries = {**arrays, KEY: _to_bytes(manifest.to_json())}
        np.savez(file, **entries)  # type: ignore[arg-type]


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Write a model file again with another manifest."""
    write(read_arrays(path), manifest, path)


def _to_bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


FORMAT = ModelFormat("numpy", ".npz", replace_manifest)
