from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest
from training import copy_of, options, parse_config

from model.network.checkpoint import load_checkpoint
from model.train import main
from model.training.initialization import initial_model
from model.training.sources import DataSource, StyleSource
from model.training.trainer import resume_hint
from quantize.calibration import LabelledCrops


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--finetune", "a", "--model", "crnn"], "uses the network of the checkpoint"),
        (["--finetune", "a", "--width-mult", "0.5"], "uses the network of the checkpoint"),
        (["--width-mult", "0"], "a factor from 0.05 to 4"),
    ],
)
def test_a_network_is_named_once(
    more: list[str], reason: str, tmp_path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path), *more])
    with pytest.raises(SystemExit):
        main()
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--data", "/nowhere"], "labels.tsv"),
        (["--charset", "abc"], "charset"),
        (["--charset", "@/nowhere"], "/nowhere"),
        (["--charset", ""], "--charset is empty"),
        (["--finetune", "/nowhere.safetensors"], "/nowhere"),
        (["--device", "tpu"], "tpu"),
        (["--amp", "fp16"], "CUDA"),
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


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--seed", "-1", "--seed must be a whole number from 0 to 2147483647, got -1"),
        (
            "--seed",
            str(2**31),
            "--seed must be a whole number from 0 to 2147483647, got 2147483648",
        ),
        ("--lr", "-1", "--lr must be a finite number of at least 0, got -1.0"),
        ("--lr", "nan", "--lr must be a finite number of at least 0, got nan"),
        ("--lr", "inf", "--lr must be a finite number of at least 0, got inf"),
        ("--weight-decay", "-1", "--weight-decay must be a finite number of at least 0"),
        ("--synth", "nan", "--synth must be a finite number of at least 0"),
        ("--synth", "inf", "--synth must be a finite number of at least 0"),
        ("--synth", "-0.1", "--synth must be a finite number of at least 0"),
        ("--splice", "nan", "--splice must be a finite number of at least 0"),
        ("--distill-weight", "inf", "--distill-weight must be a finite number of at least 0"),
        ("--workers", "-1", "--workers must be a finite number of at least 0"),
        ("--clip", "-5", "--clip must be a gradient norm of at least 1e-6, got -5.0"),
        ("--clip", "0", "--clip must be a gradient norm of at least 1e-6, got 0.0"),
        ("--clip", "nan", "--clip must be a gradient norm"),
        ("--ema", "3", "--ema must be a decay from 0 to 1, got 3.0"),
        ("--ema", "nan", "--ema must be a decay from 0 to 1, got nan"),
        ("--augment", "nan", "--augment must be a strength from 0 to 2, got nan"),
        ("--tta-threshold", "1.5", "--tta-threshold must be a probability from 0 to 1, got 1.5"),
        ("--width-mult", "nan", "--width-mult must be a factor from 0.05 to 4, got nan"),
        ("--threads", "-1", "--threads must be at least 1, got -1"),
        ("--threads", "0", "--threads must be at least 1, got 0"),
        ("--steps", "0", "--steps must be at least 1, got 0"),
        ("--batch", "0", "--batch must be at least 1"),
        ("--max-width", "-2", "--max-width must be at least 1"),
        ("--save-every", "0", "--save-every must be at least 1"),
        ("--eval-every", "0", "--eval-every must be at least 1"),
        ("--data", "a=heavy", "invalid weight 'heavy' in 'a=heavy'"),
        ("--data", "a=nan", "invalid weight 'nan' in 'a=nan'"),
        ("--data", "a=inf", "invalid weight 'inf' in 'a=inf'"),
        ("--data", "a=-1", "invalid weight '-1' in 'a=-1'"),
    ],
)
def test_a_number_that_means_nothing_is_refused(option, value, says, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        parse_config(["--out", str(tmp_path), option, value])
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("item", "folder", "weight"),
    [
        ("run", "run", 1),
        ("run=", "run", 1),
        ("run=0.25", "run", 0.25),
        ("run=1", "run=1", 1),
        ("run=1=0.5", "run=1", 0.5),
        ("run=1/crops=2", "run=1/crops", 2),
    ],
)
def test_a_folder_of_data_may_have_an_equals_sign_in_its_name(
    item, folder, weight, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run=1").mkdir()
    assert parse_config(["--out", "x", "--data", item]).data.data == (
        DataSource(Path(folder), weight),
    )


def test_a_run_trains_on_such_a_folder(numbers, tmp_path) -> None:
    crops = shutil.copytree(numbers, tmp_path / "run=1")
    assert main(options(crops, tmp_path / "run", "--steps", "1")) == 0
    final = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert final.manifest.trained_on == "run=1 x 1"


def test_what_is_trained_on_is_not_measured_on(numbers, tmp_path, capsys) -> None:
    (tmp_path / "link").symlink_to(numbers)
    for item in (f"{numbers}", f"{numbers}/=0.5", f"{tmp_path / 'link'}"):
        with pytest.raises(SystemExit):
            parse_config(["--out", str(tmp_path / "run"), "--data", item, "--eval", str(numbers)])
        assert f"--eval {numbers} is also given as --data" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_a_file_is_no_place_for_a_run(more, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "file"), *more])
    assert f"--out {tmp_path / 'file'} is a file: expected" in capsys.readouterr().err


def test_bounds_themselves_are_taken(tmp_path) -> None:
    least = "--seed 0 --lr 0 --clip 1e-6 --ema 0 --augment 0 --tta-threshold 0 --workers 0"
    least += " --width-mult 0.05"
    most = "--seed 2147483647 --ema 1 --augment 2 --tta-threshold 1 --width-mult 4"
    config = parse_config(["--out", str(tmp_path), *least.split(), "--data", "a=0"])
    assert config.data.data == (DataSource(Path("a"), 0.0),)
    config = parse_config(["--out", str(tmp_path), *most.split(), "--data", "a"])
    assert (config.seed, config.init.width_mult) == (2147483647, 4)


def test_resume_refuses_numbers_that_mean_nothing(numbers, tmp_path, capsys) -> None:
    assert main(options(numbers, tmp_path, "--steps", "1")) == 0
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--resume", "--save-every", "0"])
    assert "--save-every must be at least 1, got 0" in capsys.readouterr().err


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
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--resume"])
    assert "no run to resume in" in capsys.readouterr().err


def test_a_run_is_resumed_from_any_folder(numbers, tmp_path, monkeypatch, capsys) -> None:
    copy = copy_of(numbers)
    monkeypatch.chdir(numbers.parent)
    assert main(options(Path(numbers.name), tmp_path / "run", "--steps", "2")) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "run", "--resume"]) == 0
    assert "has finished its" in capsys.readouterr().err
    assert main(["--out", "run", "--resume", "--data", str(numbers), "--eval", str(copy)]) == 0
    with pytest.raises(SystemExit):
        main(["--out", "run", "--resume", "--data", numbers.name])
    assert "contradicts the run" in capsys.readouterr().err


def test_what_is_refused_leaves_no_folder(numbers, tmp_path) -> None:
    assert main(options(numbers, tmp_path / "run", "--charset", "abc")) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--words", "--fonts"])
def test_what_rendered_words_need_is_refused_where_there_are_none(
    option, numbers, tmp_path, capsys
) -> None:
    with pytest.raises(SystemExit):
        main(options(numbers, tmp_path / "run", option, "none"))
    assert "but --synth is 0" in capsys.readouterr().err


def test_a_line_to_go_on_with_can_be_pasted(numbers, tmp_path) -> None:
    settings = parse_config(["--out", str(tmp_path / "a run"), "--data", str(numbers)])
    command = shlex.split(resume_hint(settings).split("`")[1])
    assert command[command.index("--out") + 1] == str(tmp_path / "a run")


def test_what_would_be_ignored_is_refused(numbers, tmp_path, capsys, monkeypatch) -> None:
    with pytest.raises(SystemExit):
        main(options(numbers, tmp_path / "run", "--distill-weight", "2"))
    assert "--distill-weight needs a --teacher" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "run"), "--augment", "2"])
    assert "--augment applies to --data crops" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        main(options(numbers, tmp_path / "run", "--device", "cuda:1"))
    assert "would be shared by all 2 processes" in capsys.readouterr().err


def test_a_folder_is_told_by_its_name_wherever_one_stands(numbers, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(numbers)
    assert LabelledCrops.load(".").name == numbers.name
    start = initial_model(parse_config(["--out", str(tmp_path / "run"), "--data", "."]))
    assert f"{numbers.name} x 1" in start.manifest.trained_on


@pytest.mark.parametrize(
    "more", [("--texts", "a", "--text-pattern", "b"), ("--texts", "a", "--words", "b")]
)
def test_texts_are_of_one_kind(more: tuple[str, ...], tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        parse_config(["--out", str(tmp_path / "run"), *more])
    assert "give only one of --words, --text-pattern and --texts" in capsys.readouterr().err


def test_styles_and_unlabelled_characters_are_settings(numbers, tmp_path) -> None:
    more = ["--style", "lcd=0.5", "--style", "plate", "--text-pattern", r"\d{4}"]
    more += ["--data", f"{numbers}=2,unlabelled=-."]
    data = parse_config(["--out", str(tmp_path / "run"), *more]).data
    assert data.style == (StyleSource("lcd", 0.5), StyleSource("plate"))
    assert data.data == (DataSource(numbers, 2.0, "-."),)
    assert data.text_pattern == r"\d{4}"


def test_a_run_of_styles_alone_trains_and_names_them(numbers, tmp_path) -> None:
    start = ["--out", str(tmp_path / "run"), "--synth", "0", "--style", "lcd=1", "--batch", "2"]
    more = ["--text-pattern", r"\d{3}", "--charset", "0123456789", "--eval", str(numbers)]
    assert main([*start, *more, "--steps", "1", "--workers", "0", "--threads", "1"]) == 0
    final = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert final.manifest.trained_on == "style lcd x 1"


def test_an_unknown_style_is_refused_in_one_line(numbers, tmp_path, capsys) -> None:
    assert main(options(numbers, tmp_path / "run", "--style", "neon")) == 1
    assert "no style 'neon': there are counter" in capsys.readouterr().err
