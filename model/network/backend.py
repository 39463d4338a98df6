"""PyTorch as just another backend, so that parity, evaluation and benchmarks share one path."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from crnn_edge.errors import EngineError
from crnn_edge.manifest import Manifest
from model.network.bundled import DEFAULT_CHECKPOINT
from model.network.checkpoint import Checkpoint, load_checkpoint


def pick_device(name: str) -> torch.device:
    """The device of that name, or the best there is for `auto`.

    Of several processes that torchrun starts on a machine, each gets a GPU of its own.

    Raises:
        EngineError: If this torch has no such device.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    try:
        device = torch.device("cpu" if name == "auto" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise EngineError(f"torch cannot use device {name!r}: {reason}") from None
    return device


class TorchBackend:
    """A `crnn_edge.backends.Backend` that runs a network in torch."""

    def __init__(self, model: nn.Module, manifest: Manifest, *, device: str = "cpu") -> None:
        """Run `model` as it is, on `device`; a training model is put in evaluation mode per call.

        Raises:
            EngineError: If this torch has no such device.
        """
        self.device = pick_device(device)
        self.model = model.to(self.device)
        self.manifest = manifest

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, *, device: str = "cpu") -> TorchBackend:
        """The backend of a loaded checkpoint."""
        return cls(checkpoint.model, checkpoint.manifest, device=device)

    def __call__(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits `(N, T, C) float32` of a tensor `(N, 1, H, W) float32`."""
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            logits = self.model(torch.from_numpy(tensor).to(self.device))
        self.model.train(was_training)
        owned: npt.NDArray[np.float32] = logits.float().cpu().numpy().copy()
        return owned


def load(
    path: str | Path = DEFAULT_CHECKPOINT, *, threads: int | None = None, device: str = "cpu"
) -> TorchBackend:
    """Open a checkpoint as a backend: what `open_backend(path, "model.network.backend")` calls."""
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchBackend.from_checkpoint(load_checkpoint(Path(path)), device=device)
