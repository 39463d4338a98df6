from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training import DIGITS, options, parse_config, small_checkpoint

from crnn_edge.charset import Charset
from crnn_edge.manifest import Manifest, Parent
from crnn_edge.metrics import score
from crnn_edge.recognizer import Recognizer
from model.average import main as average
from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.config import CONFIGS, NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors
from model.train import main
from model.training.arguments import STATE_FILE
from model.training.initialization import initial_model
from model.training.job import build_job
from model.training.schedule import SCHEDULES, lr_factor
from model.training.trainer import Trainer

ROOT = Path(__file__).parent.parent


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
    names = {STATE_FILE, "best.safetensors", "final.safetensors", "log.jsonl", "curve.png"}
    assert {p.name for p in out.iterdir()} == names
    best = load_checkpoint(out / "best.safetensors")
    assert best.manifest.charset == DIGITS
    assert best.manifest.images_seen == 900
    assert best.manifest.trained_on == f"{numbers.name} x 1"  # no private path


def test_finetuning_keeps_the_tokens_that_both_charsets_have(numbers, tmp_path) -> None:
    recommended = ("--tta-threshold", "0.5", "--decoder", "beam")
    assert main(options(numbers, tmp_path / "a", "--steps", "1", *recommended)) == 0
    start = tmp_path / "a" / "best.safetensors"
    new = options(numbers, tmp_path / "b", "--steps", "1", "--lr", "0", "--finetune", str(start))
    new[new.index("0123456789")] = "x9876543210"
    assert main(new) == 0
    checkpoints = [load_checkpoint(tmp_path / r / "best.safetensors") for r in "ab"]
    assert [c.manifest.tta.threshold for c in checkpoints] == [0.5, 0.5]
    assert [c.manifest.decoder.name for c in checkpoints] == [
        "beam",
        "greedy",
    ]  # as advised for other texts
    old, fresh = (checkpoint.model for checkpoint in checkpoints)
    rows = [(0, 0), *((1 + "0123456789".index(d), 1 + "x9876543210".index(d)) for d in "059")]
    for row_old, row_new in rows:
        torch.testing.assert_close(
            fresh.linears[0].weight[row_new], old.linears[0].weight[row_old], rtol=0, atol=0
        )
    torch.testing.assert_close(fresh.backbone[0].weight, old.backbone[0].weight, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (["--synth", "0"], "meter"),
        (["--synth", "0.5"], "small"),
        (["--synth", "0.5", "--charset", "0123456789."], "meter"),
    ],
    ids=["own crops alone", "rendered words too", "another charset"],
)
def test_a_network_that_reads_something_else_is_called_as_its_run(
    change, name, numbers, tmp_path
) -> None:
    start = small_checkpoint(tmp_path / "small.safetensors", version="3")
    arguments = options(numbers, tmp_path / "meter", "--finetune", str(start), *change)
    manifest, _ = initial_model(parse_config(arguments))[1:]
    assert (manifest.name, manifest.version) == (name, "0")


def test_a_large_network_grows_around_a_small_one(numbers, tmp_path) -> None:
    start = small_checkpoint(tmp_path / "small.safetensors")
    frozen = ["--grow", str(start), "--model", "crnn-lite", "--steps", "1", "--lr", "0"]
    assert main(options(numbers, tmp_path / "run", *frozen)) == 0
    grown = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert grown.config.name == grown.manifest.name == "crnn-lite"
    old = load_checkpoint(start)
    parent = Parent(old.manifest.provenance["checkpoint_sha256"], "grown")
    assert grown.manifest.parents == (parent,)
    torch.testing.assert_close(
        grown.model.backbone[0].weight[:4], old.model.backbone[0].weight, rtol=0, atol=0
    )


def test_a_small_network_shrinks_out_of_a_large_one(numbers, tmp_path) -> None:
    torch.manual_seed(5)
    large, start = CRNN(CONFIGS["crnn-lite"]), tmp_path / "large.safetensors"
    save_checkpoint(start, large, Manifest(name="large", charset=Charset.ascii()))
    frozen = ["--prune", str(start), "--model", "crnn-lite", "--steps", "1", "--lr", "0"]
    assert main(options(numbers, tmp_path / "run", *frozen)) == 0
    same = load_checkpoint(tmp_path / "run" / "final.safetensors")
    old = load_checkpoint(start)
    assert same.config.name == same.manifest.name == "crnn-lite"
    assert same.manifest.charset == DIGITS
    parent = Parent(old.manifest.provenance["checkpoint_sha256"], "pruned")
    assert same.manifest.parents == (parent,)
    torch.testing.assert_close(
        same.model.lstms[0].weight_hh_l0, old.model.lstms[0].weight_hh_l0, rtol=0, atol=0
    )


def test_pieces_are_cut_by_the_network_that_reads(numbers, tmp_path, monkeypatch) -> None:
    start, cutting = small_checkpoint(tmp_path / "small.safetensors"), []

    def pieces(datasets: list[object], recognizer: Recognizer, seed: int) -> object:
        cutting.append(recognizer.backend.model)
        return datasets[0]

    monkeypatch.setattr("model.training.job.SplicedCrops", pieces)
    monkeypatch.setitem(CONFIGS, "crnn-lite", NetworkConfig("less", (4,) * 7, 8, 1))
    shrunk = ["--prune", str(start), "--splice", "1", "--steps", "1"]
    assert main(options(numbers, tmp_path / "run", *shrunk)) == 0
    assert [model.config.name for model in cutting] == ["small"]


def test_a_network_of_another_width_is_trained(numbers, tmp_path) -> None:
    narrow = ["--width-mult", "0.25", "--model", "crnn-medium", "--steps", "1"]
    assert main(options(numbers, tmp_path / "run", *narrow)) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert checkpoint.manifest.name == "crnn-medium-x0.25"
    assert checkpoint.config.lstm_hidden == 32


def test_two_processes_train_one_model(numbers, tmp_path, capsys) -> None:
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
    state = read_safetensors(tmp_path / "two" / STATE_FILE)[1]
    assert json.loads(state["step"]) == 4
    best = load_checkpoint(tmp_path / "two" / "best.safetensors")
    assert best.manifest.images_seen == 4 * 2 * 2
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "two"), "--resume"])
    assert "has 2 processes, not 1" in capsys.readouterr().err


def test_the_best_step_is_the_most_exact_one_not_what_the_protocol_makes_of_it(
    numbers, tmp_path, monkeypatch
) -> None:
    readings = iter([["12", "0"], ["1.2", "9"], ["1.2", "0.3"], ["1.2", "0"]])
    monkeypatch.setattr(
        "model.training.trainer.score_greedily", lambda *_: score(["1.2", "0.4"], next(readings))
    )
    run = tmp_path / "run"
    assert main(options(numbers, run, "--steps", "4", "--eval-every", "1")) == 0
    best = load_checkpoint(run / "best.safetensors")
    assert best.manifest.images_seen == 3 * 2  # as exact as the second, fewer edits


@pytest.mark.parametrize("workers", ["0", "1"])
def test_crops_too_wide_to_train_on_are_told_and_all_of_them_refused(
    numbers, tmp_path, capfd, workers
) -> None:
    for name, width in (("short", 96), ("wide", 600), ("odd", 96)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((32, width), 200, np.uint8))
    (tmp_path / "labels.tsv").write_text("short.png\t12\nwide.png\t34\nodd.png\tx\n")
    more = [
        "--data",
        str(tmp_path),
        "--steps",
        "1",
        "--out-of-charset",
        "skip",
        "--workers",
        workers,
    ]
    assert main([*options(numbers, tmp_path / "one", *more)]) == 0
    told = capfd.readouterr().err
    assert f"{tmp_path}: 1 crops are skipped: out of charset or empty" in told
    assert "1 of 2 checked crops are wider than --max-width 256 px at height 32 and are" in told
    (tmp_path / "labels.tsv").write_text("wide.png\t34\n")
    assert main([*options(numbers, tmp_path / "all", *more)]) == 1
    assert "1 of 1 checked crops are wider than --max-width 256 px" in capfd.readouterr().err


def test_an_eval_crop_that_is_too_long_ends_a_run_before_it_begins(
    numbers, tmp_path, capsys
) -> None:
    for name, width in (("word", 96), ("ok", 96), ("long", 2000)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((16, width), 200, np.uint8))
    (tmp_path / "labels.tsv").write_text("word.png\tword\nok.png\t1\nlong.png\t23\n")
    run = tmp_path / "run"
    arguments = options(numbers, run, "--eval", str(tmp_path), "--out-of-charset", "skip")
    assert main([*arguments, "--steps", "1"]) == 1
    assert f"error: --eval {tmp_path}: number 3, '23': an image of 2000×16 px" in (
        capsys.readouterr().err
    )
    assert not run.exists()


def test_a_run_is_not_averaged_with_a_network_of_another_charset(numbers, tmp_path, capsys) -> None:
    assert main(options(numbers, tmp_path / "run", "--steps", "1")) == 0
    last, other = tmp_path / "run" / STATE_FILE, tmp_path / "other.safetensors"
    best = load_checkpoint(tmp_path / "run" / "best.safetensors")
    letters = best.manifest.replace(charset=Charset(tuple("abcdefghij")))
    capsys.readouterr()
    for manifest, code in ((best.manifest, 0), (letters, 1)):
        save_checkpoint(other, best.model, manifest)
        assert average([str(other), str(last), "--out", str(tmp_path / "mean.safetensors")]) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ")  # and no remark on what a state does not say
    assert "its charset is" in said


def test_gradients_that_are_not_finite_are_not_applied(numbers, tmp_path) -> None:
    trainer = Trainer(parse_config(options(numbers, tmp_path, "--steps", "2")))
    batch, model = next(trainer.batches()), trainer.state.model
    before = [weight.detach().clone() for weight in model.parameters()]
    trainer.loss_weights["loss"] = math.inf
    trainer.train_step(batch)
    assert trainer.state.step == 1
    assert all(map(torch.equal, model.parameters(), before))
    trainer.loss_weights["loss"] = 1.0
    trainer.train_step(batch)
    assert not any(map(torch.equal, model.parameters(), before))
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_a_picture_of_no_numbers_does_not_end_a_run(numbers, tmp_path) -> None:
    trainer = Trainer(parse_config(options(numbers, tmp_path, "--steps", "3")))
    batch, state = next(trainer.batches()), trainer.state
    before = {k: v.clone() for k, v in state.model.state_dict().items()}
    trainer.train_step(batch._replace(tensor=batch.tensor * math.nan))
    after = state.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    trainer.train_step(batch)
    for tensor in (*state.model.state_dict().values(), *state.ema.model.state_dict().values()):
        assert tensor.isfinite().all()


def test_gradients_are_clipped(numbers, tmp_path) -> None:
    trainer = Trainer(parse_config(options(numbers, tmp_path, "--steps", "2", "--clip", "0.01")))
    trainer.train_step(next(trainer.batches()))
    gradients = [weight.grad for weight in trainer.state.model.parameters()]
    assert torch.nn.utils.get_total_norm(gradients) == pytest.approx(0.01, rel=1e-3)


def test_words_to_measure_on_are_the_same_in_each_run_and_none_to_train_on(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("model.training.job.EVAL_COUNT", 4)
    runs = [build_job(parse_config(["--out", str(tmp_path), "--seed", seed])) for seed in "12"]
    for one, other in zip(runs[0].validation, runs[1].validation, strict=True):
        assert np.array_equal(one[0], other[0])
    for run in runs:
        trained = [run.batches.mixture.sources[0].source[index][0] for index in range(4)]
        assert not any(map(np.array_equal, trained, (image for image, _ in run.validation)))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rate_rises_peaks_once_and_never_leaves_its_range(schedule) -> None:
    factors = [lr_factor(step, 1000, schedule) for step in range(1001)]
    assert factors[0] < 0.1
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert all(0 < f <= 1 for f in factors)
    if schedule != "constant":
        assert factors[-1] < 0.02
