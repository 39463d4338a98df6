"""A checkpoint as an ONNX file: `python -m export.onnx`.

Torch's older exporter (`dynamo=False`) writes one `LSTM` node a layer, with any batch and width, in
under a second. Its successor takes a minute and fixes the width.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.cli import main
from quantize.formats.onnx import load_onnx, write

if TYPE_CHECKING:
    from model.network.checkpoint import Checkpoint

OPSET = 17


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 ONNX file, unverified.

    The file maps `image (N, 1, H, W) float32` to `logits (N, T, C) float32`, N and W free.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    import torch

    from model.network.fusion import fused

    onnx = load_onnx()
    manifest = checkpoint.manifest
    height, multiple = manifest.preprocess.height, manifest.preprocess.width_multiple
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's age, and LSTM states, removed below
        torch.onnx.export(
            fused(checkpoint.model),
            (torch.zeros(2, 1, height, 4 * multiple),),
            str(target),
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "N", 3: "W"}, "logits": {0: "N", 1: "T"}},
        )
    model = onnx.load(target)
    _simplify(model.graph)
    model.graph.name = manifest.name
    write(model, checkpoint.exported(f"ONNX opset {OPSET}"), target)


def _simplify(graph: Any) -> None:
    """Remove the LSTMs' initial states, which are the zeros that an LSTM starts from by default.

    The five nodes that compute the shape of those zeros are removed, too.
    """
    for node in graph.node:
        if node.op_type == "LSTM":
            del node.input[5:], node.output[1:]
    while True:
        used = {name for node in graph.node for name in node.input}
        used |= {output.name for output in graph.output}
        unused = [node for node in graph.node if not used.intersection(node.output)]
        if not unused:
            return
        for node in unused:
            graph.node.remove(node)


if __name__ == "__main__":
    sys.exit(main("onnx"))
