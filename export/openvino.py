"""A checkpoint as an OpenVINO IR, `.xml` and `.bin`: `python -m export.openvino`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_edge.backends.openvino import shared_core
from export import onnx
from export.cli import main
from quantize.formats.openvino import load_openvino, write

if TYPE_CHECKING:
    from model.network.checkpoint import Checkpoint


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 IR, unverified.

    The conversion goes through ONNX, with any batch and width. OpenVINO's own `convert_model` gives
    the same, but reports its use to its makers.

    Args:
        checkpoint: The network and its manifest.
        target: The `.xml` file to write; its weights are written beside it.
    """
    openvino = load_openvino()
    from openvino.passes import ConstantFolding, Manager

    with tempfile.TemporaryDirectory() as folder:
        intermediate = Path(folder, "model.onnx")
        onnx.convert(checkpoint, intermediate)
        model = shared_core().read_model(intermediate)
        manager = Manager()
        manager.register_pass(ConstantFolding())
        manager.run_passes(model)  # makes LSTM weights plain constants
        write(model, checkpoint.exported(f"OpenVINO {openvino.__version__}"), target)


if __name__ == "__main__":
    sys.exit(main("openvino"))
