"""The CRNN: convolutions make columns, a BiLSTM reads them, a linear layer names them.

Shi, Bai & Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition and
Its Application to Scene Text Recognition" (2015). Built of convolution, ReLU, max-pooling, LSTM
and linear alone, so that every converter and every engine supports it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.network.backbones import build_backbone
from model.network.config import ModelConfig
from model.network.reparam import refill, without_branches


class CRNN(nn.Module):
    """`(N, 1, H, W) float32` to logits `(N, T, C) float32`, T = W / stride."""

    def __init__(self, config: ModelConfig) -> None:
        """Build with fresh weights; `config` alone decides the shape."""
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)
        lstms, linears = [], []
        features = config.channels[-1]
        for layer in range(config.layers):
            last = layer == config.layers - 1
            lstms.append(nn.LSTM(features, config.hidden, bidirectional=True, batch_first=True))
            features = config.num_classes if last else config.hidden
            linears.append(nn.Linear(2 * config.hidden, features))
        self.lstms = nn.ModuleList(lstms)
        self.linears = nn.ModuleList(linears)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Logits `(N, T, C)` of a batch `(N, 1, H, W)`."""
        columns: torch.Tensor = self.backbone(tensor)  # (N, F, 1, T)
        x = columns.squeeze(2).transpose(1, 2)  # (N, T, F)
        for lstm, linear in zip(self.lstms, self.linears, strict=True):
            x = linear(lstm(x)[0])
        return x

    def num_parameters(self) -> int:
        """Weights of the network that is exported: branches and batch-norm folded away."""
        return sum(p.numel() for p in self.folded().parameters())

    def folded(self) -> CRNN:
        """A copy in evaluation mode whose branches and batch-norms are in its convolutions.

        The copy computes the same function (up to float rounding) with convolutions alone.
        """
        model = without_branches(self)
        for parent in list(model.modules()):
            if isinstance(parent, nn.Sequential):
                _fold(parent)
        return model


def _fold(layers: nn.Sequential) -> None:
    """Replace each convolution that a batch-norm follows by their product, in place."""
    kept: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d) and kept and isinstance(kept[-1], nn.Conv2d):
            kept[-1] = fuse_conv_bn_eval(kept[-1], layer)
        else:
            kept.append(layer)
    refill(layers, kept)
