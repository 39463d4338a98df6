"""What a network is trained by: CTC, and what may be added to it."""

from __future__ import annotations

import torch
from torch import nn

from model.training.distill import Teacher


class Losses(nn.Module):
    """A batch to its losses: a network and what judges it, in one module.

    In one because DistributedDataParallel joins the gradients of what runs within it alone.
    """

    def __init__(self, view: nn.Module, teacher: Teacher | None, dtype: torch.dtype | None) -> None:
        """Put the network and its losses together.

        Args:
            view: The network that is trained, or a module that calls it.
            teacher: A network that it learns from.
            dtype: What the network computes in under autocast; None for float32.
        """
        super().__init__()
        self.view, self.teacher, self.dtype = view, teacher, dtype

    def forward(
        self, tensor: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The CTC loss as `loss`, that of the `teacher` if there is one: nats a text.

        Args:
            tensor: Pictures, `(N, 1, H, W) float32`.
            targets: Class ids, one text after the other, `(sum of lengths,) int64`.
            lengths: Tokens of each text, `(N,) int64`, on the CPU.
        """
        targets = targets.to(tensor.device)
        losses = {}
        with torch.autocast(
            tensor.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None
        ):
            logits = self.view(tensor)  # (N, T, C)
        log_probs = logits.float().log_softmax(-1)
        if self.teacher:
            losses["teacher"] = self.teacher.loss(tensor, log_probs)
        return {"loss": ctc_loss(log_probs, targets, lengths), **losses}


def ctc_loss(log_probs: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The CTC loss of `log_probs (N, T, C) float32`, in nats a text; 0 for a text too long."""
    steps = torch.full((len(lengths),), log_probs.shape[1], dtype=torch.int64)
    loss = nn.functional.ctc_loss(
        log_probs.transpose(0, 1),  # it wants (T, N, C)
        targets,
        steps,
        lengths,
        reduction="sum",
        zero_infinity=True,
    )
    return loss / len(lengths)
