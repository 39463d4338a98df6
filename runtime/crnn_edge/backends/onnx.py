"""ONNX Runtime: `.onnx` files on processors and, with its GPU build, on NVIDIA cards.

The engine gets a file only after `crnn_edge.onnx_file` has checked its contents and its checksum.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge import onnx_file
from crnn_edge.backends import check_shapes, physical_cores, short_message
from crnn_edge.errors import EngineError, MissingEngineError, ModelFileError
from crnn_edge.install_hint import install_hint
from crnn_edge.manifest import Manifest
from crnn_edge.types import FloatArray

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def load(path: Path, *, threads: int | None, device: str) -> OnnxBackend:
    """Open an `.onnx` file.

    Args:
        path: The model file.
        threads: Processor cores to use; None for all.
        device: `cpu`, `cuda`, `cuda:1`, `tensorrt` or `tensorrt:1`. There is no falling back to
            the processor: a device that is not there is an error.

    Raises:
        EngineError: If ONNX Runtime, or its support for the device, is missing.
        ModelFileError: If the file is damaged, foreign, or at odds with its manifest.
    """
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingEngineError(
            f"ONNX Runtime cannot be imported ({error}): {install_hint('onnx')}"
        ) from None
    providers = _providers(device, ort.get_available_providers())
    threads = threads or physical_cores()
    graph, manifest = read_parts(path)
    # An INT8 file runs one image at a time, in many single-threaded runs; an FP32 file runs a
    # batch, on many threads.
    alone = manifest.precision == "int8"
    session = _session(ort, path, graph, providers, threads=1 if alone else threads)
    if providers[0][0] not in session.get_providers():
        raise EngineError(
            f"ONNX Runtime could not start {providers[0][0]} for device {device!r} (it has "
            f"{', '.join(session.get_providers())}): its CUDA or TensorRT libraries are missing, "
            "or there is no such card"
        )
    return OnnxBackend(path, session, manifest, threads if alone else 0)


class OnnxBackend:
    """An ONNX Runtime session as a backend. Use `load`.

    Args:
        path: The model file, for messages.
        session: The open session.
        manifest: What the file says about itself.
        workers: Threads that share the session, each running one image at a time; 0 to run
            batches. INT8 files run alone because `DynamicQuantizeLSTM` takes its scale from the
            whole batch: in a batch an image would read differently.

    Attributes:
        manifest: What the file says about itself.
    """

    def __init__(self, path: Path, session: Any, manifest: Manifest, workers: int) -> None:
        """Check the session against the manifest."""
        self.manifest = manifest
        self._path = path
        self._session = session
        self._alone = workers > 0
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if [port.type for port in (*inputs, *outputs)] != ["tensor(float)"] * 2 or not inputs:
            raise ModelFileError(
                f"{path} has inputs {[(i.name, i.type) for i in inputs]} and outputs "
                f"{[(o.name, o.type) for o in outputs]}: expected one float tensor in, logits out"
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        check_shapes(path, manifest, tuple(inputs[0].shape), tuple(outputs[0].shape))
        if not isinstance(outputs[0].shape[2], int):  # only a run can tell
            preprocess = manifest.preprocess
            smallest = np.zeros(
                (1, 1, preprocess.height, preprocess.width_multiple), dtype=np.float32
            )
            check_shapes(path, manifest, smallest.shape, self._run(smallest).shape)

    def __call__(self, tensor: FloatArray) -> FloatArray:
        """A tensor `(N, 1, H, W) float32` into logits `(N, T, C) float32`.

        Raises:
            EngineError: If ONNX Runtime refuses the tensor, or the batch is empty.
        """
        if not len(tensor):  # of which an INT8 LSTM would crash the process
            raise EngineError(f"ONNX Runtime cannot run {self._path} on an empty batch")
        if not self._alone or len(tensor) == 1:
            return self._run(tensor)
        singles = [tensor[i : i + 1] for i in range(len(tensor))]
        run = map if self._pool is None else self._pool.map
        return np.concatenate(list(run(self._run, singles)))

    def _run(self, tensor: FloatArray) -> FloatArray:
        try:
            logits: FloatArray = self._session.run([self._output], {self._input: tensor})[0]
        except Exception as error:  # its exceptions share no base of their own
            raise EngineError(
                f"ONNX Runtime cannot run {self._path} on a tensor {tensor.dtype} "
                f"{tensor.shape}: {short_message(error)}"
            ) from None
        return logits


def _providers(device: str, available: list[str]) -> list[tuple[str, dict[str, str]]]:
    kind, _, number = device.partition(":")
    cpu: tuple[str, dict[str, str]] = ("CPUExecutionProvider", {})
    if device == "cpu":
        return [cpu]
    if kind not in _PROVIDERS or (number and not number.isdecimal()):
        raise EngineError(
            f"the onnx backend knows no device {device!r}: expected cpu, cuda, cuda:1 or tensorrt"
        )
    wanted = _PROVIDERS[kind]
    if wanted not in available:
        raise EngineError(
            f"this ONNX Runtime has no {wanted} for device {device!r}, only "
            f"{', '.join(available)}: `pip uninstall onnxruntime`, `pip install onnxruntime-gpu`"
            + (" and TensorRT" if kind == "tensorrt" else "")
        )
    options = {"device_id": number or "0"}
    # What TensorRT cannot take, the same card's CUDA takes.
    chain = [wanted] if kind == "cuda" else [wanted, _PROVIDERS["cuda"]]
    return [(name, options) for name in chain if name in available] + [cpu]


def read_parts(path: Path) -> tuple[bytes, Manifest]:
    """The file for the engine and its manifest, if the file is whole and does nothing unexpected.

    Raises:
        ModelFileError: If it is damaged or foreign, or has contents that `onnx_file` refuses.
    """
    data = path.read_bytes()
    try:
        file = onnx_file.parse(data)
    except ValueError as error:
        raise ModelFileError(
            f"cannot open the model file {path}: {error} (it is {len(data):,} bytes; damaged, cut "
            "short, or not an ONNX file of this toolkit?)"
        ) from None
    manifest = Manifest.from_json(file.manifest, str(path))
    if manifest.checksum is not None and (actual := file.checksum()) != manifest.checksum:
        raise ModelFileError(
            f"{path} is damaged: its checksum is {actual[:12]}…, expected {manifest.checksum[:12]}…"
        )
    return data, manifest


def _session(ort: Any, path: Path, data: bytes, providers: Any, threads: int) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # fatal only: errors come as exceptions, once
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # its exceptions share no base of their own
        raise ModelFileError(
            f"cannot open the model file {path}: {short_message(error)} (it is {len(data):,} "
            "bytes; damaged, or not an ONNX file of this toolkit?)"
        ) from None
