"""Weight averaging: the mean of one run's weights at several of its steps.

Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (2018): the
mean of weights along a training trajectory is often more accurate than its last point.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from crnn_edge.errors import CrnnError
from crnn_edge.manifest import Manifest
from model.network.bundled import find_checkpoint
from model.network.checkpoint import Checkpoint, difference
from model.network.safetensors_file import read_safetensors

log = logging.getLogger("crnn_edge")


def average(first: Checkpoint, others: Sequence[Path]) -> None:
    """Replace the weights of a network by the mean of several networks' weights.

    Args:
        first: A checkpoint; its model is changed.
        others: Checkpoints of the same architecture, or training states (`last.safetensors`), of
            which the averaged weights are used.

    Raises:
        CrnnError: If a file is damaged, or its network has another architecture, charset, stride or
            preprocessing.
    """
    sums = {name: value.double() for name, value in first.model.state_dict().items()}
    for path in map(find_checkpoint, others):
        tensors, metadata = read_safetensors(path)
        if "manifest" in metadata:
            manifest = Manifest.from_json(metadata["manifest"], str(path))
            if detail := difference(manifest, first.manifest):
                raise CrnnError(f"cannot average {path} with {first.path}: {detail}")
        else:
            log.warning("%s has no manifest: assuming the charset of %s", path, first.path)
        state = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        weights = state or tensors
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in sums.items()}:
            raise CrnnError(f"cannot average {path} with {first.path}: the networks differ")
        for name in sums:
            sums[name] += weights[name].double()
    count = 1 + len(others)
    first.model.load_state_dict({k: (v / count).to(torch.float32) for k, v in sums.items()})
