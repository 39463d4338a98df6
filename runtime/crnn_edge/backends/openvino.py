"""OpenVINO: `.xml` files with their `.bin` beside them, on Intel processors above all.

The engine trusts what a file says and can crash on a damaged one. So the last line of an `.xml` is
a comment with the SHA-256 of the text above it and of the `.bin`, which is checked first.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from crnn_edge.backends import check_shapes, physical_cores, short_message
from crnn_edge.errors import EngineError, MissingEngineError, ModelFileError
from crnn_edge.install_hint import install_hint
from crnn_edge.integrity import sha256
from crnn_edge.manifest import KEY, Manifest
from crnn_edge.types import FloatArray

# Files with a manifest of schema 2 call it a seal.
_CHECKSUM = re.compile(rb"<!-- crnn_(?:checksum|seal) (\{[^{}]{1,400}\}) -->\n\Z")


def load(path: Path, *, threads: int | None, device: str) -> OpenvinoBackend:
    """Open an `.xml` file.

    Args:
        path: The model file; its weights are beside it, as `.bin`.
        threads: Processor cores to use; None for all.
        device: `cpu`, or another device of this machine by OpenVINO's name, such as `gpu`.

    Raises:
        EngineError: If OpenVINO, or its support for the device, is missing.
        ModelFileError: If the file is damaged, foreign, or at odds with its manifest.
    """
    core = shared_core()
    model = read_model(path)
    manifest = read_manifest(model, path)
    if device.upper() not in core.available_devices:
        raise EngineError(
            f"the openvino backend knows no device {device!r}: this machine has "
            f"{', '.join(core.available_devices).lower()}"
        )
    # Left alone, some processors would compute FP32 files in bfloat16.
    settings: dict[str, Any] = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    if device.lower() == "cpu":
        settings["INFERENCE_NUM_THREADS"] = threads or physical_cores()
    tensor, logits = (_shape(port) for port in (model.inputs[0], model.outputs[0]))
    check_shapes(path, manifest, tensor, logits)
    try:
        compiled = core.compile_model(model, device.upper(), settings)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot compile {path}: {short_message(error)}") from None
    return OpenvinoBackend(path, compiled.create_infer_request(), manifest)


class OpenvinoBackend:
    """An OpenVINO request as a backend. Use `load`.

    Args:
        path: The model file, for messages.
        request: What runs the compiled model.
        manifest: What the file says about itself.

    Attributes:
        manifest: What the file says about itself.
    """

    def __init__(self, path: Path, request: Any, manifest: Manifest) -> None:
        """Keep what a call needs."""
        self.manifest = manifest
        self._path = path
        self._request = request
        self._lock = Lock()  # a request runs one tensor at a time, and keeps one output

    def __call__(self, tensor: FloatArray) -> FloatArray:
        """A tensor `(N, 1, H, W) float32` into logits `(N, T, C) float32`.

        Raises:
            EngineError: If OpenVINO refuses the tensor.
        """
        try:
            if tensor.dtype != np.float32 or tensor.size == 0:  # OpenVINO would convert and run
                raise ValueError("expected float32 (N, 1, H, W)")
            inputs = {0: np.ascontiguousarray(tensor)}
            with self._lock:
                self._request.infer(inputs)
                # The next call overwrites the request's own output.
                logits: FloatArray = self._request.get_output_tensor(0).data.copy()
        except (RuntimeError, ValueError, TypeError) as error:
            raise EngineError(
                f"OpenVINO cannot run {self._path} on a tensor {tensor.dtype} {tensor.shape}: "
                f"{short_message(error)}"
            ) from None
        return logits


@cache
def shared_core() -> Any:
    """The one `openvino.Core` of this process.

    Each core gives signals a stack to be handled on and, when it goes, restores the one before it.
    So of two that do not go in the reverse order of their coming, as when a model replaces
    another, the second brings back the stack that the first has freed, and the next signal, such
    as Ctrl-C, is a segmentation fault. One that stays does no harm.

    Raises:
        EngineError: If OpenVINO is not installed; the message names the extra.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingEngineError(
            f"OpenVINO cannot be imported ({error}): {install_hint('openvino')}"
        ) from None
    return openvino.Core()


def checksum_line(xml: bytes, weights: bytes) -> bytes:
    """The last line of an `.xml`.

    Args:
        xml: The lines above it.
        weights: The `.bin`.
    """
    return b"<!-- crnn_checksum %s -->\n" % _checksum(xml, weights)


def _checksum(xml: bytes, weights: bytes) -> bytes:
    facts = {"xml": sha256(xml), "bin": sha256(weights), "bin_bytes": len(weights)}
    return json.dumps(facts).encode()


def read_model(path: Path) -> Any:
    """An `openvino.Model`, if the file and its weights are whole.

    Raises:
        EngineError: If OpenVINO is not installed.
        ModelFileError: If one of the two is missing, damaged or foreign, or they do not belong
            together.
    """
    core, weights = shared_core(), path.with_suffix(".bin")
    try:
        xml = path.read_bytes()
        entry = _CHECKSUM.search(xml)
        if entry is None:
            raise ModelFileError(
                f"{path} is damaged, or was not written by this toolkit: it does not end in a "
                "checksum. Export it with `python -m export.openvino`"
            )
        if entry[1] != _checksum(xml[: entry.start()], weights.read_bytes()):
            raise ModelFileError(
                f"{path} and {weights.name} are not what was exported together: one of them is "
                "damaged, or belongs to another model"
            )
        model = core.read_model(path, weights)
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path} and {weights.name} beside it: {error.strerror}"
        ) from None
    except RuntimeError as error:
        raise ModelFileError(f"cannot open the model file {path}: {short_message(error)}") from None
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelFileError(
            f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs: expected "
            "one tensor in, logits out"
        )
    return model


def read_manifest(model: Any, path: Path) -> Manifest:
    """What a file says about itself.

    Raises:
        ModelFileError: If it says nothing, or nothing valid.
    """
    text = model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else None
    return Manifest.from_json(text, str(path))


def _shape(port: Any) -> tuple[Any, ...]:
    dimensions = port.get_partial_shape()
    if dimensions.rank.is_dynamic:
        return ("?",)
    return tuple(d.get_length() if d.is_static else "?" for d in dimensions)
