"""Backends: inference engines behind one call. A name is a file in this folder.

A backend owns its engine's layout, types, threads, device and copying out. It does not softmax,
pad, resize or decode.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from crnn_edge import plugins
from crnn_edge.errors import EngineError, ModelFileError
from crnn_edge.manifest import Manifest
from crnn_edge.types import FloatArray

FORMAT_BY_SUFFIX = {".onnx": "onnx", ".xml": "openvino", ".tflite": "tflite", ".npz": "numpy"}
"""The backend that opens a file unless another one is named."""

MODELS = Path(__file__).parents[1] / "models"
"""The bundled model files."""

CHECKPOINT = ".safetensors"
"""The suffix of checkpoints, which training writes and exporters read; no backend opens them."""


class Backend(Protocol):
    """A network that can be called, and its manifest.

    Several threads may call one backend at a time: engines that do not support that are locked
    while they run.
    """

    @property
    def manifest(self) -> Manifest:
        """The model file's manifest."""
        ...

    def __call__(self, tensor: FloatArray) -> FloatArray:
        """A tensor `(N, 1, H, W) float32` into logits `(N, T, C) float32` that the caller owns."""
        ...


def find_model(name: str | os.PathLike[str]) -> Path:
    """The path of a model file; a name that is not a file may be that of a bundled model."""
    path = Path(name)
    bundled = [model for model in MODELS.glob("*.onnx") if model.stem == str(path)]
    return bundled[0] if bundled and not path.exists() else path


def open_backend(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
) -> Backend:
    """Open a model file.

    Args:
        path: The file, whose suffix tells the backend unless `name` does; or the name of a
            bundled model, such as `crnn-medium`.
        name: `X` is `crnn_edge/backends/X.py`; a dotted name is a module of the caller's own with a
            function `load`.
        threads: Processor cores to use; None for all that the process may use.
        device: `cpu`, or what the backend knows, such as `cuda:0`.

    Raises:
        ModelFileError: If the file is missing, damaged, foreign, or at odds with its manifest.
        EngineError: If the engine or the device is not installed here, or `threads` is not a
            whole number from 1 on.
        UnknownNameError: If there is no such backend.
    """
    path = find_model(path)
    if name is None and path.suffix.lower() == CHECKPOINT:
        import shlex  # for the message only

        raise ModelFileError(
            f"{path} is a checkpoint, not a model file: export it first: python -m export.onnx "
            f"{shlex.quote(str(path))}"
        )
    if name is None:
        name = FORMAT_BY_SUFFIX.get(path.suffix.lower())
        if name is None:
            raise ModelFileError(
                f"unknown file suffix {path.suffix!r} of {path} (known: "
                f"{', '.join(FORMAT_BY_SUFFIX)}): pass --backend (for example onnx), or use a "
                "bundled model: "
                f"{', '.join(sorted(model.stem for model in MODELS.glob('*.onnx')))}"
            )
    load = plugins.load(__name__, name, "load")
    if reason := _unusable(path):
        raise ModelFileError(f"cannot open the model file {path}: {reason}")
    if threads is not None and not (isinstance(threads, int | np.integer) and 1 <= threads <= 4096):
        raise EngineError(f"cannot open {path} with {threads!r} threads: expected 1 to 4096")
    backend: Backend = load(path, threads=threads, device=device)
    return backend


def short_message(error: Exception) -> str:
    """An engine's error message, cut to 300 characters: some have pages."""
    return " ".join(str(error).split())[:300]


def _unusable(path: Path) -> str | None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "there is no such file (`python -m export.onnx` writes one)"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return getattr(error, "strerror", None) or str(error)
    return "it is a folder" if path.is_dir() else None if size else "it is empty"


def physical_cores() -> int:
    """Cores that this process may use, counting hardware threads of one core once."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    siblings = set()
    for cpu in allowed:
        try:
            topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
            siblings.add(topology.read_text())
        except OSError:
            return len(allowed)
    return len(siblings) or os.cpu_count() or 1


def check_shapes(
    path: Path, manifest: Manifest, tensor: tuple[Any, ...], logits: tuple[Any, ...]
) -> None:
    """Check that a network's shapes agree with its manifest.

    Args:
        path: The model file, for the message.
        manifest: The file's manifest.
        tensor: The input shape that the network declares; unknown sizes are not integers.
        logits: The output shape, likewise.

    Raises:
        ModelFileError: If they differ; the message has both.
    """
    expected_tensor = ("N", 1, manifest.preprocess.height, "W")
    expected_logits = ("N", "T", manifest.charset.num_classes)
    for subject, shape, expected in (
        ("takes a tensor", tensor, expected_tensor),
        ("gives logits", logits, expected_logits),
    ):
        if len(shape) != len(expected) or any(
            isinstance(a, int) and isinstance(b, int) and a != b
            for a, b in zip(shape, expected, strict=True)
        ):
            raise ModelFileError(
                f"{path} {subject} of shape {tuple(shape)}, but its manifest says {expected} "
                f"(height {manifest.preprocess.height}, {manifest.charset.num_classes} classes: "
                f"{len(manifest.charset.tokens)} tokens plus the CTC blank)"
            )
