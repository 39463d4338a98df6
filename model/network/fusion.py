"""Functions of a whole network that change its layers but not what it computes."""

from __future__ import annotations

import copy
import dataclasses

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.network.crnn import CRNN
from model.network.reparam import add_reparam, fuse_reparam, refill, sequences


def with_reparam(model: CRNN) -> CRNN:
    """A copy with RepVGG branches that contribute nothing yet.

    A network that has them already is returned itself.

    Raises:
        CrnnError: If its backbone has no padded 3×3 convolution with a batch norm.
    """
    if model.config.reparam:
        return model
    copied = copy.deepcopy(model)
    copied.config = dataclasses.replace(model.config, reparam=True)
    add_reparam(copied.backbone, gain=0.0)
    return copied.train(model.training)


def without_reparam(model: CRNN) -> CRNN:
    """A copy in evaluation mode whose RepVGG branches are fused: the same function.

    In training mode it is nearly the same function, too: see `RepVGGBlock.fuse`.
    """
    copied = copy.deepcopy(model).eval()
    copied.config = dataclasses.replace(model.config, reparam=False)
    fuse_reparam(copied.backbone)
    return copied


def fused(model: CRNN) -> CRNN:
    """A copy in evaluation mode whose branches and batch norms are fused into its convolutions.

    The copy computes the same function up to float rounding.
    """
    copied = without_reparam(model)
    for layers in sequences(copied):
        fuse_conv_bn(layers)
    return copied


def fuse_conv_bn(layers: nn.Sequential) -> None:
    """Replace each convolution and the batch norm after it by one convolution, in place.

    The layers must be in evaluation mode.
    """
    kept: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d) and kept and isinstance(kept[-1], nn.Conv2d):
            kept[-1] = fuse_conv_bn_eval(kept[-1], layer)
        else:
            kept.append(layer)
    refill(layers, kept)


def num_parameters(model: CRNN) -> int:
    """Number of parameters of the exported network, with branches and batch norms fused."""
    return sum(parameter.numel() for parameter in fused(model).parameters())
