"""Everything a training run needs to go on exactly where it stopped, in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import Manifest
from model.network.checkpoint import difference
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors, write_safetensors


class Ema:
    """An exponential moving average of a model's weights (Polyak & Juditsky 1992).

    The decay warms up, so that the first weights are forgotten quickly; buffers (batch-norm's
    statistics, averages already) are copied.
    """

    def __init__(self, model: CRNN, decay: float) -> None:
        """Start from the weights of `model`."""
        self.decay = decay
        self.model = CRNN(model.config).to(next(model.parameters()).device).eval()
        self.model.load_state_dict(model.state_dict())

    @torch.no_grad()
    def update(self, model: CRNN, step: int) -> None:
        """Move towards the weights of `model` after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)


@dataclass
class TrainState:
    """A run in progress: weights, their average, what moves them, and where in the run it is."""

    model: CRNN
    ema: Ema
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)
    """Losses of the steps since the last that `history` has."""

    def save(self, path: Path, settings: dict[str, Any], manifest: Manifest) -> None:
        """Write the state atomically, with the run's settings and its network's manifest."""
        optimizer = self.optimizer.state_dict()
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"ema/{k}": v for k, v in self.ema.model.state_dict().items()}
        for index, state in optimizer["state"].items():
            tensors |= {f"optimizer/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
        metadata = {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "pending": self.pending,
            "settings": settings,
            "param_groups": optimizer["param_groups"],
            "scaler": self.scaler.state_dict(),
        }
        write_safetensors(
            path,
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
            {k: json.dumps(v) for k, v in metadata.items()} | {"manifest": manifest.to_json()},
        )

    def load(self, path: Path, manifest: Manifest) -> None:
        """Take over the state in `path`.

        Args:
            path: The file.
            manifest: What the network is now, by the files that the run started from.

        Raises:
            ModelFileError: If it is missing, cut, or of another model or optimizer; or if its
                network saw or said something else.
        """
        tensors, metadata = read_safetensors(path)
        if "manifest" in metadata:  # earlier versions kept none
            then = Manifest.from_json(metadata["manifest"], str(path))
            if told := difference(then, manifest):
                raise ModelFileError(
                    f"cannot resume from {path}: {told}. What the run was started with, such as a "
                    "file of tokens, is no longer what it was"
                )
        groups: dict[str, dict[str, torch.Tensor]] = {"model": {}, "ema": {}, "optimizer": {}}
        for key, value in tensors.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = value
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in groups["optimizer"].items():
            index, _, key = name.partition("/")
            state.setdefault(int(index), {})[key] = value
        try:
            self.model.load_state_dict(groups["model"])
            self.ema.model.load_state_dict(groups["ema"])
            param_groups = json.loads(metadata["param_groups"])
            self.optimizer.load_state_dict({"state": state, "param_groups": param_groups})
            self.scaler.load_state_dict(json.loads(metadata["scaler"]))
            self.step = json.loads(metadata["step"])
            self.seconds = json.loads(metadata["seconds"])
            self.history = json.loads(metadata["history"])
            self.pending = json.loads(metadata.get("pending", "[]"))  # earlier versions: lost
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelFileError(f"cannot resume from {path}: {error}") from None


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that the run in `path` was started with.

    Raises:
        ModelFileError: If the file is no training state.
    """
    _, metadata = read_safetensors(path)
    if "settings" not in metadata:
        raise ModelFileError(f"{path} is no training state: resume from a run's last.safetensors")
    settings: dict[str, Any] = json.loads(metadata["settings"])
    return settings
