"""What a training run leaves in its folder: its state, checkpoints, a log and a curve."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from crnn_edge.metrics import Score
from model.network.checkpoint import save_checkpoint
from model.training.config import LAST, kept
from model.training.job import Job
from model.training.plot import plot_history
from model.training.state import TrainState


class Records:
    """The folder of a run, which one of its processes writes.

    Args:
        settings: The run's; `out` is the folder.
        job: What it trains, and on what.
        state: Where it is.
    """

    def __init__(self, settings: argparse.Namespace, job: Job, state: TrainState) -> None:
        """Keep them; nothing is written yet."""
        self.settings, self.job, self.state = settings, job, state
        self.folder: Path = settings.out

    def log(self, entry: dict[str, float]) -> None:
        """Add a line of the current step to `log.jsonl` and to the history."""
        state = self.state
        entry = {"step": state.step, "seconds": round(state.seconds, 1), **entry}
        state.history.append(entry)
        self._write([entry], "a")

    def rewrite(self) -> None:
        """Make `log.jsonl` of the history: lines of steps that were lost go, to be made again."""
        self._write(self.state.history, "w")

    def measured(self, score: Score) -> None:
        """Log a score of the averaged weights, and keep these if none before were better."""
        told = ("accuracy", "exact", "one_minus_ned", "cer", "n")
        self.log({name: getattr(score, name) for name in told})
        # As written: what the scene-text protocol drops, a meter's decimal point is among.
        *before, now = ((e["exact"], -e["cer"]) for e in self.state.history if "exact" in e)
        if now >= max(before, default=now):  # of equals the one that has learnt for longer
            self._checkpoint("best")
        if self.state.step == self.settings.steps:
            self._checkpoint("final")

    def save(self) -> None:
        """Write the state, and draw the curve."""
        self.state.save(self.folder / LAST, kept(self.settings), self.job.manifest)
        title = f"{self.job.manifest.name}, {self.state.seconds / 3600:.1f} h"
        plot_history(self.state.history, self.folder / "curve.png", title)

    def _write(self, entries: list[dict[str, float]], mode: str) -> None:
        with (self.folder / "log.jsonl").open(mode) as file:
            for entry in entries:  # JSON knows no NaN
                known = {k: v if math.isfinite(v) else None for k, v in entry.items()}
                file.write(json.dumps(known) + "\n")

    def _checkpoint(self, name: str) -> None:
        images = self.state.step * self.settings.batch * self.settings.processes
        manifest = self.job.manifest.replace(images_seen=images)
        save_checkpoint(self.folder / f"{name}.safetensors", self.state.ema.model, manifest)
