"""A checkpoint as an OpenVINO IR, `.xml` and `.bin`: `python -m export.openvino`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from crnn_edge.backends.openvino import shared_core
from export import cli, onnx
from model.network.checkpoint import Checkpoint
from quantize.openvino import FORMAT, load_engine, write


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 IR, unverified.

    It goes through ONNX, in any batch and width. OpenVINO's own `convert_model` does the same, but
    would also report on its use to its makers.

    Args:
        checkpoint: The network and its manifest.
        target: The `.xml` file to write; its weights go beside it.
    """
    openvino = load_engine()
    from openvino.passes import ConstantFolding, Manager

    with tempfile.TemporaryDirectory() as scratch:
        halfway = Path(scratch, "model.onnx")
        onnx.convert(checkpoint, halfway)
        model = shared_core().read_model(halfway)
        manager = Manager()
        manager.register_pass(ConstantFolding())
        manager.run_passes(model)  # which makes LSTM weights plain constants
        write(model, checkpoint.exported(f"OpenVINO {openvino.__version__}"), target)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT, convert))
