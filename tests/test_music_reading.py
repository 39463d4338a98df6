"""The score reader: its examples, its choice among readings, and what it says of trouble."""

from __future__ import annotations

import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_edge.backends import open_backend
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognition import Recognition
from examples.music import measure, read
from examples.music.score import parse
from examples.music.sound import RATE
from examples.music.symbols import CHARSET

ROOT = Path(__file__).parents[1]
IMAGES = Path(read.__file__).parent / "images"
SCORES = LabelledFolder(IMAGES)


@pytest.mark.parametrize("index", range(len(SCORES)), ids=lambda i: SCORES.paths[i].stem)
def test_the_example_scores_are_read(index: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert read.main([str(SCORES.paths[index]), "--symbols", "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{SCORES.texts[index]}\n"
    assert not printed.err


def test_the_model_has_the_charset_of_the_symbols() -> None:
    manifest = open_backend(read.MODEL).manifest
    assert manifest.charset == CHARSET
    assert manifest.precision == "int8"


def test_an_image_becomes_abc_and_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tune.wav"
    path = SCORES.paths[0]
    assert read.main([str(path), "--wav", str(out), "--tempo", "120"]) == 0
    score = parse(CHARSET.split(SCORES.texts[0]))
    assert capsys.readouterr().out == score.abc(path.stem)
    with wave.open(str(out)) as file:
        seconds = file.getnframes() / RATE
    assert seconds == pytest.approx(sum(length for _, length in score.sounding()) / 8, rel=1e-3)
    assert [file.name for file in tmp_path.iterdir()] == ["tune.wav"]


def test_a_sound_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    for out in (folder, tmp_path / "nowhere" / "tune.wav"):
        assert read.main([str(SCORES.paths[0]), "--wav", str(out)]) == 1
        assert capsys.readouterr().err.startswith(f"error: cannot write {out}: ")
    assert list(tmp_path.iterdir()) == [folder]


def test_tunes_of_several_images_are_separated(capsys: pytest.CaptureFixture[str]) -> None:
    paths = SCORES.paths[:2]
    assert read.main([str(paths[0]), "nowhere.png", str(paths[1])]) == 1
    tunes = [
        parse(CHARSET.split(text)).abc(path.stem, number=number)
        for number, path, text in zip((1, 2), paths, SCORES.texts, strict=False)
    ]
    assert tunes[1].startswith("X:2\n")
    assert capsys.readouterr().out == "\n".join(tunes)  # an empty line ends a tune


def test_an_image_too_wide_to_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (20_000, 64), 255).save(path)
    assert read.main([str(path), str(SCORES.paths[0])]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {path}: ")
    assert printed.out.startswith("X:1\n")


def reading(*texts: str, apart: float = 1.0) -> Recognition:
    """Of several texts, each so much less likely than the one before."""
    found = []
    for rank, text in enumerate(texts):
        none = np.zeros((1, 1), np.float32)
        one = Hypothesis(tuple(CHARSET.encode(text)), none)
        vars(one)["log_prob"] = -apart * rank
        found.append(one)
    return Recognition.of(CHARSET, found)


UPBEAT = "clef.G time.3/8 note.quarter-L1 note.eighth-L1 barline note.eighth-L1"
LONG = "clef.G time.3/8 note.quarter-L1 note.quarter-L1 barline note.eighth-L1"
FREE = "clef.G note.quarter-L1 note.quarter-L1 barline note.eighth-L1"
NONE = "time.3/8 note.quarter-L1"


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ((UPBEAT, LONG), UPBEAT),
        ((LONG, UPBEAT), UPBEAT),
        ((NONE, LONG, UPBEAT), UPBEAT),
        ((NONE, LONG), LONG),
        ((NONE, "dot"), NONE),
        ((LONG, FREE), LONG),
        ((LONG, FREE, UPBEAT), UPBEAT),
        ((FREE, UPBEAT), FREE),
        ((LONG, LONG.replace("3/8", "2/4")), LONG.replace("3/8", "2/4")),
    ],
)
def test_the_most_probable_hypothesis_that_fills_its_measures_is_chosen(
    texts: tuple[str, ...], chosen: str
) -> None:
    assert read.most_musical(reading(*texts)).text == chosen


@pytest.mark.parametrize(("apart", "chosen"), [(2.0, "time.3/8"), (6.0, "time.2/4")])
def test_full_measures_outweigh_some_probability(apart: float, chosen: str) -> None:
    short = "clef.G time.2/4 note.quarter-L1 note.eighth-L1 barline"
    full = short.replace("2/4", "3/8")
    assert read.most_musical(reading(short, full, apart=apart)).tokens[1] == chosen


def test_a_measure_of_the_wrong_length_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(read, "load", lambda *_: lambda image: reading(LONG))
    assert read.main([str(SCORES.paths[0])] * 3) == 0
    printed = capsys.readouterr()
    assert printed.err.count("the length of measure 1 is not 3/8") == 3
    assert re.findall("X:.*", printed.out) == ["X:1", "X:2", "X:3"]


def test_what_is_not_a_score_is_reported_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")
    Image.new("L", (80, 64), 255).save(tmp_path / "empty.png")
    paths = [tmp_path / "no.png", tmp_path / "empty.png", SCORES.paths[0]]
    readings = iter([reading(NONE), reading(UPBEAT)])
    monkeypatch.setattr(read, "load", lambda *_: lambda image: next(readings))
    assert read.main([*map(str, paths), "--symbols"]) == 1
    printed = capsys.readouterr()
    first, second = printed.err.splitlines()
    assert "no.png" in first
    assert "empty.png: the recognized symbols are not a score: expected a clef first" in second
    assert printed.out.splitlines() == [NONE, UPBEAT]


@pytest.mark.parametrize(
    "argv",
    [
        ["a.png", "--wav", "c.wav", "--tempo", "0"],
        ["a.png", "--tempo", "90"],
        ["a.png", "b.png", "--wav", "c.wav"],
        ["a.png", "--wav", "a.png"],
    ],
)
def test_misuse_exits_with_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read.main(argv)


def test_a_model_of_letters_reads_no_music(capsys: pytest.CaptureFixture[str]) -> None:
    from crnn_edge.recognizer import DEFAULT_MODEL

    assert read.main([str(SCORES.paths[0]), "--model", str(DEFAULT_MODEL)]) == 1
    assert "is not a model for music" in capsys.readouterr().err


def test_measuring_prints_exact_lines_and_symbol_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure.main([str(IMAGES), "--threads", "1"]) == 0
    first, filled = capsys.readouterr().out.splitlines()
    assert f"n={len(SCORES)}" in first
    assert filled.split("\t")[1] == "fills its measures"
    assert "exact 1.0000" in filled
    assert "SER 0.0000" in filled


def test_a_board_reads_music_without_the_packages_of_training() -> None:
    absent = "torch", "cv2", "verovio", "resvg_py", "onnx", "tqdm"
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
        f"from examples.music import read\n"
        f"sys.exit(read.main([{str(SCORES.paths[0])!r}, '--symbols', '--threads', '1']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{SCORES.texts[0]}\n"
