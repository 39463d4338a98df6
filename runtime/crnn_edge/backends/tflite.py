"""TFLite: `.tflite` files, by `ai-edge-litert` or its predecessor `tflite-runtime`.

The manifest is in a zip archive appended to the graph. The engine trusts what a graph says and can
crash on a damaged one, so the archive also holds the graph's length and SHA-256, checked first.

A file whose graph takes and gives int8, as accelerators want it, is called with floats all the
same: the graph says what its levels are worth.
"""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.archive import read_uncompressed_zip
from crnn_edge.backends import check_shapes, physical_cores, short_message
from crnn_edge.errors import EngineError, MissingEngineError, ModelFileError
from crnn_edge.install_hint import install_hint
from crnn_edge.integrity import sha256
from crnn_edge.manifest import KEY, Manifest
from crnn_edge.types import FloatArray

CHECKSUM = "crnn_checksum"
"""The entry of the archive that describes the graph."""

_CHECKSUM_2 = "crnn_seal"  # the same entry in files with a manifest of schema 2
_KEPT = 8  # interpreters, each of another width; they share the graph but pack weights anew


def load(path: Path, *, threads: int | None, device: str) -> TfliteBackend:
    """Open a `.tflite` file.

    Args:
        path: The model file.
        threads: Processor cores to use; None for all.
        device: `cpu`.

    Raises:
        EngineError: If neither runtime is installed, or `device` is another.
        ModelFileError: If the file is damaged, foreign, or at odds with its manifest.
    """
    if device != "cpu":
        raise EngineError(f"the tflite backend knows no device {device!r}: expected cpu")
    interpreter = _engine()
    flatbuffer, manifest = read_parts(path)
    return TfliteBackend(path, interpreter, flatbuffer, manifest, threads or physical_cores())


def _engine() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as first:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as second:
            raise MissingEngineError(
                f"no TFLite runtime can be imported ({first}; {second}): "
                f"{install_hint('tflite')}; or pip install tflite-runtime 'numpy<2'"
            ) from None
    return Interpreter


class TfliteBackend:
    """A graph and an interpreter of it for each width as a backend. Use `load`.

    Args:
        path: The model file, for messages.
        engine: The class `Interpreter` of a runtime.
        flatbuffer: The graph.
        manifest: What the file says about itself.
        threads: Processor cores to use.

    Attributes:
        manifest: What the file says about itself.
    """

    def __init__(
        self, path: Path, engine: Any, flatbuffer: bytes, manifest: Manifest, threads: int
    ) -> None:
        """Check the graph against the manifest."""
        self.manifest = manifest
        self._path = path
        self._engine = engine
        self._flatbuffer = flatbuffer
        self._threads = threads
        self._interpreters: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()  # an interpreter runs one image at a time, in its own memory
        preprocess = manifest.preprocess
        try:
            interpreter = self._interpreter(preprocess.width_multiple)
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(
                f"cannot open the model file {path}: {short_message(error)}"
            ) from None
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        n, height, _, channels = entry["shape"].tolist()
        logits = result["shape"].tolist()
        check_shapes(path, manifest, (n, channels, height, "W"), (n, "T", *logits[2:]))

    def __call__(self, tensor: FloatArray) -> FloatArray:
        """A tensor `(N, 1, H, W) float32` into logits `(N, T, C) float32`.

        Raises:
            EngineError: If it is no such tensor.
        """
        height, narrowest = self.manifest.preprocess.height, self.manifest.preprocess.width_multiple
        if (
            tensor.dtype != np.float32
            or tensor.ndim != 4
            or tensor.shape[1:3] != (1, height)
            or len(tensor) == 0
            or tensor.shape[3] < narrowest  # which the engine would run, and give no time steps
        ):
            raise EngineError(
                f"TFLite cannot run {self._path} on a tensor {tensor.dtype} {tensor.shape}: "
                f"expected float32 (N, 1, {height}, W), W at least {narrowest}"
            )
        try:
            with self._lock:
                interpreter = self._interpreter(tensor.shape[3])
                return np.stack([self._run(interpreter, image) for image in tensor])
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"TFLite cannot run {self._path} on a tensor {tensor.dtype} {tensor.shape}: "
                f"{short_message(error)}"
            ) from None

    def _interpreter(self, width: int) -> Any:
        """The interpreter for a width, created when it is first needed."""
        interpreter = self._interpreters.pop(width, None)
        if interpreter is None:
            interpreter = self._engine(model_content=self._flatbuffer, num_threads=self._threads)
            index = interpreter.get_input_details()[0]["index"]
            height = self.manifest.preprocess.height
            interpreter.resize_tensor_input(index, (1, height, width, 1))
            interpreter.allocate_tensors()
        self._interpreters[width] = interpreter
        if len(self._interpreters) > _KEPT:
            self._interpreters.popitem(last=False)
        return interpreter

    def _run(self, interpreter: Any, image: FloatArray) -> FloatArray:
        entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(entry["index"], _levels(image.transpose(1, 2, 0)[None], entry))
        interpreter.reset_all_variables()  # else the LSTM starts from where the last image ended
        interpreter.invoke()
        return _floats(interpreter.get_tensor(result["index"])[0], result)


def _levels(values: FloatArray, details: dict[str, Any]) -> npt.NDArray[Any]:
    """Values as a tensor of the graph takes them: as they are, or as the nearest levels."""
    if details["dtype"] == np.float32:
        return values
    scale, zero = details["quantization"]
    bounds = np.iinfo(details["dtype"])
    levels: FloatArray = np.rint(values / np.float32(scale)) + np.float32(zero)
    return levels.clip(bounds.min, bounds.max).astype(bounds.dtype)


def _floats(levels: npt.NDArray[Any], details: dict[str, Any]) -> FloatArray:
    """What a tensor of the graph says, whatever its type."""
    if details["dtype"] == np.float32:
        return levels
    scale, zero = details["quantization"]
    return (levels.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def read_parts(path: Path) -> tuple[bytes, Manifest]:
    """The graph and the manifest of a file.

    Raises:
        ModelFileError: If it is damaged or foreign.
    """
    data = path.read_bytes()
    try:
        entries, start = read_uncompressed_zip(io.BytesIO(data))
        texts = {name: entry.decode() for name, entry in entries.items()}
    except Exception as error:
        raise ModelFileError(
            f"cannot open the model file {path}: {error} (it is {len(data):,} bytes; damaged, cut "
            "short, or not written by `python -m export.tflite`?)"
        ) from None
    manifest = Manifest.from_json(texts.get(KEY), str(path))
    if texts.get(CHECKSUM, texts.get(_CHECKSUM_2)) != graph_checksum(data[:start]):
        raise ModelFileError(f"the graph in {path} is not what was exported: it is damaged")
    return data[:start], manifest


def graph_checksum(flatbuffer: bytes) -> str:
    """Length and SHA-256 of a graph, as the archive holds them."""
    return json.dumps({"bytes": len(flatbuffer), "sha256": sha256(flatbuffer)})
