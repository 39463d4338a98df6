"""What a model's layers cost in ONNX Runtime, and what a plain matrix product costs there."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.backends import open_backend
from crnn_edge.errors import CrnnError
from examples.benchmarks.progress import progress

KINDS = ("Conv", "LSTM", "MatMul", "Gemm")
"""Operators with weights, by a part of the names that the engine gives them."""

_INT8 = ("QLinear", "Quantize", "Integer")
_SIZES = (256, 512, 1024)
_RUNS = 8  # of each session a round


@dataclass(frozen=True)
class Layer:
    """What the profile tells of one layer, and how much work it is.

    Attributes:
        name: The engine's name for it.
        kind: Its operator.
        shape: Of its output.
        us: Microseconds a run, the mean of the middle half.
        operations: Multiplications and additions a run, in millions.
        int8: Whether its weights are multiplied as 8-bit integers.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    us: float
    operations: float
    int8: bool


def measure(
    paths: Sequence[Path], width: int, threads: int, rounds: int
) -> tuple[dict[Path, tuple[float, list[Layer]]], dict[str, float]]:
    """Run models and yardsticks in turns.

    Returns:
        Of each model, the microseconds of an unprofiled run and its layers; and by type the GOP/s
        of a plain matrix product.

    Raises:
        ModelFileError: If a file is no model file of ours.
        CrnnError: If the engine's profile does not fit the file.
    """
    tensors = {}
    for path in paths:
        preprocess = open_backend(path, "onnx", threads=1).manifest.preprocess  # checks the file
        shape = (1, 1, preprocess.height, width)
        tensors[path] = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        plain = {path: _session(path, threads) for path in paths}
        profiled = {path: _session(path, threads, f"{folder}/{k}") for k, path in enumerate(paths)}
        products = {
            (kind, size): _session(_product(kind, size), threads)
            for kind in ("FP32", "INT8")
            for size in _SIZES
        }
        runs_us: dict[Path, list[float]] = defaultdict(list)
        products_us: dict[tuple[str, int], list[float]] = defaultdict(list)
        for _ in progress(range(rounds), "rounds"):
            for path, session in plain.items():
                runs_us[path] += [_run_us(session, tensors[path]) for _ in range(_RUNS)]
                for _ in range(_RUNS):
                    _run_us(profiled[path], tensors[path])
            for (kind, size), session in products.items():
                matrix = np.ones((size, size), dtype=np.uint8 if kind == "INT8" else np.float32)
                products_us[kind, size].append(_run_us(session, matrix))
        profiles = {path: session.end_profiling() for path, session in profiled.items()}
        found = {
            path: (float(np.median(runs_us[path])), list(_layers(path, Path(profile))))
            for path, profile in profiles.items()
        }
    limits = {
        kind: max(
            2e-3 * size**3 / float(np.quantile(products_us[kind, size], 0.1)) for size in _SIZES
        )
        for kind in ("FP32", "INT8")
    }
    return found, limits


def _session(model: Path | bytes, threads: int, profile: str = "") -> Any:
    """A session as the onnx backend opens it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_profiling, options.profile_file_prefix = bool(profile), profile
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _run_us(session: Any, tensor: Any) -> float:
    start_s = time.perf_counter()
    session.run(None, {session.get_inputs()[0].name: tensor})
    return 1e6 * (time.perf_counter() - start_s)


def _product(kind: str, size: int) -> bytes:
    """A model that multiplies a square matrix by a constant one."""
    from onnx import TensorProto, helper, numpy_helper

    given, weights, result, operator = (
        (TensorProto.UINT8, np.int8, TensorProto.INT32, "MatMulInteger")
        if kind == "INT8"
        else (TensorProto.FLOAT, np.float32, TensorProto.FLOAT, "MatMul")
    )
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", given, [size, size])],
        [helper.make_tensor_value_info("c", result, [size, size])],
        [numpy_helper.from_array(np.ones((size, size), dtype=weights), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    return serialized


def _layers(path: Path, profile: Path) -> Iterator[Layer]:
    """The layers of a profile.

    The engine renames and fuses layers and hides the weights that it packed, but keeps the order
    of those with weights, so the n-th convolution of the profile is the n-th of the file.
    """
    durations_us: dict[str, list[float]] = defaultdict(list)
    arguments: dict[str, dict[str, Any]] = {}
    for event in json.loads(profile.read_text()):
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            durations_us[name].append(event["dur"])
            arguments[name] = event["args"]
    weights = {kind: iter(shapes) for kind, shapes in _weights(path).items()}
    for name, own_us in durations_us.items():
        operator = arguments[name]["op_name"]
        kind = next((kind for kind in KINDS if kind in operator), None)
        given, made = (_shape(arguments[name][f"{k}_type_shape"]) for k in ("input", "output"))
        operations = 0.0
        if kind:
            try:
                shapes = next(weights[kind])
            except (KeyError, StopIteration):
                raise CrnnError(
                    f"{path} has no {kind} for {name}, which ran: fused anew?"
                ) from None
            # What each weight is multiplied with: every output position, or every time step.
            times = prod(given[:2]) if kind == "LSTM" else prod(made) // made[-1]
            if kind == "Conv" and made[-1] != shapes[0][0]:
                times = prod(made) // made[1]  # not last, and perhaps padded to a full register
            operations = 2e-6 * times * sum(map(prod, shapes))
        middle = np.sort(own_us)[len(own_us) // 4 : max(1, 3 * len(own_us) // 4)]
        int8 = any(word in operator for word in _INT8)
        yield Layer(name, operator, made, float(middle.mean()), operations, int8)


def _shape(types: list[dict[str, list[int]]]) -> tuple[int, ...]:
    return tuple(next(iter(types[0].values()))) if types else ()


def _weights(path: Path) -> dict[str, list[list[tuple[int, ...]]]]:
    """The shapes of the weights of a file's layers, by kind, in order."""
    import onnx

    graph = onnx.load(path).graph
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    found: dict[str, list[list[tuple[int, ...]]]] = defaultdict(list)
    for node in graph.node:
        kind = next((kind for kind in KINDS if kind in node.op_type), None)
        if node.op_type == "DequantizeLinear" and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
        elif kind:
            own = [shapes[name] for name in node.input[1 : 3 if kind == "LSTM" else 2]]
            found[kind].append(own)
    return found
