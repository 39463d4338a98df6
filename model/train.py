"""Train a CRNN end to end with CTC: `python -m model.train --help`.

Graves et al. (2006) for the loss, Shi, Bai & Yao (2015) for the network. A run is a folder:
`last.safetensors` (go on with `--resume`), the checkpoints `best.safetensors` (the averaged
weights that read most of `--eval` exactly, or as much with fewer edits) and `final.safetensors`
(those of the last step, which no figure has picked), `log.jsonl` and `curve.png`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from statistics import fmean
from types import FrameType

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from crnn_edge.cli.run import run_command, termination_signals
from crnn_edge.errors import CrnnError
from model.data.batching import Batch
from model.data.loading import load_batches
from model.evaluate import evaluate
from model.network.backend import TorchBackend, pick_device
from model.network.crnn import CRNN
from model.training.config import LAST, parse
from model.training.endings import finished, go_on
from model.training.job import (
    DTYPES,
    Job,
    make_job,
    make_losses,
    make_optimizer,
    pick_precision,
)
from model.training.run_folder import Records
from model.training.schedule import lr_factor
from model.training.state import Ema, TrainState

LOG_EVERY = 50


class Trainer:
    """One process of a run."""

    def __init__(self, settings: argparse.Namespace) -> None:
        """Set up network, data and optimizer; take over the saved state when resuming."""
        self.settings = settings
        self.rank = int(os.environ.get("RANK", 0))
        self.world: int = settings.processes
        self.device = pick_device(settings.device)
        torch.manual_seed(settings.seed)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        # Settled, and saved as such, so that a run resumed on another device computes the same, but
        # for what CUDA and a processor draw otherwise.
        settings.precision = pick_precision(settings.precision, self.device)
        self.dtype = DTYPES[settings.precision]
        self.job: Job = make_job(settings)
        model = self.job.model.to(self.device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        losses = make_losses(settings, self.job, self.view(model), self.device, self.dtype)
        self.weights = {
            "loss": 1.0,
            "teacher": settings.distill_weight,
        }
        optimizer = make_optimizer(settings, losses.parameters())
        scaler = torch.amp.GradScaler("cuda", enabled=self.dtype is torch.float16)
        self.state = TrainState(model, Ema(model, settings.ema), optimizer, scaler)
        self.records = Records(settings, self.job, self.state)
        if settings.resume:
            self.state.load(settings.out / LAST, self.job.manifest)
        self.losses: nn.Module = DistributedDataParallel(losses) if self.world > 1 else losses
        self.stopping = False

    def view(self, model: CRNN) -> nn.Module:
        """What is trained and measured of a network: itself, unless a subclass says otherwise."""
        return model

    def batches(self) -> Iterator[Batch]:
        """The batches of this process from the current step on, in an order fixed by the seed."""
        return load_batches(
            self.job.chunks,
            self.state.step,
            self.settings.steps,
            rank=self.rank,
            world=self.world,
            workers=self.settings.workers,
            pin_memory=self.device.type == "cuda",
        )

    def pictures(self, batch: Batch) -> torch.Tensor:
        """The images of a batch, on the device of the network."""
        tensor = batch.tensor.to(self.device, non_blocking=True)
        return tensor.to(memory_format=torch.channels_last)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns what `Losses` makes of the batch."""
        settings, state = self.settings, self.state
        for group in state.optimizer.param_groups:
            group["lr"] = settings.lr * lr_factor(state.step, settings.steps, settings.schedule)
        self.losses.train()
        before = [buffer.clone() for buffer in state.model.buffers()]
        pictures = self.pictures(batch)
        losses: dict[str, torch.Tensor] = self.losses(pictures, batch.targets, batch.lengths)
        total = torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
        state.optimizer.zero_grad()
        state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        state.scaler.unscale_(state.optimizer)
        norm = nn.utils.clip_grad_norm_(self.losses.parameters(), settings.clip)
        if torch.isfinite(norm):  # one bad batch must not end a run of days
            state.scaler.step(state.optimizer)
        else:  # nor leave batch-norms that nothing is normal to
            for buffer, old in zip(state.model.buffers(), before, strict=True):
                buffer.copy_(old)
        state.scaler.update()
        state.step += 1
        state.ema.update(state.model, state.step)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def run(self) -> int:
        """Train to the last step, or until interrupted; returns the exit code."""
        settings, state = self.settings, self.state
        handlers = {
            n: signal.signal(n, self._stop) for n in (signal.SIGINT, *termination_signals())
        }
        try:
            stopped = self._run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if stopped:
            print(f"stopped at step {state.step}: {go_on(settings)}", file=sys.stderr)
            return 130
        if self.rank == 0:
            print(finished(settings), file=sys.stderr)
        return 0

    def _run(self) -> bool:
        """Train; returns whether that was interrupted with something left to do."""
        settings, state, stop = self.settings, self.state, False
        if self.rank == 0:
            self.records.rewrite()
        bar = tqdm(total=settings.steps, initial=state.step, unit="step", disable=self.rank > 0)
        started = time.monotonic() - state.seconds
        if self._evaluation_due():  # ended before that was done
            self._evaluate(bar)
        for batch in self._fed() if state.step < settings.steps else ():
            state.pending.append(self.train_step(batch))
            state.seconds = time.monotonic() - started
            bar.update()
            done = state.step == settings.steps
            if state.step % LOG_EVERY == 0 or done:
                names, steps = state.pending[0], state.pending
                means = {name: fmean(step[name] for step in steps) for name in names}
                if self.rank == 0:
                    self.records.log(means)
                rate = state.step * settings.batch * self.world / max(state.seconds, 1e-9)
                bar.set_postfix(loss=f"{means['loss']:.3f}", img_s=f"{rate:.0f}")
                state.pending.clear()
            stop, due = self._agreed_stop(), self._evaluation_due()
            if self.rank == 0 and (state.step % settings.save_every == 0 or due or stop):
                self.records.save()  # before it is measured: what fails there must cost no step
            if stop:
                break
            if due:
                self._evaluate(bar)
            if done:
                break
        bar.close()
        return stop or state.step < settings.steps  # or it ended with the workers that feed it

    def _fed(self) -> Iterator[Batch]:
        """The batches; when no more can be made, what was learnt is saved before that is told."""
        begun = self.state.step
        try:
            yield from self.batches()
        except CrnnError as error:
            if self.state.step == begun or self.rank:  # the first process alone saves
                raise
            self.records.save()
            if self.stopping:  # whoever ends a run may well end its workers, too
                return
            told = f"{error}. Step {self.state.step} is saved: {go_on(self.settings)}"
            raise type(error)(told) from None

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _agreed_stop(self) -> bool:
        """Whether any process was interrupted: all must leave at the same step."""
        if self.world == 1:
            return self.stopping
        flag = torch.tensor(float(self.stopping), device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        self.stopping = bool(flag.item())
        return self.stopping

    def _evaluation_due(self) -> bool:
        """Whether the current step is one to measure at, and has not been measured."""
        step, settings = self.state.step, self.settings
        due = step > 0 and (step % settings.eval_every == 0 or step == settings.steps)
        return due and not any(e["step"] == step and "accuracy" in e for e in self.state.history)

    def _evaluate(self, bar: tqdm) -> None:
        if self.rank == 0:
            state = self.state
            score = evaluate(
                TorchBackend(
                    self.view(state.ema.model), self.job.manifest, device=str(self.device)
                ),
                self.job.eval_set,
            )
            bar.write(
                f"step {state.step}: {score.accuracy:.1%} (STR), {score.exact:.1%} exact, "
                f"CER {score.cer:.1%}, n = {score.n}",
                file=sys.stderr,
            )
            self.records.measured(score)
            self.records.save()
        if self.world > 1:
            dist.barrier()


def main(
    argv: list[str] | None = None,
    parse: Callable[[list[str] | None], argparse.Namespace] = parse,
    kind: type[Trainer] = Trainer,
) -> int:
    """Entry point of `python -m model.train`.

    Args:
        argv: The command line; None for the process's own.
        parse: Makes settings of it; another command that trains has its own.
        kind: Which trainer runs.

    Returns:
        The exit code.
    """

    def train() -> int:
        settings = parse(argv)
        if settings.processes > 1:
            device = pick_device(settings.device)
            if device.type == "cuda":
                torch.cuda.set_device(device)  # which NCCL goes by
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        trainer = kind(settings)
        settings.out.mkdir(parents=True, exist_ok=True)  # not for what was refused
        code = trainer.run()
        if dist.is_initialized():
            dist.barrier()  # nobody hangs up while another still talks
            del trainer  # its gradient buckets belong to the group, and must go first
            dist.destroy_process_group()
        return code

    return run_command(train)


if __name__ == "__main__":
    sys.exit(main())
