"""A small network that starts from what matters most in a trained large one.

After Liu et al., "Learning Efficient Convolutional Networks through Network Slimming" (2017): whole
channels go, so that what is left is a plain smaller network. They rank channels by the scale of
their batch-norm; here by how much of what the next layer takes in comes through them, which needs
no data either. What is left reads little at first, and learns fast.
"""

from __future__ import annotations

import dataclasses
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crnn_edge.errors import CrnnError
from model.network.config import ModelConfig
from model.network.crnn import CRNN
from model.network.reparam import output_variance, with_branches, without_branches

NODES = 101
"""Points at which a normal distribution is sampled."""


@torch.no_grad()
def shrink(large: CRNN, config: ModelConfig) -> CRNN:
    """A network of a smaller shape, of those units of a trained one that do most.

    Args:
        large: The trained network; branches of its own are merged first.
        config: The smaller shape: nowhere wider, with as many layers, the same kernels and classes.

    Returns:
        The small one; of the large one's own shape, the same function.

    Raises:
        CrnnError: If something in `config` is larger than in `large`, or of another kind.
    """
    plain = dataclasses.replace(config, branches=False)
    merged, small = without_branches(large), CRNN(plain)
    _check(merged.config, plain)
    weights, inputs = {}, torch.arange(1)
    blocks, followers = _blocks(merged), _followers(merged)
    for block, follower, count in zip(blocks, followers, plain.channels, strict=True):
        keep = _best(_variances(block.norm) * follower, count)
        weights[f"{block.conv_name}.weight"] = block.conv.weight[keep][:, inputs]
        for name, value in block.norm.state_dict().items():
            weights[f"{block.norm_name}.{name}"] = value[keep] if value.shape else value
        inputs = keep
    for layer in range(plain.layers):
        kept, inputs = _layer(merged, layer, inputs, plain)
        weights |= kept
    small.load_state_dict(weights)
    return with_branches(small) if config.branches else small


@dataclasses.dataclass(frozen=True)
class _Block:
    conv_name: str
    conv: nn.Conv2d
    norm_name: str
    norm: nn.BatchNorm2d


def _check(old: ModelConfig, new: ModelConfig) -> None:
    for field in ("layers", "num_classes", "collapse", "backbone", "height", "stride"):
        if (was := getattr(old, field)) != (now := getattr(new, field)):
            raise CrnnError(f"{old.name} cannot shrink to {new.name}: {field} is {was}, not {now}")
    had, wanted = (*old.channels, old.hidden), (*new.channels, new.hidden)
    if len(had) != len(wanted) or any(a < b for a, b in zip(had, wanted, strict=True)):
        raise CrnnError(
            f"{old.name} cannot shrink to {new.name}: {new.channels} channels and {new.hidden} "
            f"units are not everywhere as few as {old.channels} and {old.hidden}, or fewer"
        )


def _blocks(model: CRNN) -> list[_Block]:
    """Convolutions in their order, each with the batch-norm behind it."""
    layers = list(model.backbone.named_children())
    found = [
        _Block(f"backbone.{one}", conv, f"backbone.{two}", norm)
        for (one, conv), (two, norm) in itertools.pairwise(layers)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]
    if [block.conv.out_channels for block in found] != list(model.config.channels):
        raise CrnnError(f"only a plain chain of convolutions shrinks, not {model.config.backbone}")
    return found


def _followers(model: CRNN) -> list[torch.Tensor]:
    """How strongly the next layer takes each channel of each convolution, squared."""
    found = []
    for block in _blocks(model)[1:]:
        weight = fuse_conv_bn_eval(block.conv, block.norm).weight
        found.append(weight.square().sum((0, 2, 3)))
    return [*found, _taken_in(model, 0)]


def _taken_in(model: CRNN, layer: int) -> torch.Tensor:
    """How strongly a BiLSTM takes each of its features, squared."""
    weights = model.lstms[layer].state_dict()
    ways = [weights["weight_ih_l0"], weights["weight_ih_l0_reverse"]]
    return torch.cat(ways).square().sum(0)


def _variances(norm: nn.BatchNorm2d) -> torch.Tensor:
    """The variance of each channel after its ReLU, if it is normal before, as batch-norm has it.

    Not its square: a channel that is always the same is a bias, which the next batch-norm drops.
    """
    spread = output_variance(norm).sqrt()
    middles = (torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES
    points = torch.special.ndtri(middles)  # of equal weight
    values = torch.relu(spread[:, None] * points + norm.bias[:, None])
    return values.var(1, correction=0).float()


def _layer(
    model: CRNN, layer: int, inputs: torch.Tensor, config: ModelConfig
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What is left of a BiLSTM and the linear layer behind it, and which outputs that has."""
    source = model.state_dict()
    lstm, linear = f"lstms.{layer}.", f"linears.{layer}."
    hidden, out = model.config.hidden, source[linear + "weight"]
    weights, columns = {}, []
    for way, end in enumerate(("l0", "l0_reverse")):
        recurrent = source[f"{lstm}weight_hh_{end}"]
        taken = torch.cat([out[:, way * hidden : (way + 1) * hidden], recurrent])
        keep = _best(taken.square().sum(0), config.hidden)
        rows = (torch.arange(4)[:, None] * hidden + keep).flatten()  # of all four gates
        weights[f"{lstm}weight_ih_{end}"] = source[f"{lstm}weight_ih_{end}"][rows][:, inputs]
        weights[f"{lstm}weight_hh_{end}"] = recurrent[rows][:, keep]
        for name in (f"{lstm}bias_ih_{end}", f"{lstm}bias_hh_{end}"):
            weights[name] = source[name][rows]
        columns.append(keep + way * hidden)
    outputs = torch.arange(len(out))
    if layer < config.layers - 1:
        outputs = _best(out.square().sum(1) * _taken_in(model, layer + 1), config.hidden)
    weights[linear + "weight"] = out[outputs][:, torch.cat(columns)]
    weights[linear + "bias"] = source[linear + "bias"][outputs]
    return weights, outputs


def _best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the highest scores, in order."""
    return scores.topk(count).indices.sort().values
