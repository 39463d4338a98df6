"""A network of a few kB with the interface of a CRNN, so that runtime tests need no torch.

A convolution over whole columns, a bidirectional LSTM, a linear layer; weights from a sine, so
every machine builds the same file. It reads no sense, but always the same, and different images
differently.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.manifest import KEY, Manifest
from crnn_edge.preprocess import Preprocess

if TYPE_CHECKING:
    import onnx

CHARSET = Charset(tuple("abcdefghij"))
CHANNELS, HIDDEN, HEIGHT, STRIDE = 8, 4, 32, 4


def _weights(name: str, *shape: int, scale: float) -> onnx.TensorProto:
    from onnx import numpy_helper

    seed = sum(map(ord, name))
    values = np.sin(np.arange(np.prod(shape)) * 1.7 + seed) * scale
    return numpy_helper.from_array(values.reshape(shape).astype(np.float32), name)


def tiny_manifest(**changes: object) -> Manifest:
    manifest = Manifest(
        name="tiny", charset=CHARSET, preprocess=Preprocess(height=HEIGHT), stride=STRIDE
    )
    return manifest.replace(**changes)


def build_tiny(
    path: Path,
    manifest: Manifest | str | None = "default",
    *,
    classes: int = CHARSET.num_classes,
    static: bool = True,
) -> Path:
    """Write the network to `path`.

    Args:
        path: An `.onnx` file.
        manifest: What it carries: a manifest, any text, or None for no manifest.
        classes: The C of its logits.
        static: Whether its output declares C.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shapes = {"two": np.array([2], np.int64), "flat": np.array([0, 0, -1], np.int64)}
    weights = [
        _weights("kernel", CHANNELS, 1, HEIGHT, STRIDE, scale=0.3),
        _weights("w", 2, 4 * HIDDEN, CHANNELS, scale=0.4),
        _weights("r", 2, 4 * HIDDEN, HIDDEN, scale=0.4),
        _weights("b", 2, 8 * HIDDEN, scale=0.2),
        _weights("head", 2 * HIDDEN, classes, scale=80.0),
        *(numpy_helper.from_array(value, name) for name, value in shapes.items()),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["columns"], strides=[HEIGHT, STRIDE]),
        helper.make_node("Tanh", ["columns"], ["active"]),
        helper.make_node("Squeeze", ["active", "two"], ["nct"]),
        helper.make_node("Transpose", ["nct"], ["tnc"], perm=[2, 0, 1]),
        helper.make_node(
            "LSTM", ["tnc", "w", "r", "b"], ["states"], hidden_size=HIDDEN,
            direction="bidirectional",
        ),
        helper.make_node("Transpose", ["states"], ["ntdh"], perm=[2, 0, 1, 3]),
        helper.make_node("Reshape", ["ntdh", "flat"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, HEIGHT, "w"])],
        [
            helper.make_tensor_value_info(
                "logits", TensorProto.FLOAT, ["n", "t", classes if static else "c"]
            )
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if manifest == "default":
        manifest = tiny_manifest()
    if manifest is not None:
        text = manifest.to_json() if isinstance(manifest, Manifest) else manifest
        helper.set_model_props(model, {KEY: text})
    onnx.save(model, path)
    return path


def crops(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers((16, 20), (60, 260), size=(count, 2))
    return [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]


class Fake:
    """A backend that gives prepared logits."""

    def __init__(self, logits: np.ndarray) -> None:
        self.manifest = tiny_manifest()
        self.logits = logits

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        return self.logits
