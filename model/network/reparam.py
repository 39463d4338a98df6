"""Structural re-parameterization: parallel branches that help training and are fused afterwards.

Ding et al., "RepVGG: Making VGG-style ConvNets Great Again" (2021): a 3×3 convolution trains better
with a 1×1 convolution and, where input and output channels are equal, an identity branch in
parallel, each followed by its own batch norm. In evaluation mode all branches are linear, so their
sum is one 3×3 convolution: exported files contain a plain network.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crnn_edge.errors import CrnnError


class RepVGGBlock(nn.Module):
    """A 3×3 convolution with its parallel branches: `(N, I, H, W)` to `(N, O, H, W)`."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, gain: float = 1.0) -> None:
        """Add newly initialized branches to a convolution and its batch norm.

        Args:
            conv: A 3×3 convolution with a padding of 1.
            norm: The batch norm that follows it.
            gain: Initial scale of the branches' batch norms; with 0 the branches contribute
                nothing until they are trained.
        """
        super().__init__()
        inputs, outputs = conv.in_channels, conv.out_channels
        self.conv, self.norm = conv, norm
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(outputs)
        self.identity = nn.BatchNorm2d(outputs) if inputs == outputs else None
        for branch_norm in filter(None, (self.point_norm, self.identity)):
            nn.init.constant_(branch_norm.weight, gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of all branches."""
        total: torch.Tensor = self.norm(self.conv(x)) + self.point_norm(self.point(x))
        return total if self.identity is None else total + self.identity(x)

    @torch.no_grad()
    def fuse(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """One convolution and one batch norm that together compute the same in evaluation mode.

        The block must be in evaluation mode. The batch norm is the identity function; its running
        mean and variance are those of its input, as far as the branches are uncorrelated, so that
        the fused network can be trained further.
        """
        conv = fuse_conv_bn_eval(self.conv, self.norm)  # a copy
        branches = [fuse_conv_bn_eval(self.point, self.point_norm)]
        norms = [self.norm, self.point_norm]
        if self.identity is not None:
            eye = copy.deepcopy(self.point)
            nn.init.dirac_(eye.weight)
            branches.append(fuse_conv_bn_eval(eye, self.identity))
            norms.append(self.identity)
        for branch in branches:
            conv.weight[:, :, 1:2, 1:2] += branch.weight
        biases = [part.bias for part in (conv, *branches) if part.bias is not None]  # all have one
        norm = copy.deepcopy(self.norm)
        norm.bias.copy_(torch.stack([one.bias for one in norms]).sum(0))
        norm.running_mean = norm.bias - torch.stack(biases).sum(0)
        norm.running_var = torch.stack([output_variance(one) for one in norms]).sum(0)
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        conv.bias = None
        return conv, norm


def output_variance(norm: nn.BatchNorm2d) -> torch.Tensor:
    """The variance of each channel after a batch norm, `(C,)`: its squared weight, but for epsilon.

    Raises:
        CrnnError: If the batch norm has no running statistics.
    """
    variance = norm.running_var
    if variance is None:
        raise CrnnError("a batch norm without running statistics cannot be fused or pruned")
    return norm.weight.square() * variance / (variance + norm.eps)


def add_reparam(backbone: nn.Module, gain: float = 1.0) -> None:
    """Replace each padded 3×3 convolution and its batch norm by a `RepVGGBlock`, in place.

    Raises:
        CrnnError: If the backbone has no such convolution.
    """
    for layers in sequences(backbone):
        replaced: list[nn.Module] = []
        for layer in layers:
            conv = replaced[-1] if replaced else None
            if isinstance(layer, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and _is_3x3(conv):
                replaced[-1] = RepVGGBlock(conv, layer, gain)
            else:
                replaced.append(layer)
        refill(layers, replaced)
    if not any(isinstance(module, RepVGGBlock) for module in backbone.modules()):
        raise CrnnError(
            "--reparam needs a padded 3x3 convolution followed by a batch norm; the backbone has "
            "none"
        )


def fuse_reparam(backbone: nn.Module) -> None:
    """Replace each `RepVGGBlock` by its fused convolution and batch norm, in place.

    The backbone must be in evaluation mode.
    """
    for layers in sequences(backbone):
        fused: list[nn.Module] = []
        for layer in layers:
            fused += layer.fuse() if isinstance(layer, RepVGGBlock) else [layer]
        refill(layers, fused)


def sequences(module: nn.Module) -> list[nn.Sequential]:
    """Every `nn.Sequential` inside a module."""
    return [part for part in module.modules() if isinstance(part, nn.Sequential)]


def refill(sequence: nn.Sequential, layers: list[nn.Module]) -> None:
    """Replace all layers of a sequence, in place."""
    del sequence[:]
    sequence.extend(layers)


def _is_3x3(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.padding, conv.stride, conv.dilation, conv.groups)
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
