"""Lowering of a trained network to the layer IR, for formats that we write without a converter."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from crnn_edge.errors import CrnnError
from crnn_edge.layer_ir import LSTM, Conv, Layer, Linear, MaxPool, Pair, ReLU
from crnn_edge.types import FloatArray
from model.network.crnn import CRNN
from model.network.fusion import fused


class UnknownLayerError(CrnnError, TypeError):
    """A layer that the layer IR cannot express."""


def lower_model(model: CRNN) -> list[Layer]:
    """The layers of a network, with batch-norm fused into the convolutions.

    Raises:
        UnknownLayerError: If its backbone is not a chain of convolutions, ReLUs and max-poolings.
    """
    fused_model = fused(model)
    layers = [_lower(layer) for layer in _chain(fused_model.backbone)]
    for lstm, linear in zip(fused_model.lstms, fused_model.linears, strict=True):
        layers += [_lower(lstm), _lower(linear)]
    return layers


def _chain(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _chain(child)
    elif not isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        yield module


def _lower(layer: nn.Module) -> Layer:
    match layer:
        case nn.Conv2d(groups=1, dilation=(1, 1), padding_mode="zeros") if not isinstance(
            layer.padding, str
        ):
            bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
            return Conv(_array(layer.weight), _array(bias), _pair(layer.stride),
                        _pair(layer.padding))  # fmt: skip
        case nn.ReLU():
            return ReLU()
        case nn.MaxPool2d(dilation=1, ceil_mode=False):
            return MaxPool(_pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding))
        case nn.LSTM(num_layers=1, bias=True, batch_first=True, proj_size=0):
            ends = ("", "_reverse")[: 2 if layer.bidirectional else 1]
            ih, hh, b_ih, b_hh = (
                _array(torch.stack([getattr(layer, f"{name}_l0{end}") for end in ends]))
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            return LSTM(ih, hh, b_ih + b_hh)
        case nn.Linear() if layer.bias is not None:
            return Linear(_array(layer.weight), _array(layer.bias))
    raise UnknownLayerError(
        f"cannot write {layer} in this format: expected plain convolutions, ReLU, max-pooling, "
        "LSTM or linear layers. Use `python -m export.onnx`"
    )


def _array(tensor: torch.Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().float().numpy().copy()
    return array


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
