"""Training: `train(TrainConfig(...))`, and the loop behind it."""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import FrameType

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from crnn_edge.cli.run import termination_signals
from crnn_edge.errors import CrnnError
from crnn_edge.metrics import Score
from crnn_edge.progress import Progress
from model.analysis.evaluation import score_greedily
from model.data.batching import Batch
from model.data.loading import load_batches
from model.network.backend import TorchBackend, pick_device
from model.network.crnn import CRNN
from model.training.arguments import STATE_FILE
from model.training.config import TrainConfig
from model.training.distill import Teacher
from model.training.job import TrainingJob, build_job
from model.training.losses import TrainingLoss
from model.training.optimizer import AMP_DTYPES, build_optimizer, pick_amp
from model.training.run_folder import RunFolder
from model.training.schedule import lr_factor
from model.training.state import Ema, TrainState

log = logging.getLogger("crnn_edge")

LOG_EVERY = 50
"""Steps whose mean loss is one entry of the log."""


@dataclass(frozen=True)
class RunResult:
    """How a training run ended.

    Attributes:
        folder: The run's folder.
        step: Steps done.
        finished: Whether these are all; otherwise the run was interrupted and can be resumed.
        history: The entries of `log.jsonl`: losses and scores by step.
    """

    folder: Path
    step: int
    finished: bool
    history: tuple[dict[str, float], ...]

    @property
    def best(self) -> Path:
        """The checkpoint with the highest exact accuracy on the validation set."""
        return self.folder / "best.safetensors"

    @property
    def exit_code(self) -> int:
        """0, or 130 after an interruption."""
        return 0 if self.finished else 130


class Trainer:
    """One process of a run."""

    def __init__(self, config: TrainConfig, *, resume: bool = False) -> None:
        """Set up network, data and optimizer.

        Args:
            config: Resolved settings.
            resume: Continue from the state in `config.out`.

        Raises:
            CrnnError: If a file is missing or damaged, or the device cannot be used.
        """
        self.rank = int(os.environ.get("RANK", 0))  # set by torchrun
        self.device = pick_device(config.device)
        torch.manual_seed(config.seed)
        if config.threads:
            torch.set_num_threads(config.threads)
        # Resolved before it is saved, so that a run resumed on another device computes the same.
        self.config = dataclasses.replace(config, amp=pick_amp(config.amp, self.device))
        dtype = AMP_DTYPES[self.config.amp]
        self.job: TrainingJob = build_job(self.config)
        model = self.job.model.to(self.device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        teacher = (
            Teacher(config.teacher, self.job.manifest, self.device, dtype)
            if config.teacher
            else None
        )
        loss = TrainingLoss(self.forward_model(model), teacher, dtype)
        self.loss_weights = {"loss": 1.0, "teacher": config.distill_weight or 0.0}
        optimizer = build_optimizer(config.optim, loss.parameters())
        scaler = torch.amp.GradScaler("cuda", enabled=dtype is torch.float16)
        self.state = TrainState(model, Ema(model, config.optim.ema), optimizer, scaler)
        self.folder = RunFolder(self.config, self.job, self.state)
        if resume:
            self.state.load(config.out / STATE_FILE, self.job.manifest)
        self.loss: nn.Module = DistributedDataParallel(loss) if config.processes > 1 else loss
        self.stopping = False

    def forward_model(self, model: CRNN) -> nn.Module:
        """The module that is trained and evaluated in place of the network; here itself."""
        return model

    def batches(self) -> Iterator[Batch]:
        """The batches of this process from the current step on, in an order fixed by the seed."""
        return load_batches(
            self.job.batches,
            self.state.step,
            self.config.optim.steps,
            rank=self.rank,
            world=self.config.processes,
            workers=self.config.workers,
            pin_memory=self.device.type == "cuda",
        )

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The losses of a batch, by name."""
        tensor = batch.tensor.to(self.device, non_blocking=True)
        tensor = tensor.to(memory_format=torch.channels_last)
        losses: dict[str, torch.Tensor] = self.loss(
            tensor, batch.targets, batch.lengths, batch.unlabelled
        )
        return losses

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns the losses of the batch by name."""
        optim, state = self.config.optim, self.state
        for group in state.optimizer.param_groups:
            group["lr"] = (optim.lr or 0.0) * lr_factor(state.step, optim.steps, optim.schedule)
        self.loss.train()
        buffers = [buffer.clone() for buffer in state.model.buffers()]
        # Batches of wide images have fewer: each image counts as much as any other.
        share = len(batch.lengths) / optim.batch
        losses = {name: share * loss for name, loss in self.losses(batch).items()}
        total = torch.stack([self.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        state.optimizer.zero_grad()
        state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        state.scaler.unscale_(state.optimizer)
        norm = nn.utils.clip_grad_norm_(self.loss.parameters(), optim.clip)
        if torch.isfinite(norm):  # one bad batch must not end a run of days
            state.scaler.step(state.optimizer)
        else:  # nor change the statistics of batch norms
            for buffer, old in zip(state.model.buffers(), buffers, strict=True):
                buffer.copy_(old)
        state.scaler.update()
        state.step += 1
        state.ema.update(state.model, state.step)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def run(self) -> RunResult:
        """Train to the last step, or until interrupted.

        Raises:
            CrnnError: If batches can no longer be made, the weights diverge, or a file cannot be
                written. What was learned until then is saved.
        """
        with self._interruptible():
            if self.rank == 0:
                with self.folder.locked():
                    self.folder.rewrite_log()
                    interrupted = self._run()
            else:
                interrupted = self._run()
        state = self.state
        result = RunResult(self.config.out, state.step, not interrupted, tuple(state.history))
        if interrupted:
            log.info("stopped at step %d: %s", state.step, resume_hint(self.config))
        elif self.rank == 0:
            log.info("%s", completion_message(self.config))
        return result

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C and termination signals end the run after the current step."""
        handlers = {
            number: signal.signal(number, self._stop)
            for number in (signal.SIGINT, *termination_signals())
        }
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run(self) -> bool:
        """Train; returns whether it was interrupted with steps or an evaluation left to do."""
        config, state, stop = self.config, self.state, False
        steps = config.optim.steps
        if self._evaluation_due():  # the run ended before it was done
            self._evaluate()
        started = time.monotonic() - state.seconds
        with Progress("training", steps, initial=state.step, disable=self.rank > 0) as progress:
            for batch in self._safe_batches() if state.step < steps else ():
                state.unlogged_losses.append(self.train_step(batch))
                state.seconds = time.monotonic() - started
                progress.update()
                done = state.step == steps
                if state.step % LOG_EVERY == 0 or done:
                    self._log_losses(progress)
                stop, due = self._any_process_stopping(), self._evaluation_due()
                if self.rank == 0 and (state.step % config.save_every == 0 or due or stop):
                    self.folder.save_state()  # first: a failing evaluation must not lose steps
                if stop:
                    break
                if due:
                    self._evaluate()
                if done:
                    break
        return stop or state.step < steps  # or the workers were interrupted first

    def _log_losses(self, progress: Progress) -> None:
        """Log the mean losses since the last entry."""
        state, steps = self.state, self.state.unlogged_losses
        means = {name: fmean(step[name] for step in steps) for name in steps[0]}
        if self.rank == 0:
            self.folder.log(means)
        images = state.step * self.config.optim.batch * self.config.processes
        rate = images / max(state.seconds, 1e-9)
        progress.status = f"loss {means['loss']:.3f}, {rate:.0f} images/s"
        steps.clear()

    def _safe_batches(self) -> Iterator[Batch]:
        """The batches; when no more can be made, the state is saved before the error is raised."""
        first_step = self.state.step
        try:
            yield from self.batches()
        except CrnnError as error:
            if self.state.step == first_step or self.rank:  # only the first process saves
                raise
            self.folder.save_state()
            if self.stopping:  # a signal to the process group ends the workers, too
                return
            raise type(error)(
                f"{error}. Step {self.state.step} is saved: {resume_hint(self.config)}"
            ) from None

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _any_process_stopping(self) -> bool:
        """Whether any process was interrupted: all must leave at the same step."""
        if self.config.processes == 1:
            return self.stopping
        flag = torch.tensor(float(self.stopping), device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        self.stopping = bool(flag.item())
        return self.stopping

    def _evaluation_due(self) -> bool:
        """Whether the current step is to be evaluated, and has not been yet."""
        step, config = self.state.step, self.config
        due = step > 0 and (step % config.eval_every == 0 or step == config.optim.steps)
        return due and not any(e["step"] == step and "accuracy" in e for e in self.state.history)

    def _evaluate(self) -> None:
        if self.rank == 0:
            score = self.score(self.forward_model(self.state.ema.model))
            log.info(
                "step %d: exact %.1f %%, STR accuracy %.1f %%, CER %.1f %% (n = %d)",
                self.state.step,
                100 * score.exact,
                100 * score.accuracy,
                100 * score.cer,
                score.n,
            )
            self.folder.log_score(score)
            self.folder.save_state()
        if self.config.processes > 1:
            dist.barrier()

    def score(self, network: nn.Module) -> Score:
        """The score of a network on the validation set."""
        backend = TorchBackend(network, self.job.manifest, device=str(self.device))
        return score_greedily(backend, self.job.validation)


def train(
    config: TrainConfig, *, resume: bool = False, trainer: type[Trainer] = Trainer
) -> RunResult:
    """Train a network; the result is in the folder `config.out`.

    Args:
        config: The settings of a new run, or those of the run to continue.
        resume: Continue the run in `config.out`.
        trainer: Which trainer runs.

    Raises:
        CrnnError: If settings contradict each other, a file is missing or damaged, the folder is
            in use, or the weights diverge.
    """
    if not resume:
        config = config.resolve()
    with process_group(config):
        return trainer(config, resume=resume).run()


@contextmanager
def process_group(config: TrainConfig) -> Iterator[None]:
    """Connect the processes of a run if there are several."""
    if config.processes == 1:
        yield
        return
    device = pick_device(config.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # which NCCL uses
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield
    dist.barrier()  # nobody leaves while another still communicates
    dist.destroy_process_group()


def resume_hint(config: TrainConfig) -> str:
    """How to continue a run that was interrupted."""
    return f"continue with `{config.command} --out {shlex.quote(str(config.out))} --resume`"


def completion_message(config: TrainConfig) -> str:
    """What a finished run has written, and what to do with it."""
    best = config.out / "best.safetensors"
    return (
        f"run {config.out} has finished its {config.optim.steps} steps. {best} has the highest "
        f"exact accuracy on the validation set; final.safetensors has the weights of the last "
        f"step, curve.png the training curve. Next: `python -m export.onnx "
        f"{shlex.quote(str(best))} --int8`, or --finetune {best} to train it further"
    )
