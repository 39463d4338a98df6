"""The checkpoint itself, run by torch, as the reference of every exported file."""

from __future__ import annotations

import torch

from model.network.backend import TorchBackend
from model.network.checkpoint import Checkpoint
from quantize.compare import ModelUnderTest


def torch_reference(checkpoint: Checkpoint) -> ModelUnderTest:
    """A checkpoint, run by torch on one thread."""
    torch.set_num_threads(1)
    size = checkpoint.path.stat().st_size
    return ModelUnderTest("torch", TorchBackend.from_checkpoint(checkpoint), size)
