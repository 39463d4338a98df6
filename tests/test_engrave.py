"""Pictures of scores: what is drawn is what the label says, so far as ink can tell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.errors import EngineError
from crnn_edge.labels import LabelledFolder
from examples.music import engrave, engravers
from examples.music.engrave import Engraved
from examples.music.score import parse
from examples.music.symbols import CHARSET, TOKENS
from model.training.charset import parse_charset

drawn = pytest.mark.skipif(
    find_spec("verovio") is None or find_spec("resvg_py") is None,
    reason="drawing music needs an extra that reading it does not: pip install '.[music]'",
)
BARE = "clef.G note.quarter-L2"


def ink(symbols: str, font: str = "Bravura") -> np.ndarray:
    return engravers.verovio(parse(symbols.split()).abc(), np.random.default_rng(0), (font,))


@drawn
def test_each_sign_leaves_ink_of_its_own() -> None:
    shorter, longer = ink(f"{BARE} barline"), ink(f"{BARE} note.quarter-L2 barline")
    assert longer.shape[1] > shorter.shape[1]
    for other in ("clef.F note.quarter-L2", "clef.G note.half-L2", "clef.G note.quarter-S2"):
        assert not np.array_equal(ink(f"{other} barline"), shorter)


@drawn
@pytest.mark.parametrize("font", engravers.FONTS)
def test_a_score_is_drawn_in_every_font(font: str) -> None:
    picture = ink(f"{BARE} barline", font)
    assert picture.dtype == np.uint8
    assert picture.ndim == 2
    assert picture[:, 0].min() < 128
    assert picture[0].min() < 128


@drawn
def test_a_score_without_a_final_bar_line_is_drawn_to_its_end() -> None:
    ended, cut = ink(f"{BARE} barline"), ink(BARE)
    left_out = ink("clef.G note.quarter-L2 barline note.quarter-L3")
    assert abs(cut.shape[1] - ended.shape[1]) <= 3  # but for the line itself
    assert left_out.shape[1] > ended.shape[1] + 10
    bar = ended[:, -2:].min(axis=1) < 128
    assert bar.sum() > 2 * (cut[:, -2:].min(axis=1) < 128).sum()


@drawn
def test_a_number_gives_one_image_wherever_it_is_made() -> None:
    image, text = Engraved(3)[7]
    again, same = Engraved(3)[7]
    assert np.array_equal(image, again)
    assert text == same
    assert text != Engraved(4)[7][1]
    assert parse(CHARSET.split(text)).symbols() == text.split()


@drawn
def test_paper_is_white_or_gray() -> None:
    paper = [int(Engraved(3)[number][0].max()) for number in range(12)]
    assert max(paper) == 255
    assert min(paper) < 250


def test_a_whole_rest_is_drawn_where_a_note_would_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_of: list[str] = []

    def verovio(abc: str, *_: object) -> np.ndarray:
        drawn_of.append(abc)
        return np.zeros((8, 8), np.uint8)

    monkeypatch.setattr(engravers, "verovio", verovio)
    text = "clef.G time.3/4 rest.whole barline"
    assert Engraved(1, texts=(text,))[0][1] == text
    assert drawn_of[0].endswith("\nz16 |\n")


@drawn
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_can_be_trained_on(tmp_path: Path, workers: str) -> None:
    out = tmp_path / "scores"
    assert engrave.main(["--out", str(out), "--count", "3", "--workers", workers]) == 0
    folder = LabelledFolder(out)
    assert [path.name for path in folder.paths] == [f"score-000000{i}.jpg" for i in range(3)]
    assert all(text in CHARSET for text in folder.texts)
    assert parse_charset(f"@{out / 'symbols.txt'}") == CHARSET


@drawn
def test_given_scores_are_drawn_in_their_order(tmp_path: Path) -> None:
    songs, out = tmp_path / "songs.txt", tmp_path / "out"
    songs.write_bytes(f"\ufeff{BARE} \r\n  \r\n\r\nclef.F  note.half-L3 barline\r\n".encode())
    assert engrave.main(["--out", str(out), "--scores", str(songs)]) == 0
    assert LabelledFolder(out).texts == [BARE, "clef.F note.half-L3 barline"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no score"),
        (
            f"{BARE}\n\nclef.G note.third-L2\n",
            "line 3: unknown symbols: ['note.third-L2']",
        ),
        ("clef.G dot", "line 1: symbol 2, 'dot', cannot follow 'clef.G'"),
        ("\xe9", "songs.txt as UTF-8 text"),
    ],
)
def test_what_is_not_a_score_is_refused_before_anything_is_drawn(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs, out = tmp_path / "songs.txt", tmp_path / "out"
    songs.write_bytes(text.encode("latin-1"))
    assert engrave.main(["--out", str(out), "--scores", str(songs)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@drawn
@pytest.mark.skipif(shutil.which("abcm2ps") is None, reason="abcm2ps is a program of its own")
def test_another_engraver_draws_the_same_score() -> None:
    picture, text = Engraved(3, "abcm2ps")[7]
    assert text == Engraved(3)[7][1]
    assert picture.min() < 128
    assert picture.shape[1] > 2 * picture.shape[0]


def test_a_missing_engraver_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="apt install abcm2ps"):
        engravers.abcm2ps("X:1", np.random.default_rng(0))
    monkeypatch.setitem(sys.modules, "verovio", None)
    engravers._kit.cache_clear()
    with pytest.raises(EngineError, match=r"pip install '\.\[music\]'"):
        engravers.verovio("X:1", np.random.default_rng(0))


def test_an_engraver_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*argv: object, **_: object) -> None:
        raise subprocess.TimeoutExpired("abcm2ps", 60)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(EngineError, match="within 60 s"):
        engravers.abcm2ps("X:1", np.random.default_rng(0))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--scores", "songs.txt", "--count", "3"], "--count and --scores exclude each other"),
        (["--engraver", "abcm2ps", "--fonts", "Leland"], "--fonts needs --engraver verovio"),
        (["--count", "0"], "above 0"),
    ],
)
def test_contradicting_options_exit_with_2(
    argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        engrave.main(["--out", str(tmp_path / "out"), *argv])
    assert message in capsys.readouterr().err


def test_the_vocabulary_is_small_enough_for_a_small_network() -> None:
    assert len(TOKENS) == 132
