"""Structured pruning: a small network of the most important channels of a trained large one.

After Liu et al., "Learning Efficient Convolutional Networks through Network Slimming" (2017): whole
channels are removed, so that the result is a plain smaller network. They rank channels by the scale
of the batch norm; here by the variance that each contributes to the input of the next layer, which
needs no data either. The result is not accurate at first, and recovers quickly with training.
"""

from __future__ import annotations

import dataclasses
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crnn_edge.errors import CrnnError
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import with_reparam, without_reparam
from model.network.reparam import output_variance

NODES = 101
"""Quadrature points of the normal distribution."""


@torch.no_grad()
def prune(large: CRNN, config: NetworkConfig) -> CRNN:
    """A smaller network of the most important channels and units of a trained one.

    Args:
        large: The trained network; its RepVGG branches are fused first.
        config: The smaller architecture: nowhere wider, with the same number of layers, kernels
            and classes.

    Returns:
        The small network. With the architecture of `large` it is the same function.

    Raises:
        CrnnError: If something in `config` is larger than in `large`, or differs in kind.
    """
    plain = dataclasses.replace(config, reparam=False)
    plain_large, small = without_reparam(large), CRNN(plain)
    _check(plain_large.config, plain)
    weights, inputs = {}, torch.arange(1)
    blocks, gains = _blocks(plain_large), _next_layer_gains(plain_large)
    for block, gain, count in zip(blocks, gains, plain.channels, strict=True):
        keep = _best(_variances(block.norm) * gain, count)
        weights[f"{block.conv_name}.weight"] = block.conv.weight[keep][:, inputs]
        for name, value in block.norm.state_dict().items():
            weights[f"{block.norm_name}.{name}"] = value[keep] if value.shape else value
        inputs = keep
    for layer in range(plain.lstm_layers):
        kept, inputs = _prune_lstm(plain_large, layer, inputs, plain)
        weights |= kept
    small.load_state_dict(weights)
    return with_reparam(small) if config.reparam else small


@dataclasses.dataclass(frozen=True)
class _Block:
    conv_name: str
    conv: nn.Conv2d
    norm_name: str
    norm: nn.BatchNorm2d


def _check(old: NetworkConfig, new: NetworkConfig) -> None:
    for field in ("lstm_layers", "num_classes", "final_kernel", "backbone", "height", "stride"):
        if (was := getattr(old, field)) != (now := getattr(new, field)):
            raise CrnnError(
                f"{old.name} cannot be pruned to {new.name}: {field} is {was}, not {now}"
            )
    had, wanted = (*old.channels, old.lstm_hidden), (*new.channels, new.lstm_hidden)
    if len(had) != len(wanted) or any(a < b for a, b in zip(had, wanted, strict=True)):
        raise CrnnError(
            f"{old.name} cannot be pruned to {new.name}: {new.channels} channels and "
            f"{new.lstm_hidden} hidden units are not all at most {old.channels} and "
            f"{old.lstm_hidden}"
        )


def _blocks(model: CRNN) -> list[_Block]:
    """The convolutions in order, each with the batch norm after it."""
    layers = list(model.backbone.named_children())
    blocks = [
        _Block(f"backbone.{one}", conv, f"backbone.{two}", norm)
        for (one, conv), (two, norm) in itertools.pairwise(layers)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]
    if [block.conv.out_channels for block in blocks] != list(model.config.channels):
        raise CrnnError(
            f"cannot prune backbone {model.config.backbone!r}: it is not a plain chain of "
            "convolutions with batch norms"
        )
    return blocks


def _next_layer_gains(model: CRNN) -> list[torch.Tensor]:
    """For each convolution, the squared gain of the next layer for each of its channels."""
    gains = []
    for block in _blocks(model)[1:]:
        weight = fuse_conv_bn_eval(block.conv, block.norm).weight
        gains.append(weight.square().sum((0, 2, 3)))
    return [*gains, _lstm_gains(model, 0)]


def _lstm_gains(model: CRNN, layer: int) -> torch.Tensor:
    """The squared gain of a BiLSTM for each of its input features."""
    weights = model.lstms[layer].state_dict()
    directions = [weights["weight_ih_l0"], weights["weight_ih_l0_reverse"]]
    return torch.cat(directions).square().sum(0)


def _variances(norm: nn.BatchNorm2d) -> torch.Tensor:
    """The variance of each channel after its ReLU, assuming that its input is normal.

    Not the second moment: a constant channel is a bias, which the next batch norm removes.
    """
    deviation = output_variance(norm).sqrt()
    quantiles = (torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES
    points = torch.special.ndtri(quantiles)  # of equal weight
    values = torch.relu(deviation[:, None] * points + norm.bias[:, None])
    return values.var(1, correction=0).float()


def _prune_lstm(
    model: CRNN, layer: int, inputs: torch.Tensor, config: NetworkConfig
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The kept weights of a BiLSTM and the linear layer after it, and the kept output indices."""
    source = model.state_dict()
    lstm, linear = f"lstms.{layer}.", f"linears.{layer}."
    hidden, out = model.config.lstm_hidden, source[linear + "weight"]
    weights, columns = {}, []
    for direction, end in enumerate(("l0", "l0_reverse")):
        recurrent = source[f"{lstm}weight_hh_{end}"]
        outgoing = torch.cat([out[:, direction * hidden : (direction + 1) * hidden], recurrent])
        keep = _best(outgoing.square().sum(0), config.lstm_hidden)
        rows = (torch.arange(4)[:, None] * hidden + keep).flatten()  # of all four gates
        weights[f"{lstm}weight_ih_{end}"] = source[f"{lstm}weight_ih_{end}"][rows][:, inputs]
        weights[f"{lstm}weight_hh_{end}"] = recurrent[rows][:, keep]
        for name in (f"{lstm}bias_ih_{end}", f"{lstm}bias_hh_{end}"):
            weights[name] = source[name][rows]
        columns.append(keep + direction * hidden)
    outputs = torch.arange(len(out))
    if layer < config.lstm_layers - 1:
        outputs = _best(out.square().sum(1) * _lstm_gains(model, layer + 1), config.lstm_hidden)
    weights[linear + "weight"] = out[outputs][:, torch.cat(columns)]
    weights[linear + "bias"] = source[linear + "bias"][outputs]
    return weights, outputs


def _best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the highest scores, in order."""
    return scores.topk(count).indices.sort().values
