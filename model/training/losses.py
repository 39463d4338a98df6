"""The losses of a run: CTC, and optionally distillation."""

from __future__ import annotations

import torch
from torch import nn

from crnn_edge.charset import BLANK
from model.training.distill import Teacher

_IMPOSSIBLE = -1e4  # log-probability of a class that cannot occur; finite, so that no NaN arises


class TrainingLoss(nn.Module):
    """A batch to its losses: the network and its losses in one module.

    DistributedDataParallel only averages gradients of the module that it wraps.
    """

    def __init__(
        self, network: nn.Module, teacher: Teacher | None, dtype: torch.dtype | None
    ) -> None:
        """Put the network and its losses together.

        Args:
            network: The network that is trained, or a module that calls it.
            teacher: The network that it is distilled from.
            dtype: What the network computes in under autocast; None for float32.
        """
        super().__init__()
        self.network, self.teacher, self.dtype = network, teacher, dtype

    def forward(
        self,
        tensor: torch.Tensor,
        targets: torch.Tensor,
        lengths: torch.Tensor,
        unlabelled: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The CTC loss as `loss`, and that of the `teacher` if there is one: nats per text.

        Args:
            tensor: Images, `(N, 1, H, W) float32`.
            targets: Class ids, one text after the other, `(sum of lengths,) int64`.
            lengths: Tokens of each text, `(N,) int64`, on the CPU.
            unlabelled: Classes that each image may show and its label leaves out, `(N, C) bool`;
                None for none.
        """
        targets = targets.to(tensor.device)
        losses = {}
        with torch.autocast(
            tensor.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None
        ):
            logits = self.network(tensor)  # (N, T, C)
        log_probs = logits.float().log_softmax(-1)
        if self.teacher:
            losses["teacher"] = self.teacher.loss(tensor, log_probs)
        if unlabelled is not None and unlabelled.any():
            log_probs = count_as_blank(log_probs, unlabelled.to(log_probs.device))
        return {"loss": ctc_loss(log_probs, targets, lengths), **losses}


def count_as_blank(log_probs: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
    """Count unlabelled characters as blank, so that they are neither rewarded nor penalized.

    Args:
        log_probs: `(N, T, C) float32`.
        unlabelled: Which classes those are, `(N, C) bool`; neither the blank nor classes of the
            texts.

    Returns:
        `(N, T, C) float32`: the blank has the sum of their probabilities, and they have none.
    """
    silent = unlabelled.clone()
    silent[:, BLANK] = True
    blank = log_probs.masked_fill(~silent[:, None], -torch.inf).logsumexp(-1, keepdim=True)
    rest = log_probs.masked_fill(unlabelled[:, None], _IMPOSSIBLE)
    return torch.cat([rest[..., :BLANK], blank, rest[..., BLANK + 1 :]], dim=-1)


def ctc_loss(log_probs: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The CTC loss of `log_probs (N, T, C) float32`, in nats per text.

    A text that does not fit into T time steps contributes 0.
    """
    steps = torch.full((len(lengths),), log_probs.shape[1], dtype=torch.int64)
    loss = nn.functional.ctc_loss(
        log_probs.transpose(0, 1),  # it expects (T, N, C)
        targets,
        steps,
        lengths,
        reduction="sum",
        zero_infinity=True,
    )
    return loss / len(lengths)
