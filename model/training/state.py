"""The state of a training run: all that is needed to continue it exactly, in one file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import Manifest
from model.network.checkpoint import difference
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors, write_safetensors
from model.training.config import TrainConfig


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
    """A run in progress: weights, their moving average, the optimizer, and the progress.

    Attributes:
        model: The network.
        ema: The moving average of its weights.
        optimizer: Updates the weights.
        scaler: Scales the gradients of fp16.
        step: Steps done.
        seconds: Training time.
        history: Entries of the log.
        unlogged_losses: Losses of the steps since the last entry of `history`.
    """

    model: CRNN
    ema: Ema
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    unlogged_losses: list[dict[str, float]] = field(default_factory=list)

    def non_finite(self) -> str:
        """The name of a weight that is not finite; empty if there is none."""
        for prefix, model in (("", self.model), ("average of ", self.ema.model)):
            for name, value in model.state_dict().items():
                if value.is_floating_point() and not torch.isfinite(value).all():
                    return prefix + name
        return ""

    def save(self, path: Path, config: TrainConfig, manifest: Manifest) -> None:
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
            "unlogged_losses": self.unlogged_losses,
            "param_groups": optimizer["param_groups"],
            "scaler": self.scaler.state_dict(),
        }
        write_safetensors(
            path,
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
            {k: json.dumps(v) for k, v in metadata.items()}
            | {"settings": config.to_json(), "manifest": manifest.to_json()},
        )

    def load(self, path: Path, manifest: Manifest) -> None:
        """Load the state in `path`.

        Args:
            path: The file.
            manifest: The network's manifest according to the files that the run started from.

        Raises:
            ModelFileError: If the file is missing, damaged, or of another network or optimizer, or
                if its network has another charset or preprocessing.
        """
        tensors, metadata = read_safetensors(path)
        if "manifest" in metadata:  # earlier versions saved none
            saved = Manifest.from_json(metadata["manifest"], str(path))
            if detail := difference(saved, manifest):
                raise ModelFileError(
                    f"cannot resume from {path}: {detail}. A file that the run was started with, "
                    "such as the charset, has changed"
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
            losses = metadata.get("unlogged_losses", metadata.get("pending", "[]"))
            self.unlogged_losses = json.loads(losses)
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelFileError(f"cannot resume from {path}: {error}") from None
