from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from model.checkpoint import load_checkpoint, read_safetensors, save_checkpoint
from model.config import CONFIGS, ModelConfig
from model.crnn import CRNN
from model.distill import Teacher
from model.options import LAST
from model.schedule import SCHEDULES, lr_factor
from model.train import main
from runtime.charset import Charset
from runtime.manifest import Manifest
from runtime.recognizer import Recognizer

ROOT = Path(__file__).parent.parent
DIGITS = Charset(tuple("0123456789"))


def options(numbers: Path, out: Path, *more: str) -> list[str]:
    base = f"--out {out} --data {numbers} --synth 0 --eval {numbers} --charset 0123456789 --batch 2"
    return [*base.split(), *["--workers", "0", "--precision", "fp32", "--threads", "1"], *more]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(run / LAST)[0]


def test_resumed_run_equals_the_run_that_never_stopped(numbers, tmp_path) -> None:
    steps = ["--steps", "40", "--eval-every", "1000"]
    assert main(options(numbers, tmp_path / "whole", *steps)) == 0
    command = [
        sys.executable,
        "-m",
        "model.train",
        *options(numbers, tmp_path / "cut", *steps, "--save-every", "1"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "cut" / LAST).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "--resume" in said
    assert main(["--out", str(tmp_path / "cut"), "--resume"]) == 0
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value, rtol=0, atol=0, msg=name)


def test_a_run_learns_and_leaves_its_files(numbers, tmp_path) -> None:
    out = tmp_path / "run"
    assert (
        main(
            options(
                numbers,
                out,
                "--steps",
                "150",
                "--eval-every",
                "150",
                "--augment",
                "0",
                "--batch",
                "6",
                "--ema",
                "0.9",
            )
        )
        == 0
    )
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    names = {LAST, "best.safetensors", "final.safetensors", "log.jsonl", "curve.png"}
    assert {p.name for p in out.iterdir()} == names
    best = load_checkpoint(out / "best.safetensors")
    assert best.manifest.charset == DIGITS
    assert best.manifest.provenance["images_seen"] == 900
    assert best.manifest.provenance["trained_on"] == f"{numbers.name} x 1"  # no private path


def test_finetuning_keeps_the_tokens_that_both_charsets_have(numbers, tmp_path) -> None:
    assert main(options(numbers, tmp_path / "a", "--steps", "1", "--look-again", "0.5")) == 0
    start = tmp_path / "a" / "best.safetensors"
    new = options(numbers, tmp_path / "b", "--steps", "1", "--lr", "0", "--finetune", str(start))
    new[new.index("0123456789")] = "x9876543210"
    assert main(new) == 0
    checkpoints = [load_checkpoint(tmp_path / r / "best.safetensors") for r in "ab"]
    assert [c.manifest.look_again for c in checkpoints] == [0.5, 0.5]
    old, fresh = (checkpoint.model for checkpoint in checkpoints)
    rows = [(0, 0), *((1 + "0123456789".index(d), 1 + "x9876543210".index(d)) for d in "059")]
    for row_old, row_new in rows:
        torch.testing.assert_close(
            fresh.linears[0].weight[row_new], old.linears[0].weight[row_old], rtol=0, atol=0
        )
    torch.testing.assert_close(fresh.backbone[0].weight, old.backbone[0].weight, rtol=0, atol=0)


def test_a_large_network_grows_around_a_small_one(numbers, tmp_path) -> None:
    start = small_checkpoint(tmp_path / "small.safetensors")
    frozen = ["--grow", str(start), "--model", "crnn-lite", "--steps", "1", "--lr", "0"]
    assert main(options(numbers, tmp_path / "run", *frozen)) == 0
    grown = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert grown.config.name == grown.manifest.name == "crnn-lite"
    old = load_checkpoint(start)
    assert grown.manifest.provenance["grown_from"] == old.manifest.provenance["checkpoint_sha256"]
    torch.testing.assert_close(
        grown.model.backbone[0].weight[:4], old.model.backbone[0].weight, rtol=0, atol=0
    )


def test_a_small_network_shrinks_out_of_a_large_one(numbers, tmp_path) -> None:
    torch.manual_seed(5)
    large, start = CRNN(CONFIGS["crnn-lite"]), tmp_path / "large.safetensors"
    save_checkpoint(start, large, Manifest(name="large", charset=Charset.ascii()))
    frozen = ["--shrink", str(start), "--model", "crnn-lite", "--steps", "1", "--lr", "0"]
    assert main(options(numbers, tmp_path / "run", *frozen)) == 0
    same = load_checkpoint(tmp_path / "run" / "final.safetensors")
    old = load_checkpoint(start)
    assert same.config.name == same.manifest.name == "crnn-lite"
    assert same.manifest.charset == DIGITS
    assert same.manifest.provenance["shrunk_from"] == old.manifest.provenance["checkpoint_sha256"]
    torch.testing.assert_close(
        same.model.lstms[0].weight_hh_l0, old.model.lstms[0].weight_hh_l0, rtol=0, atol=0
    )


def test_pieces_are_cut_by_the_network_that_reads(numbers, tmp_path, monkeypatch) -> None:
    start, cutting = small_checkpoint(tmp_path / "small.safetensors"), []

    def pieces(datasets: list[object], recognizer: Recognizer, seed: int) -> object:
        cutting.append(recognizer.backend.model)
        return datasets[0]

    monkeypatch.setattr("model.setup.Pieces", pieces)
    monkeypatch.setitem(CONFIGS, "crnn-lite", ModelConfig("less", (4,) * 7, 8, 1))
    shrunk = ["--shrink", str(start), "--pieces", "1", "--steps", "1"]
    assert main(options(numbers, tmp_path / "run", *shrunk)) == 0
    assert [model.config.name for model in cutting] == ["small"]


def test_a_network_of_another_width_is_trained(numbers, tmp_path) -> None:
    narrow = ["--width", "0.25", "--model", "crnn-medium", "--steps", "1"]
    assert main(options(numbers, tmp_path / "run", *narrow)) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert checkpoint.manifest.name == "crnn-medium-x0.25"
    assert checkpoint.config.hidden == 32


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--finetune", "a", "--model", "crnn"], "brings its own network"),
        (["--finetune", "a", "--width", "0.5"], "brings its own network"),
        (["--width", "0"], "a factor from 0.05 to 4"),
    ],
)
def test_a_network_is_named_once(
    more: list[str], reason: str, tmp_path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path), *more])
    with pytest.raises(SystemExit):
        main()
    assert reason in capsys.readouterr().err


def small_checkpoint(path: Path, collapse: tuple[int, int] = (2, 1), **manifest: object) -> Path:
    config = ModelConfig("small", (4, 4, 8, 8, 8, 8, 8), 8, 1, DIGITS.num_classes, collapse)
    save_checkpoint(path, CRNN(config), Manifest(name="small", charset=DIGITS).replace(**manifest))
    return path


@pytest.mark.parametrize("collapse", [(2, 1), (2, 2)])
def test_a_student_comes_to_say_what_its_teacher_says(collapse, tmp_path) -> None:
    torch.manual_seed(0)
    path = small_checkpoint(tmp_path / "teacher.safetensors", collapse)
    manifest = load_checkpoint(path).manifest
    teacher = Teacher(path, manifest, torch.device("cpu"), None)
    tensor = torch.randn(4, 1, 32, 64)
    told = teacher.model(tensor).log_softmax(-1)
    expected = torch.cat([told, told[:, -1:]], dim=1)[:, :16]  # the last step stands in
    assert teacher.loss(tensor, expected) == pytest.approx(0, abs=1e-4)
    student = torch.zeros(4, 16, DIGITS.num_classes, requires_grad=True)
    optimizer = torch.optim.Adam([student], 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        teacher.loss(tensor, student.log_softmax(-1)).backward()
        optimizer.step()
    torch.testing.assert_close(student.log_softmax(-1), expected, atol=0.02, rtol=0)


def test_a_teacher_changes_what_is_learnt(numbers, tmp_path) -> None:
    teacher = small_checkpoint(tmp_path / "teacher.safetensors")
    steps = ["--steps", "2"]
    assert main(options(numbers, tmp_path / "alone", *steps)) == 0
    assert main(options(numbers, tmp_path / "taught", *steps, "--teacher", str(teacher))) == 0
    alone, taught = weights(tmp_path / "alone"), weights(tmp_path / "taught")
    assert not torch.equal(alone["model/linears.0.bias"], taught["model/linears.0.bias"])


def test_a_teacher_that_spells_otherwise_is_refused(numbers, tmp_path, capsys) -> None:
    teacher = small_checkpoint(tmp_path / "t.safetensors", stride=8)
    assert main(options(numbers, tmp_path / "r", "--steps", "1", "--teacher", str(teacher))) == 1
    assert "its stride is 8, the student's 4" in capsys.readouterr().err


def test_two_processes_train_one_model(numbers, tmp_path) -> None:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(29500 + os.getpid() % 1000),
        "-m",
        "model.train",
        *options(numbers, tmp_path / "two", "--steps", "4", "--device", "cpu"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    state = read_safetensors(tmp_path / "two" / LAST)[1]
    assert json.loads(state["step"]) == 4
    best = load_checkpoint(tmp_path / "two" / "best.safetensors")
    assert best.manifest.provenance["images_seen"] == 4 * 2 * 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--data", "/nowhere"], "labels.tsv"),
        (["--data", "{numbers}=heavy"], "heavy"),
        (["--charset", "abc"], "charset"),
        (["--charset", "@/nowhere"], "/nowhere"),
        (["--finetune", "/nowhere.safetensors"], "/nowhere"),
        (["--device", "tpu"], "tpu"),
        (["--precision", "fp16"], "CUDA"),
        (["--eval", "/nowhere"], "labels.tsv"),
    ],
)
def test_bad_settings_are_refused_in_one_line(numbers, tmp_path, capsys, change, says) -> None:
    change = [c.format(numbers=numbers) for c in change]
    assert main(options(numbers, tmp_path / "run", "--steps", "1", *change)) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1


def test_a_finished_run_is_never_overwritten(numbers, tmp_path, capsys) -> None:
    assert main(options(numbers, tmp_path / "run", "--steps", "1")) == 0
    with pytest.raises(SystemExit):
        main(options(numbers, tmp_path / "run", "--steps", "1"))
    assert "--resume" in capsys.readouterr().err


def test_resume_refuses_settings_that_contradict_the_run(numbers, tmp_path, capsys) -> None:
    assert main(options(numbers, tmp_path / "run", "--steps", "1")) == 0
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "run"), "--resume", "--lr", "0.5"])
    assert "contradicts" in capsys.readouterr().err


def test_resume_without_a_run_says_so(tmp_path, capsys) -> None:
    assert main(["--out", str(tmp_path), "--resume"]) == 1
    assert "no checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rate_rises_peaks_once_and_never_leaves_its_range(schedule) -> None:
    factors = [lr_factor(step, 1000, schedule) for step in range(1001)]
    assert factors[0] < 0.1
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert all(0 < f <= 1 for f in factors)
    if schedule != "constant":
        assert factors[-1] < 0.02
