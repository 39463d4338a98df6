from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from runtime_cli import run

from crnn_edge.cli.main import main
from crnn_edge.recognizer import Recognizer

ROOT = Path(__file__).parent.parent


def test_read_writes_path_text_and_confidence(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "read", "--model", tiny_model, pictures)
    recognizer = Recognizer.load(tiny_model)
    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [Path(path).name for path, _, _ in rows] == ["a.png", "b.png", "c.png"]
    for path, text, confidence in rows:
        reading = recognizer(np.asarray(Image.open(path)))
        assert text == reading.text
        assert float(confidence) == pytest.approx(reading.confidence, abs=1e-4)


def test_a_text_that_is_not_as_asked_is_marked(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("read", "--model", tiny_model, pictures / "a.png", "--decoder", "beam", "--set")
    _, out, _ = run(capsys, *asked, "pattern=[a-j]*")
    assert out.count("\t") == 2
    code, out, err = run(capsys, *asked, "pattern=a{400}")  # more than there are time steps
    assert (code, err) == (0, "")
    assert out.rstrip("\n").split("\t")[3:] == ["no match"]


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_readings_do_not_depend_on_the_batch(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str], batch: int
) -> None:
    found = run(capsys, "read", "--model", tiny_model, pictures, pictures, "--batch", batch)
    assert found == run(capsys, "read", "--model", tiny_model, pictures, pictures, "--batch", 5)


def test_json_is_an_object_a_line(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "read", "--model", tiny_model, pictures / "b.png", pictures, "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert len(objects) == 4
    assert objects[0] == objects[2]
    assert set(objects[0]) == {
        "path", "text", "confidence", "log_prob", "characters", "alternatives",
        "lm_score", "matches_constraint", "optimal", "rotation",
    }  # fmt: skip
    assert "".join(c["token"] for c in objects[0]["characters"]) == objects[0]["text"]


def test_standard_input_is_a_picture(
    tiny_model: Path,
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = (pictures / "b.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    _, from_file, _ = run(capsys, "read", "--model", tiny_model, pictures / "b.png")
    code, out, _ = run(capsys, "read", "--model", tiny_model, "-")
    assert code == 0
    assert out.split("\t")[1:] == from_file.split("\t")[1:]


def test_bad_pictures_are_told_and_the_others_read(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "aa.png").write_bytes(b"")
    (pictures / "bb.jpg").write_bytes((pictures / "b.png").read_bytes()[:300])
    Image.new("L", (9000, 40)).save(pictures / "long.png")
    code, out, err = run(capsys, "read", "--model", tiny_model, "none.png", pictures)
    assert code == 1
    assert [Path(line.split("\t")[0]).name for line in out.splitlines()] == [
        "a.png", "b.png", "c.png",
    ]  # fmt: skip
    errors = err.splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
    for line, words in zip(
        errors, ["none.png", "aa.png: the file is empty", "bb.jpg", "long.png: an image of 9000"],
        strict=True,
    ):  # fmt: skip
        assert words in line


def test_any_file_name_can_be_told(tiny_model: Path, pictures: Path) -> None:
    odd = os.fsencode(pictures) + b"/odd \xff \xe6\x97\xa5.png"
    (pictures / "b.png").rename(os.fsdecode(odd))
    command = [sys.executable, "-m", "crnn_edge", "read", "--model", tiny_model, odd]
    asked = {"cwd": ROOT, "capture_output": True, "env": os.environ | {"PYTHONIOENCODING": "ascii"}}
    done = subprocess.run([*command, b"\xfe.png"], **asked)
    assert done.stdout.startswith(odd + b"\t")
    assert done.stderr.startswith(b"error: no such image or folder: ")
    assert done.stderr.count(b"\n") == 1
    told = subprocess.run([*command, "--json"], **asked).stdout.decode()
    assert "日" in told
    assert os.fsencode(json.loads(told)["path"]) == odd


def test_impossible_names_are_refused(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "read", "--model", tiny_model, "x" * 5000, "a\0b")
    assert (code, err.count("\n")) == (1, 2)
    for name in ("x" * 5000 + ".onnx", "a\0b.onnx"):
        code, _, err = run(capsys, "info", name)
        assert (code, err.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("read", "--model", "none.onnx", "x.png"), "there is no such file"),
        (("read", "--model", "none.onnx", "--backend", "magic", "x.png"), "no backend 'magic'"),
        (("info", "none.onnx"), "none.onnx: there is no such file"),
        (("check", "none.onnx"), "there is no such file"),
        (("bench", "none.onnx"), "there is no such file"),
        (("info", "x.bin"), "suffix '.bin'"),
        (("index-lexicon", "x/../words.txt", "--out", "words.txt"), "is the word list itself"),
        (("info", "x.safetensors"), "export it first: python -m export.onnx x.safetensors"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_unknown_decoders_and_devices_are_errors(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, value in (("--decoder", "magic"), ("--device", "abacus")):
        code, _, err = run(capsys, "read", "--model", tiny_model, option, value, pictures)
        assert code == 1
        assert repr(value) in err


def test_an_unknown_setting_lists_those_that_exist_as_the_help_says(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(
        capsys, "read", "--model", tiny_model, pictures, "--decoder", "beam", "--set", "x="
    )
    assert code == 1
    for setting in ("beam_size=", "pattern=", "nbest="):
        assert setting in err
    with pytest.raises(SystemExit):
        main(["read", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "an unknown one is refused with a list of those that exist" in told


@pytest.mark.parametrize(
    "arguments",
    [(), ("read",), ("read", "x.png", "--batch", "0"), ("bench", "--runs", "x"), ("sing",),],
)  # fmt: skip
def test_misuse_exits_with_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("command", ["read", "info", "check", "bench", "index-lexicon"])
def test_help_teaches_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"python -m crnn_edge {command} " in capsys.readouterr().out.partition("examples:")[2]


def test_it_runs_as_a_module_and_stops_quietly_when_nobody_listens(
    tiny_model: Path, pictures: Path
) -> None:
    command = f"{sys.executable} -m crnn_edge read --model {tiny_model} --batch 1 {pictures}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 1"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith(str(pictures / "a.png"))
    assert done.stdout.count("\n") == 1


def test_a_model_among_the_pictures_is_told_as_such(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "read", pictures / "a.png", tiny_model)
    assert (code, out.count("\n")) == (1, 1)
    assert err.endswith("(pass a model file with --model)\n")


def test_standard_input_that_is_closed_is_told(tiny_model: Path) -> None:
    command = f"{sys.executable} -m crnn_edge read --model {tiny_model} - <&-"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: standard input: it is closed\n")


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "abc", "9" * 20])
def test_numbers_that_no_option_can_mean_are_refused(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["read", "word.png", f"--batch={number}"])
    assert ended.value.code == 2
    told = f"--batch: expected a whole number from 1 to 999999, got '{number}'"
    assert told in capsys.readouterr().err
