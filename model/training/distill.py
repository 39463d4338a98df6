"""A small network that learns from a large one, step by step in time.

After Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015). A CTC network
says where it reads what, so the small one is told the large one's distribution at each time step,
not only the text. Both must see the same pictures with the same stride; where the large one's
last convolution drops a column, its last step stands for the missing one.
"""

from __future__ import annotations

from pathlib import Path

import torch

from crnn_edge.errors import CrnnError
from crnn_edge.manifest import Manifest
from model.network.checkpoint import difference, load_checkpoint
from model.network.fusion import fused


class Teacher:
    """A trained network whose readings another one is drawn to."""

    def __init__(
        self, path: Path, student: Manifest, device: torch.device, dtype: torch.dtype | None
    ) -> None:
        """Load it.

        Args:
            path: Its checkpoint.
            student: The manifest of the network that learns.
            device: Where it runs.
            dtype: In what it computes under autocast; None for float32.

        Raises:
            CrnnError: If the checkpoint is damaged, or the two do not see or say the same.
        """
        checkpoint = load_checkpoint(path)
        if told := difference(checkpoint.manifest, student):
            raise CrnnError(f"--teacher {path} cannot teach {student.name}: {told}")
        self.device, self.dtype = device, dtype
        self.model = fused(checkpoint.model).requires_grad_(False).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, tensor: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
        """The divergence KL(teacher || student), in nats a picture.

        Args:
            tensor: What both see, `(N, 1, H, W) float32`.
            log_probs: What the student makes of it, `(N, T, C) float32`.

        Returns:
            A scalar: summed over time steps, averaged over pictures.
        """
        enabled, dtype = self.dtype is not None, self.dtype or torch.bfloat16
        with torch.no_grad(), torch.autocast(self.device.type, dtype, enabled=enabled):
            told = self.model(tensor).float().log_softmax(-1)
            steps = torch.arange(log_probs.shape[1], device=told.device)
            told = told[:, steps.clamp(max=told.shape[1] - 1)]
        divergence: torch.Tensor = (told.exp() * (told - log_probs)).sum()
        return divergence / len(log_probs)
