"""The folder of a training run: its state, checkpoints, a log and a curve."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from crnn_edge.errors import CrnnError
from crnn_edge.metrics import Score
from model.network.checkpoint import save_checkpoint
from model.training.arguments import STATE_FILE
from model.training.config import TrainConfig
from model.training.job import TrainingJob
from model.training.plot import plot_history
from model.training.state import TrainState

_LOGGED = ("accuracy", "exact", "one_minus_ned", "cer", "n")  # of a score


class RunFolder:
    """Writes the files of a run; only one process of a run does.

    Args:
        config: The run's settings; `out` is the folder.
        job: What it trains.
        state: Its current state.
    """

    def __init__(self, config: TrainConfig, job: TrainingJob, state: TrainState) -> None:
        """Remember them; nothing is written yet."""
        self.config, self.job, self.state = config, job, state
        self.path = config.out

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder, and keep other runs out of it.

        Raises:
            CrnnError: If another run uses it, or has finished in it meanwhile.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with _exclusive(self.path):
            if self.state.step == 0 and (self.path / STATE_FILE).exists():
                raise CrnnError(f"{self.path} already contains a run: choose another --out")
            yield

    def log(self, entry: dict[str, float]) -> None:
        """Add a line for the current step to `log.jsonl` and to the history."""
        state = self.state
        entry = {"step": state.step, "seconds": round(state.seconds, 1), **entry}
        state.history.append(entry)
        self._write([entry], "a")

    def rewrite_log(self) -> None:
        """Write `log.jsonl` from the history: lines of steps after the saved state are removed."""
        self._write(self.state.history, "w")

    def log_score(self, score: Score) -> None:
        """Log a score of the averaged weights; save them if it is the best so far."""
        self.log({name: getattr(score, name) for name in _LOGGED})
        # Exact, because the scene-text protocol drops punctuation, such as a meter's decimal point.
        *before, now = ((e["exact"], -e["cer"]) for e in self.state.history if "exact" in e)
        if now >= max(before, default=now):  # of equal ones the latest
            self._save_checkpoint("best")
        if self.state.step == self.config.optim.steps:
            self._save_checkpoint("final")

    def save_state(self) -> None:
        """Save the training state, and draw the curve.

        Raises:
            CrnnError: If a weight is not finite; the last saved state is kept.
        """
        if name := self.state.non_finite():
            kept = self.path / STATE_FILE
            raise CrnnError(
                f"training diverged: {name} is not finite at step {self.state.step}, which is not "
                f"saved. "
                + (f"{kept} has the last good state. " if kept.exists() else "")
                + "Start a new run with a lower --lr, from a checkpoint with --finetune"
            )
        self.state.save(self.path / STATE_FILE, self.config, self.job.manifest)
        title = f"{self.job.manifest.name}, {self.state.seconds / 3600:.1f} h"
        plot_history(self.state.history, self.path / "curve.png", title)

    def _write(self, entries: list[dict[str, float]], mode: str) -> None:
        with (self.path / "log.jsonl").open(mode) as file:
            for entry in entries:  # JSON has no NaN
                known = {k: v if math.isfinite(v) else None for k, v in entry.items()}
                file.write(json.dumps(known) + "\n")

    def _save_checkpoint(self, name: str) -> None:
        images = self.state.step * self.config.optim.batch * self.config.processes
        manifest = self.job.manifest.replace(images_seen=images)
        save_checkpoint(self.path / f"{name}.safetensors", self.state.ema.model, manifest)


@contextmanager
def _exclusive(folder: os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a folder; where the system has no such locks, none is held.

    Raises:
        CrnnError: If another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CrnnError(
                f"another run is writing to {folder}: wait for it, or choose another --out"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)
