"""The CRNN: convolutions make columns of features, a BiLSTM reads them, a linear layer classifies.

Shi, Bai & Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition and
Its Application to Scene Text Recognition" (2015). Built of convolution, ReLU, max pooling, LSTM
and linear layers alone, so that every converter and every engine supports it.
"""

from __future__ import annotations

import torch
from torch import nn

from model.network.backbones import build_backbone
from model.network.config import NetworkConfig


class CRNN(nn.Module):
    """`(N, 1, H, W) float32` to logits `(N, T, C) float32`, T = W / stride."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build the network that `config` describes, with newly initialized weights."""
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)
        lstms, linears = [], []
        features, hidden = config.channels[-1], config.lstm_hidden
        for layer in range(config.lstm_layers):
            last = layer == config.lstm_layers - 1
            lstms.append(nn.LSTM(features, hidden, bidirectional=True, batch_first=True))
            features = config.num_classes if last else hidden
            linears.append(nn.Linear(2 * hidden, features))
        self.lstms = nn.ModuleList(lstms)
        self.linears = nn.ModuleList(linears)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Logits `(N, T, C)` of a batch `(N, 1, H, W)`."""
        columns: torch.Tensor = self.backbone(tensor)  # (N, F, 1, T)
        x = columns.squeeze(2).transpose(1, 2)  # (N, T, F)
        for lstm, linear in zip(self.lstms, self.linears, strict=True):
            x = linear(lstm(x)[0])
        return x
