from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training import options, parse_config, run

from crnn_edge.errors import CrnnError, EngineError
from model.data.batching import Batch
from model.data.loading import load_batches
from model.network.safetensors_file import read_safetensors, write_safetensors
from model.train import main
from model.training.arguments import STATE_FILE, read_config
from model.training.optimizer import pick_amp
from model.training.trainer import Trainer


def assert_the_same_run(one: Path, other: Path) -> None:
    for name in (STATE_FILE, "best.safetensors", "final.safetensors"):
        (tensors, _), (others, _) = (read_safetensors(run / name) for run in (one, other))
        assert tensors.keys() == others.keys()
        for key, value in tensors.items():
            torch.testing.assert_close(others[key], value, rtol=0, atol=0, msg=f"{name}: {key}")
    assert history(one) == history(other)


def history(run: Path) -> list[dict[str, float]]:
    """What a run's state and its log tell alike, times aside."""
    told: list[dict[str, float]] = json.loads(read_safetensors(run / STATE_FILE)[1]["history"])
    assert told == [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in told]


def test_resumed_run_equals_the_run_that_never_stopped(numbers, tmp_path) -> None:
    steps = ["--steps", "40", "--eval-every", "1000"]
    assert main(options(numbers, tmp_path / "whole", *steps)) == 0
    command = [
        sys.executable,
        "-m",
        "model.train",
        *options(numbers, tmp_path / "cut", *steps, "--save-every", "1"),
    ]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "cut" / STATE_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "--resume" in said
    assert main(["--out", str(tmp_path / "cut"), "--resume"]) == 0
    assert_the_same_run(tmp_path / "whole", tmp_path / "cut")


def interrupted(step: int) -> type[Trainer]:
    """One that Ctrl-C reaches in that step."""

    class Interrupted(Trainer):
        def train_step(self, batch: Batch) -> dict[str, float]:
            self.stopping = self.state.step == step - 1
            return super().train_step(batch)

    return Interrupted


class FailsInStepSix(Trainer):
    def train_step(self, batch: Batch) -> dict[str, float]:
        if self.state.step == 5:
            raise CrnnError("no memory left")
        return super().train_step(batch)


class FailsToEvaluate(Trainer):
    def _evaluate(self) -> None:
        raise CrnnError("cannot read that")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (interrupted(2), 130),
        (interrupted(4), 130),  # where it would be measured
        (interrupted(6), 130),  # the last
        (FailsInStepSix, 1),
        (FailsToEvaluate, 1),
    ],
    ids=["between", "measuring", "last", "step", "evaluation"],
)
def test_however_a_run_ends_its_log_goes_on_as_if_it_had_not(
    kind: type[Trainer], code: int, numbers, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("model.training.trainer.LOG_EVERY", 5)
    steps = ["--steps", "6", "--eval-every", "4"]
    assert main(options(numbers, tmp_path / "whole", *steps)) == 0
    assert run(options(numbers, tmp_path / "cut", *steps), kind) == code
    assert main(["--out", str(tmp_path / "cut"), "--resume"]) == 0
    assert_the_same_run(tmp_path / "whole", tmp_path / "cut")
    assert [entry["step"] for entry in history(tmp_path / "cut")] == [4, 5, 6, 6]


def test_a_state_of_before_losses_were_kept_goes_on(numbers, tmp_path) -> None:
    arguments = options(numbers, tmp_path, "--steps", "3")
    assert run(arguments, interrupted(2)) == 130
    tensors, metadata = read_safetensors(tmp_path / STATE_FILE)
    nested = json.loads(metadata["settings"])
    flat = {k: v for k, v in nested.items() if not isinstance(v, dict)}
    for section in ("init", "data", "optim"):
        flat |= nested[section]
    flat["data"] = [f"{source['path']}={source['weight']}" for source in nested["data"]["data"]]
    renamed = {"width_mult": "width", "prune": "shrink", "reparam": "branches", "amp": "precision"}
    renamed |= {"tta_threshold": "look_again", "splice": "pieces", "out_of_charset": "unknown"}
    flat = {renamed.get(name, name): value for name, value in flat.items()}
    flat |= {"guide_weight": 0.0, "augment_on": "workers"}
    for new in ("processes", "command", "backbone", "style", "text_pattern", "texts"):
        flat.pop(new)
    for new in ("pending", "manifest"):
        metadata.pop(new, None)
    write_safetensors(tmp_path / STATE_FILE, tensors, metadata | {"settings": json.dumps(flat)})
    assert main(["--out", str(tmp_path), "--resume"]) == 0
    assert [entry["step"] for entry in history(tmp_path)] == [3, 3]


@pytest.mark.parametrize(
    ("name", "device", "native", "precision"),
    [
        ("auto", "cpu", True, "bf16"),
        ("auto", "cpu", False, "fp32"),
        ("fp32", "cpu", True, "fp32"),
        ("bf16", "cpu", False, "bf16"),
        ("fp16", "cuda", True, "fp16"),
    ],
)
def test_auto_is_bf16_where_that_is_native(name, device, native, precision, monkeypatch) -> None:
    monkeypatch.setattr("model.training.optimizer.cpu_has_amx", lambda: native)
    assert pick_amp(name, torch.device(device)) == precision


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(EngineError, match="CUDA"):
        pick_amp("fp16", torch.device("cpu"))


def test_a_run_keeps_the_precision_that_it_began_with(numbers, tmp_path, monkeypatch) -> None:
    for native, step in ((False, 1), (True, 2)):
        monkeypatch.setattr("model.training.optimizer.cpu_has_amx", lambda now=native: now)
        start = options(numbers, tmp_path, "--steps", "2", "--amp", "auto", "--device", "cpu")
        again = ["--out", str(tmp_path), "--resume"]
        run(again if native else start, interrupted(step))
        assert read_config(tmp_path / STATE_FILE).amp == "fp32"


def test_a_run_of_one_process_is_not_resumed_by_two(
    numbers, tmp_path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(options(numbers, tmp_path, "--steps", "2"), interrupted(1)) == 130
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--resume"])
    said = capsys.readouterr().err
    assert f"the run in {tmp_path} has 1 process, not 2" in said


def test_the_process_that_saves_nothing_claims_nothing(numbers, tmp_path, monkeypatch) -> None:
    def failing(trainer: Trainer) -> Iterator[Batch]:
        yield next(load_batches(trainer.job.batches, 0, 9, workers=0))
        raise CrnnError("no more")

    monkeypatch.setattr(Trainer, "batches", failing)
    for rank, told in ((0, "no more. Step 1 is saved: continue with"), (1, "no more")):
        trainer = Trainer(parse_config(options(numbers, tmp_path / str(rank), "--steps", "9")))
        trainer.config.out.mkdir()
        trainer.rank = rank
        with pytest.raises(CrnnError, match=told) as caught:
            trainer.run()
        assert ("is saved" in str(caught.value)) is (rank == 0)
        assert (trainer.config.out / STATE_FILE).exists() is (rank == 0)


def test_a_run_whose_tokens_have_become_others_is_not_resumed(numbers, tmp_path, capsys) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("\n".join("0123456789"))
    base = options(numbers, tmp_path / "run", "--steps", "1")
    base[base.index("--charset") + 1] = f"@{tokens}"
    assert main(base) == 0
    tokens.write_text("\n".join("9876543210"))
    assert main(["--out", str(tmp_path / "run"), "--resume"]) == 1
    assert "its charset is of 10 tokens" in capsys.readouterr().err


def test_a_new_run_clears_the_log_of_one_that_saved_nothing(numbers, tmp_path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 7}\n')
    assert main(options(numbers, tmp_path, "--steps", "1")) == 0
    assert all(step["step"] == 1 for step in history(tmp_path))


def test_two_runs_do_not_share_a_folder(numbers, tmp_path, capsys) -> None:
    arguments = options(numbers, tmp_path / "run", "--steps", "2")

    class StartsAnother(Trainer):
        def train_step(self, batch: Batch) -> dict[str, float]:
            if self.state.step == 0:
                assert main([*arguments, "--seed", "2"]) == 1
            return super().train_step(batch)

    assert run(arguments, StartsAnother) == 0
    assert f"another run is writing to {tmp_path / 'run'}" in capsys.readouterr().err
    assert [entry["step"] for entry in history(tmp_path / "run")] == [2, 2]


def test_a_run_that_diverges_keeps_its_last_good_state(numbers, tmp_path, capsys) -> None:
    class Diverges(Trainer):
        def train_step(self, batch: Batch) -> dict[str, float]:
            losses = super().train_step(batch)
            if self.state.step == 3:
                with torch.no_grad():
                    next(self.state.model.parameters()).fill_(torch.nan)
            return losses

    more = ["--steps", "4", "--save-every", "1", "--eval-every", "4"]
    assert run(options(numbers, tmp_path, *more), Diverges) == 1
    error = capsys.readouterr().err
    assert "is not finite at step 3, which is not saved" in error
    assert f"{tmp_path / STATE_FILE} has the last good state" in error
    tensors, metadata = read_safetensors(tmp_path / STATE_FILE)
    assert metadata["step"] == "2"
    assert all(tensor.isfinite().all() for tensor in tensors.values())
