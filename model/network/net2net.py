"""A large network that starts from what a small one has learnt.

After Chen, Goodfellow & Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (2016).
They copy units; here the additional ones start at random, and what the old units would take from
them starts at zero. The old units compute what they did before, and the new ones differ from each
other from the first step on.
"""

from __future__ import annotations

import dataclasses

import torch

from crnn_edge.errors import CrnnError
from model.network.config import ModelConfig
from model.network.crnn import CRNN
from model.network.reparam import with_branches

SCALE = 0.1
"""What brings logits into the range where a hyperbolic tangent is almost a straight line."""


def grow(small: CRNN, config: ModelConfig) -> CRNN:
    """A network of a larger shape around a trained one.

    With as many BiLSTM layers and the same last kernel, its logits are those of `small`. Each
    further BiLSTM layer starts by handing them on, compressed, in the order that they had: the
    greedy reading is the same. A wider last kernel sees its old columns, one step fewer of them.

    Args:
        small: The trained network.
        config: The larger shape: nowhere narrower, with the same backbone, and with
            branches if `small` has any.

    Raises:
        CrnnError: If something in `config` is smaller than in `small`, or leaves no place for one
            of its branches, or if it sees something else.
    """
    for field in ("backbone", "height", "stride", "num_classes"):
        if (was := getattr(small.config, field)) != (now := getattr(config, field)):
            raise CrnnError(
                f"{small.config.name} cannot grow into {config.name}: {field} is {was}, not {now}"
            )
    plain = dataclasses.replace(config, branches=False)
    if config.branches and not small.config.branches:
        return with_branches(grow(small, plain))
    # Fresh branches that the small one lacks must add nothing to what its units compute.
    large = with_branches(CRNN(plain)) if config.branches else CRNN(plain)
    weights = large.state_dict()
    for name, old in small.state_dict().items():
        if name not in weights:
            raise CrnnError(f"{small.config.name} cannot grow into {config.name}: it has {name}")
        if not old.shape:  # batch-norm's count of batches
            continue
        units, source = _by_unit(name, old, small.config.hidden)
        _, target = _by_unit(name, weights[name], config.hidden)
        if any(a > b for a, b in zip(source.shape, target.shape, strict=True)):
            raise CrnnError(
                f"{small.config.name} cannot grow into {config.name}: {name} is "
                f"{tuple(old.shape)} there and {tuple(weights[name].shape)} here"
            )
        target.narrow(units, 0, source.shape[units]).zero_()
        target[tuple(slice(size) for size in source.shape)] = source
    for layer in range(small.config.layers, config.layers):
        _hand_on(weights, layer, config.hidden, small.config.num_classes)
    return large


def _hand_on(weights: dict[str, torch.Tensor], layer: int, hidden: int, count: int) -> None:
    """Let a layer's first `count` outputs follow those of the layer before, each one its own.

    A unit with its input and output gates open and its forget gate shut computes `tanh(tanh(x))`,
    which grows with x. What comes in is scaled down to where that is almost x, and scaled up again
    behind: with inputs of the order of 10, optimizers with steps of one size for all weights
    (Adam) would wreck the layer before it has learnt anything. Both directions carry a half, so
    that no weight is twice as large as it must be: one large among many small ones is what INT8
    does worst.
    """
    for end in ("l0", "l0_reverse"):
        gates = {  # in torch's order: input, forget, cell, output
            name: _by_unit(f"lstms.{layer}.", weights[f"lstms.{layer}.{name}_{end}"], hidden)[1]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        for part in gates.values():
            part[:, :count] = 0
        gates["weight_ih"][2, :count, :count] = torch.eye(count)
        gates["bias_ih"][:, :count] = torch.tensor([3.0, -3.0, 0.0, 3.0])[:, None]
    for name in ("weight", "bias"):
        weights[f"linears.{layer - 1}.{name}"][:count] *= SCALE
        weights[f"linears.{layer}.{name}"][:count] = 0
    _, units = _by_unit("linears.", weights[f"linears.{layer}.weight"], hidden)
    units[:count, :, :count] = torch.eye(count)[:, None] / (2 * SCALE)


def _by_unit(name: str, tensor: torch.Tensor, hidden: int) -> tuple[int, torch.Tensor]:
    """The axis of a weight's units, and a view of it in which units of one kind lie together."""
    if name.startswith("lstms."):  # (4 gates x hidden, …)
        return 1, tensor.view(4, hidden, *tensor.shape[1:])
    if name.startswith("linears.") and tensor.ndim == 2:  # (units, 2 directions x hidden)
        return 0, tensor.view(-1, 2, hidden)
    return 0, tensor
