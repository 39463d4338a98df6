"""NumPy alone: `.npz` files, for boards for which no engine has a wheel.

A file is a zip of arrays, stored without compression: the manifest and the list of layers as JSON
in bytes, each layer's weights under its number. Weights may be int8 with a scale for each row of
their first axis (the first two of an LSTM's); they become float32 again when the file is opened.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.archive import read_uncompressed_zip
from crnn_edge.backends import check_shapes, physical_cores
from crnn_edge.errors import EngineError, ModelFileError
from crnn_edge.layer_ir import KINDS, Layer, output_shape, split, to_sequence
from crnn_edge.manifest import KEY, Manifest
from crnn_edge.types import FloatArray

LAYERS = "layers"
"""The array that names the layers, in their order."""

_MAX_LAYERS = 256
_DTYPES = ("<f4", "|i1", "|u1")

# What builds of OpenBLAS call it.
_SET_THREADS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)


def load(path: Path, *, threads: int | None, device: str) -> NumpyBackend:
    """Open an `.npz` file.

    Args:
        path: The model file.
        threads: Processor cores that NumPy's matrix products use, in the whole process; None for
            all. A NumPy without OpenBLAS goes its own way.
        device: `cpu`.

    Raises:
        EngineError: If `device` is another.
        ModelFileError: If the file is damaged, foreign, or at odds with its manifest.
    """
    if device != "cpu":
        raise EngineError(f"the numpy backend knows no device {device!r}: expected cpu")
    arrays = read_arrays(path)
    manifest = read_manifest(path, arrays)
    backend = NumpyBackend(path, read_layers(path, arrays), manifest)
    _set_threads(threads or physical_cores())
    return backend


class NumpyBackend:
    """A list of layers as a backend.

    Args:
        path: The model file, for messages.
        layers: The network.
        manifest: What the file says about itself.

    Attributes:
        layers: The network.
        manifest: What the file says about itself.
    """

    def __init__(self, path: Path, layers: Sequence[Layer], manifest: Manifest) -> None:
        """Check the network against the manifest."""
        self.layers = layers
        self.manifest = manifest
        self._path = path
        self._conv_layers, self._sequence_layers = split(layers)
        preprocess = manifest.preprocess
        try:
            shape = output_shape(layers, preprocess.height, preprocess.width_multiple)
        except ValueError as error:
            raise ModelFileError(
                f"{path} has no network for images {preprocess.height} px high: {error}"
            ) from None
        if len(self._sequence_layers) == 0:
            raise ModelFileError(f"{path} holds no network: no LSTM or linear layer at its end")
        tensor = ("N", 1, preprocess.height, "W")
        check_shapes(path, manifest, tensor, ("N", "T", *shape[1:]))

    def __call__(self, tensor: FloatArray) -> FloatArray:
        """A tensor `(N, 1, H, W) float32` into logits `(N, T, C) float32`.

        Raises:
            EngineError: If it is no such tensor.
        """
        height = self.manifest.preprocess.height
        try:
            if tensor.dtype != np.float32 or tensor.shape[1:3] != (1, height) or not len(tensor):
                raise ValueError(f"expected float32 (N, 1, {height}, W)")
            output_shape(self.layers, *tensor.shape[2:])
        except (ValueError, TypeError) as error:
            raise EngineError(
                f"cannot run {self._path} on a tensor {tensor.dtype} {tensor.shape}: {error}"
            ) from None
        # One image at a time stays in the cache; the LSTM's loop is shared by the batch.
        x = np.concatenate(
            [to_sequence(_run(self._conv_layers, image)) for image in _images(tensor)]
        )
        return _run(self._sequence_layers, x)


def _images(tensor: FloatArray) -> list[FloatArray]:
    return [image.transpose(1, 2, 0)[None].copy() for image in tensor]


def _run(layers: Sequence[Layer], x: FloatArray) -> FloatArray:
    for layer in layers:
        x = layer(x)
    return x


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a file, as stored.

    No array is larger than the file, and nothing is unpickled, whatever the file claims.

    Raises:
        ModelFileError: If it is damaged or foreign.
    """
    try:
        with path.open("rb") as file:
            entries, _ = read_uncompressed_zip(file)
        return {name.removesuffix(".npy"): _array(entries[name], name) for name in entries}
    except Exception as error:
        raise ModelFileError(
            f"cannot open the model file {path}: {error} (it is {path.stat().st_size:,} bytes; "
            "damaged, cut short, or no .npz file of this toolkit?)"
        ) from None


def _array(data: bytes, name: str) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is in another version of NumPy's format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.str not in _DTYPES or fortran or any(size < 0 for size in shape):
        raise ValueError(f"{name} is {dtype} {shape}: expected float32, int8 or uint8, row by row")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def read_manifest(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> Manifest:
    """What a file says about itself.

    Raises:
        ModelFileError: If it says nothing, or nothing valid.
    """
    return Manifest.from_json(_text(path, arrays, KEY), str(path))


def read_layers(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> list[Layer]:
    """The network of a file, in float32.

    Raises:
        ModelFileError: If the file holds none.
    """
    text = _text(path, arrays, LAYERS)
    layers: list[Layer] = []
    try:
        facts = json.loads(text or "null")
        if not isinstance(facts, list) or not 1 <= len(facts) <= _MAX_LAYERS:
            raise ValueError(f"expected a list of 1 to {_MAX_LAYERS}")
        for index, fact in enumerate(facts):
            kind = KINDS[fact.pop("kind")]
            values = {name: tuple(value) for name, value in fact.items()}
            weights = {
                field.name: _weight(arrays, f"{index}.{field.name}")
                for field in fields(kind)
                if f"{index}.{field.name}" in arrays
            }
            layers.append(kind(**values, **weights))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"the list of layers in {path} is invalid: {error}") from None
    return layers


def _weight(arrays: dict[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    stored = arrays[name]
    if stored.dtype != np.int8:
        return stored
    scale = arrays[f"{name}.scale"]
    if scale.dtype != np.float32 or scale.shape != stored.shape[: scale.ndim]:
        raise ValueError(f"the scale of {name} is {scale.dtype} {scale.shape}")
    weight: FloatArray = stored * scale.reshape(scale.shape + (1,) * (stored.ndim - scale.ndim))
    return weight


def _text(path: Path, arrays: dict[str, npt.NDArray[Any]], name: str) -> str | None:
    try:
        return arrays[name].tobytes().decode() if name in arrays else None
    except UnicodeDecodeError as error:
        raise ModelFileError(f"the {name} of {path} is no UTF-8: {error}") from None


def _set_threads(threads: int) -> None:
    """Tell OpenBLAS, which has no Python interface of its own."""
    # NumPy 1.26 has a stub of the newer name.
    package = "numpy.core" if np.__version__.startswith("1.") else "numpy._core"
    module = importlib.import_module(f"{package}._multiarray_umath")
    if module.__file__ is None:
        return
    library = ctypes.CDLL(module.__file__)
    for name in _SET_THREADS:
        if hasattr(library, name):
            getattr(library, name)(ctypes.c_int(threads))
            return
