"""A checkpoint as an ONNX file: `python -m export.onnx`.

Torch's older exporter (`dynamo=False`) gives one `LSTM` node a layer, in any batch and width, in
under a second. Its successor takes a minute and bakes the width in.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from export import cli
from model.network.checkpoint import Checkpoint
from model.network.fusion import fused
from quantize.onnx import FORMAT, load_tools, write

OPSET = 17


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 ONNX file, unverified.

    The file maps `image (N, 1, H, W) float32` to `logits (N, T, C) float32`, N and W free.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    onnx, _ = load_tools()
    manifest = checkpoint.manifest
    height, grid = manifest.preprocess.height, manifest.preprocess.width_multiple
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own age, and LSTM states that we take out
        torch.onnx.export(
            fused(checkpoint.model),
            (torch.zeros(2, 1, height, 4 * grid),),
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
    """Leave out the LSTMs' initial states, which are the zeros they start from anyway.

    What computes those zeros' shape goes too: five nodes that no other engine should need.
    """
    for node in graph.node:
        if node.op_type == "LSTM":
            del node.input[5:], node.output[1:]
    while True:
        used = {name for node in graph.node for name in node.input}
        used |= {output.name for output in graph.output}
        idle = [node for node in graph.node if not used.intersection(node.output)]
        if not idle:
            return
        for node in idle:
            graph.node.remove(node)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT, convert))
