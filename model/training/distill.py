"""Knowledge distillation: a small network learns the output of a large one at every time step.

After Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015). Both networks
must have the same input, stride and charset. Where the large network's last convolution loses a
column, its last time step is repeated.
"""

from __future__ import annotations

from pathlib import Path

import torch

from crnn_edge.errors import CrnnError
from crnn_edge.manifest import Manifest
from model.network.checkpoint import difference, load_checkpoint
from model.network.fusion import fused


class Teacher:
    """A trained network whose output another one learns."""

    def __init__(
        self, path: Path, student: Manifest, device: torch.device, dtype: torch.dtype | None
    ) -> None:
        """Load it.

        Args:
            path: Its checkpoint.
            student: The manifest of the network that learns.
            device: Where it runs.
            dtype: What it computes in under autocast; None for float32.

        Raises:
            CrnnError: If the checkpoint is damaged, or differs in charset, stride or preprocessing.
        """
        checkpoint = load_checkpoint(path)
        if detail := difference(checkpoint.manifest, student):
            raise CrnnError(f"--teacher {path} cannot teach {student.name}: {detail}")
        self.device, self.dtype = device, dtype
        self.model = fused(checkpoint.model).requires_grad_(False).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, tensor: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
        """The divergence KL(teacher || student), in nats per image.

        Args:
            tensor: Images, `(N, 1, H, W) float32`.
            log_probs: The student's output for them, `(N, T, C) float32`.

        Returns:
            A scalar: summed over time steps, averaged over images.
        """
        enabled, dtype = self.dtype is not None, self.dtype or torch.bfloat16
        with torch.no_grad(), torch.autocast(self.device.type, dtype, enabled=enabled):
            target = self.model(tensor).float().log_softmax(-1)
            steps = torch.arange(log_probs.shape[1], device=target.device)
            target = target[:, steps.clamp(max=target.shape[1] - 1)]
        divergence: torch.Tensor = (target.exp() * (target - log_probs)).sum()
        return divergence / len(log_probs)
