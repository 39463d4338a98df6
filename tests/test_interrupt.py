"""However a run's processes are ended, it saves first, or says why not in one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from training import options, run

from crnn_edge.errors import CrnnError
from model.data.batching import Batch
from model.train import main
from model.training.arguments import STATE_FILE
from model.training.trainer import Trainer

ROOT = Path(__file__).parent.parent
LONG = ["--steps", "100000", "--workers", "1"]


def running(pid: int) -> bool:
    """Whether a process is there and no zombie, which nobody may have waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def start(numbers: Path, out: Path) -> subprocess.Popen[str]:
    """A run in a process group of its own that has saved once."""
    argv = [sys.executable, "-m", "model.train", *options(numbers, out, *LONG, "--save-every", "1")]
    process = subprocess.Popen(
        argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(lambda: (out / STATE_FILE).exists() or process.poll() is not None)
    return process


def workers(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_whole_group_or_to_the_run_leaves_no_worker(
    number, numbers, tmp_path
) -> None:
    process = start(numbers, tmp_path / "run")
    made = workers(process)
    assert made
    if number == signal.SIGTERM:
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130, said
        assert "--resume" in said
        assert "Traceback" not in said
    else:
        process.kill()
        process.wait(timeout=120)
    wait_for(lambda: not any(map(running, made)))
    assert not any(map(running, made))


def test_a_worker_ends_with_a_process_that_never_let_go_of_it(numbers) -> None:
    code = (
        "import sys; from pathlib import Path; from test_datasets import make_batches; "
        "from model.data.loading import load_batches; "
        "batches = load_batches(make_batches(Path(sys.argv[1])), 0, 1000, workers=1); "
        "next(batches); sys.kept = batches"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    argv = [sys.executable, "-c", code, str(numbers)]
    subprocess.run(argv, check=True, timeout=120, env={**os.environ, "PYTHONPATH": path})


class KillsItsWorker(Trainer):
    def train_step(self, batch: Batch) -> dict[str, float]:
        if self.state.step == 2:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)
        return super().train_step(batch)


def test_a_run_whose_worker_dies_saves_and_says_how_to_go_on(numbers, tmp_path, capfd) -> None:
    out = tmp_path / "run"
    assert run(options(numbers, out, *LONG), KillsItsWorker) == 1
    said = capfd.readouterr().err
    assert "error: a worker process died" in said
    assert "is saved: continue with `python -m model.train --out" in said
    assert "Traceback" not in said
    assert (out / STATE_FILE).exists()


def test_a_finished_run_says_what_it_leaves_and_so_does_resuming_it(
    numbers, tmp_path, capsys
) -> None:
    assert main(options(numbers, tmp_path, "--steps", "1")) == 0
    said = capsys.readouterr().err
    assert f"run {tmp_path} has finished its" in said
    assert f"`python -m export.onnx {tmp_path / 'best.safetensors'} --int8`" in said
    assert all((tmp_path / name).is_file() for name in ("final.safetensors", "curve.png"))
    assert main(["--out", str(tmp_path), "--resume"]) == 0
    said = capsys.readouterr().err
    assert f"run {tmp_path} has finished its" in said
    assert "--finetune" in said


class StopsAt(Trainer):
    """Is interrupted while it takes one of its steps."""

    last = 0

    def train_step(self, batch: Batch) -> dict[str, float]:
        losses = super().train_step(batch)
        self.stopping = self.state.step == self.last
        return losses


@pytest.mark.parametrize("last", [1, 2])
def test_a_run_that_is_interrupted_tells_what_is_left_to_do(
    last, numbers, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(StopsAt, "last", last)
    before = signal.getsignal(signal.SIGINT)
    assert run(options(numbers, tmp_path, "--steps", "2"), StopsAt) == 130
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr().err
    assert f"stopped at step {last}: continue with" in said
    assert "has finished its" not in said  # the last step has not been measured either
    assert not (tmp_path / "final.safetensors").exists()
    assert main(["--out", str(tmp_path), "--resume"]) == 0
    assert "has finished its" in capsys.readouterr().err
    assert (tmp_path / "final.safetensors").exists()


class LosesItsFeed(Trainer):
    """Is interrupted together with what makes its batches."""

    def batches(self) -> Iterator[Batch]:
        yield next(super().batches())
        self.stopping = True
        raise CrnnError("a process that makes batches died")


def test_a_run_whose_workers_are_interrupted_with_it_has_only_stopped(
    numbers, tmp_path, capsys
) -> None:
    assert run(options(numbers, tmp_path, "--steps", "2"), LosesItsFeed) == 130
    said = capsys.readouterr().err
    assert "stopped at step 1: continue with" in said
    assert "has finished its" not in said
    assert (tmp_path / STATE_FILE).exists()
