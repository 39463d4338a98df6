"""Net2Net growth: a large network that starts from the weights of a small one.

After Chen, Goodfellow & Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (2016).
They copy units. Here the additional units are initialized at random, and the weights from them to
the old units are zero: the old units compute what they did before, and the new ones differ from
each other from the first step on.
"""

from __future__ import annotations

import dataclasses

import torch

from crnn_edge.errors import CrnnError
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import with_reparam

SCALE = 0.1
"""Scales logits into the range where tanh is almost linear."""


def grow(small: CRNN, config: NetworkConfig) -> CRNN:
    """A larger network that contains a trained one.

    With the same number of BiLSTM layers and the same final kernel, its logits are those of
    `small`. Each additional BiLSTM layer initially passes the logits on, compressed but in the same
    order, so that the greedy result is the same. A wider final kernel uses the old columns, of
    which there is one less.

    Args:
        small: The trained network.
        config: The larger architecture: nowhere narrower, with the same backbone, and with
            `reparam` if `small` has it.

    Raises:
        CrnnError: If something in `config` is smaller than in `small`, if a branch of `small` has
            no counterpart, or if the backbone, height, stride or classes differ.
    """
    for field in ("backbone", "height", "stride", "num_classes"):
        if (was := getattr(small.config, field)) != (now := getattr(config, field)):
            raise CrnnError(
                f"{small.config.name} cannot grow into {config.name}: {field} is {was}, not {now}"
            )
    plain = dataclasses.replace(config, reparam=False)
    if config.reparam and not small.config.reparam:
        return with_reparam(grow(small, plain))
    # New branches that the small network lacks must not change what its units compute.
    large = with_reparam(CRNN(plain)) if config.reparam else CRNN(plain)
    weights = large.state_dict()
    for name, old in small.state_dict().items():
        if name not in weights:
            raise CrnnError(
                f"{small.config.name} cannot grow into {config.name}: {name} has no counterpart"
            )
        if not old.shape:  # number of batches of a batch norm
            continue
        units, source = _by_unit(name, old, small.config.lstm_hidden)
        _, target = _by_unit(name, weights[name], config.lstm_hidden)
        if any(a > b for a, b in zip(source.shape, target.shape, strict=True)):
            raise CrnnError(
                f"{small.config.name} cannot grow into {config.name}: {name} is "
                f"{tuple(old.shape)} there and {tuple(weights[name].shape)} here"
            )
        target.narrow(units, 0, source.shape[units]).zero_()
        target[tuple(slice(size) for size in source.shape)] = source
    for layer in range(small.config.lstm_layers, config.lstm_layers):
        _pass_on(weights, layer, config.lstm_hidden, small.config.num_classes)
    return large


def _pass_on(weights: dict[str, torch.Tensor], layer: int, hidden: int, count: int) -> None:
    """Make the first `count` outputs of a layer monotonic functions of the layer before.

    A unit with open input and output gates and a closed forget gate computes `tanh(tanh(x))`, which
    increases with x. The input is scaled down to where this is almost x, and scaled up again
    afterwards: with inputs of the order of 10, an optimizer with equal step sizes for all weights
    (Adam) would destroy the layer before it has learned anything. Each direction carries one half,
    because a single large weight among many small ones loses most precision in INT8.
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
    """The axis of a weight's units, and a view of the weight that separates gates or directions."""
    if name.startswith("lstms."):  # (4 gates x hidden, …)
        return 1, tensor.view(4, hidden, *tensor.shape[1:])
    if name.startswith("linears.") and tensor.ndim == 2:  # (units, 2 directions x hidden)
        return 0, tensor.view(-1, 2, hidden)
    return 0, tensor
