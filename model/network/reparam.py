"""Branches beside a network's convolutions: they help training, and merge into them afterwards.

Ding et al., "RepVGG: Making VGG-style ConvNets Great Again" (2021): a 3x3 convolution learns more
with a 1x1 convolution and, where it gives as many channels as it takes, its own input beside it,
each with a batch-norm of its own. In evaluation all of them are linear, so that their sum is one
3x3 convolution: what is exported, and what a device runs, is the network without branches.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crnn_edge.errors import CrnnError

if TYPE_CHECKING:
    from model.network.crnn import CRNN


class Branched(nn.Module):
    """A convolution, its batch-norm and their branches: `(N, I, H, W)` to `(N, O, H, W)`."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, gain: float = 1.0) -> None:
        """Put fresh branches beside what is there.

        Args:
            conv: A 3x3 convolution with a padding of 1.
            norm: The batch-norm behind it.
            gain: What the branches' batch-norms scale by: with 0 they add nothing until trained.
        """
        super().__init__()
        inputs, outputs = conv.in_channels, conv.out_channels
        self.conv, self.norm = conv, norm
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(outputs)
        self.identity = nn.BatchNorm2d(outputs) if inputs == outputs else None
        for side in filter(None, (self.point_norm, self.identity)):
            nn.init.constant_(side.weight, gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of all branches."""
        total: torch.Tensor = self.norm(self.conv(x)) + self.point_norm(self.point(x))
        return total if self.identity is None else total + self.identity(x)

    @torch.no_grad()
    def merged(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """A convolution and a batch-norm that, one after the other, do the same in evaluation.

        For a module in evaluation mode. The batch-norm changes nothing, but has the mean of what it
        is given and, as far as branches are uncorrelated, the variance: it may be trained further.
        """
        conv = fuse_conv_bn_eval(self.conv, self.norm)  # a copy
        sides = [fuse_conv_bn_eval(self.point, self.point_norm)]
        norms = [self.norm, self.point_norm]
        if self.identity is not None:
            eye = copy.deepcopy(self.point)
            nn.init.dirac_(eye.weight)
            sides.append(fuse_conv_bn_eval(eye, self.identity))
            norms.append(self.identity)
        for side in sides:
            conv.weight[:, :, 1:2, 1:2] += side.weight
        biases = [part.bias for part in (conv, *sides) if part.bias is not None]  # all have one
        norm = copy.deepcopy(self.norm)
        norm.bias.copy_(torch.stack([one.bias for one in norms]).sum(0))
        norm.running_mean = norm.bias - torch.stack(biases).sum(0)
        norm.running_var = torch.stack([output_variance(one) for one in norms]).sum(0)
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        conv.bias = None
        return conv, norm


def output_variance(norm: nn.BatchNorm2d) -> torch.Tensor:
    """How much each channel varies behind a batch-norm: its weight squared, but for epsilon."""
    statistics = norm.running_var
    if statistics is None:
        raise CrnnError("a batch-norm without statistics cannot tell how much its channels vary")
    return norm.weight.square() * statistics / (statistics + norm.eps)


def add_branches(backbone: nn.Module, gain: float = 1.0) -> None:
    """Put branches beside each padded 3x3 convolution that a batch-norm follows, in place.

    Raises:
        CrnnError: If there is none.
    """
    for layers in _sequences(backbone):
        kept: list[nn.Module] = []
        for layer in layers:
            conv = kept[-1] if kept else None
            if isinstance(layer, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and _plain(conv):
                kept[-1] = Branched(conv, layer, gain)
            else:
                kept.append(layer)
        refill(layers, kept)
    if not any(isinstance(module, Branched) for module in backbone.modules()):
        raise CrnnError("no padded 3x3 convolution with a batch-norm to put branches beside")


def with_branches(model: CRNN) -> CRNN:
    """A copy with branches that add nothing yet; a network that has branches is given back."""
    if model.config.branches:
        return model
    copied = copy.deepcopy(model)
    copied.config = dataclasses.replace(model.config, branches=True)
    add_branches(copied.backbone, gain=0.0)
    return copied.train(model.training)


def without_branches(model: CRNN) -> CRNN:
    """A copy in evaluation mode whose branches are merged: the same function there.

    In training it is about the same function, too: see `Branched.merged`.
    """
    copied = copy.deepcopy(model).eval()
    copied.config = dataclasses.replace(model.config, branches=False)
    for layers in _sequences(copied.backbone):
        kept: list[nn.Module] = []
        for layer in layers:
            kept += layer.merged() if isinstance(layer, Branched) else [layer]
        refill(layers, kept)
    return copied


def _plain(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.padding, conv.stride, conv.dilation, conv.groups)
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)


def _sequences(backbone: nn.Module) -> list[nn.Sequential]:
    return [module for module in backbone.modules() if isinstance(module, nn.Sequential)]


def refill(layers: nn.Sequential, kept: list[nn.Module]) -> None:
    """Give a sequence other layers, in place."""
    del layers[:]
    layers.extend(kept)
