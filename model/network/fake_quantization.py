"""Fake quantization: a network computes as its INT8 file will, while it is trained in float.

Rounding has no useful gradient; the straight-through estimator uses that of the identity function
(Bengio et al. 2013; Jacob et al. 2018).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from model.network.crnn import CRNN

WEIGHT_LEVELS = 64
"""The largest quantized value of a convolution's weight: seven bits, as in `quantize.onnx`."""

_ACTIVATION_LEVELS = 255  # the largest uint8 value
_MIN_SCALE = 1e-30  # of a channel or tensor that is all zero


class FakeQuantized(nn.Module):
    """A network as its INT8 file computes it; the network itself is not changed.

    The weights of all convolutions but the first are rounded with one scale per output channel, and
    the output of each ReLU over the range of the batch. With a scale per channel, rounding before
    batch-norm fusion is the same as rounding after it, so nothing is fused and the trained network
    remains an ordinary checkpoint. LSTM and linear layers, whose activation ranges are computed at
    run time, stay in float.
    """

    def __init__(self, model: CRNN, levels: int = WEIGHT_LEVELS) -> None:
        """Wrap a network.

        Args:
            model: The network, without RepVGG branches: INT8 files contain their rounded sum.
            levels: Weights are rounded to integers from `-levels` to `levels`.
        """
        super().__init__()
        self.model = model
        self.levels = levels
        convolutions = [
            f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Conv2d)
        ]
        self._weights = convolutions[1:] or convolutions
        self._relus = [m for m in model.backbone.modules() if isinstance(m, nn.ReLU)]

    def train(self, mode: bool = True) -> FakeQuantized:
        """Change the mode of all but batch norms, which keep their running statistics."""
        super().train(mode)
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Logits `(N, T, C)` of a batch `(N, 1, H, W)`."""
        weights = {
            name: fake_quantize_weight(self.model.get_parameter(name), self.levels)
            for name in self._weights
        }
        hooks = [relu.register_forward_hook(_quantize_output) for relu in self._relus]
        try:
            logits: torch.Tensor = functional_call(self.model, weights, (tensor,))
        finally:
            for hook in hooks:
                hook.remove()
        return logits


def fake_quantize_weight(weight: torch.Tensor, levels: int = WEIGHT_LEVELS) -> torch.Tensor:
    """A convolution's weight `(O, I, H, W)` rounded to `2 levels + 1` values per output channel."""
    scale = weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=_MIN_SCALE) / levels
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -levels, levels)


def fake_quantize_activation(x: torch.Tensor) -> torch.Tensor:
    """A tensor rounded to 256 values over its own range, one of which is 0."""
    low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
    scale = ((high - low) / _ACTIVATION_LEVELS).clamp(min=_MIN_SCALE)
    zero = (-low / scale).round().int()
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, _ACTIVATION_LEVELS)


def _quantize_output(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return fake_quantize_activation(output)
