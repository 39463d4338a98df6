from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from crnn_edge import Recognizer, read_image
from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognition import Recognition
from examples import camera, recognize

IMAGES = Path(__file__).parents[1] / "examples" / "images"
BOX = ["--box", "0.25", "0.25", "0.5", "0.5"]


def write_clip(path: Path, frames: list[np.ndarray]) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def scene(name: str) -> tuple[np.ndarray, str]:
    """A frame with a picture of text where `BOX` is."""
    folder = LabelledFolder(IMAGES)
    text = next(t for path, t in zip(folder.paths, folder.texts, strict=True) if path.stem == name)
    picture = read_image(IMAGES / f"{name}.jpg")[..., ::-1]
    high, wide = picture.shape[:2]
    frame = np.full((2 * high, 2 * wide, 3), 90, np.uint8)
    frame[high // 2 : high // 2 + high, wide // 2 : wide // 2 + wide] = picture
    return frame, text


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    frame, text = scene("meter")
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    return write_clip(path, [np.full_like(frame, 90)] * 3 + [frame] * 8), text


def reading(text: str, confidence: float, matches: bool | None = None) -> Recognition:
    charset = Charset(tuple("0123456789ABEKRY"))
    none = np.zeros((1, 1), np.float32)
    found = Hypothesis(tuple(charset.encode(text)), none, matches_constraint=matches)
    vars(found)["log_prob"] = float(np.log(confidence))
    return Recognition.of(charset, [found])


def test_frames_agree_when_one_text_has_most_of_the_probability() -> None:
    vote = camera.FrameVoting(frames=4, min_confidence=0.5)
    assert vote(reading("12", 0.9)) == ("", pytest.approx(0.225))
    assert vote(reading("17", 0.4)) == ("", pytest.approx(0.225))
    assert vote(reading("12", 0.8)) == ("", pytest.approx(0.425))
    assert vote(reading("12", 0.5)) == ("12", pytest.approx(0.55))
    # The first of them has left; two lukewarm frames outweigh no sure one.
    assert vote(reading("17", 0.4)) == ("", pytest.approx(0.325))


def test_a_text_that_violates_the_constraint_has_no_vote() -> None:
    vote = camera.FrameVoting(frames=2, min_confidence=0.4)
    assert vote(reading("BAKERY", 0.9, matches=False)) == ("", 0)
    voted = vote(reading("12", 0.9, matches=True))
    assert voted == ("12", pytest.approx(0.45))  # the other frame counts against it


def test_once_fails_where_no_text_matches_the_constraint(clip, capsys, tmp_path) -> None:
    (tmp_path / "words.txt").write_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3 + "\n")
    asked = ["--decoder", "lexicon", "--set", f"words={tmp_path / 'words.txt'}"]
    assert camera.main([str(clip[0]), *BOX, "--no-window", "--once", *asked]) == 1
    assert capsys.readouterr() == ("", "no text reached --min-confidence 0.5 in 11 frames\n")


def test_a_clip_is_read_once_its_frames_agree(clip, capsys) -> None:
    path, text = clip
    assert camera.main([str(path), *BOX, "--no-window"]) == 0
    printed = capsys.readouterr()
    (line,) = [row.split("\t") for row in printed.out.splitlines()]
    *_, (_, frame) = camera.VideoSource(str(path))
    x, y, width, height = camera.to_pixels(tuple(map(float, BOX[1:])), frame)
    seen = frame[y : y + height, x : x + width, ::-1]
    sure = Recognizer.load(threads=1)(np.ascontiguousarray(seen)).confidence
    shown = math.ceil(5 * 0.5 / sure)  # frames until the mean of five is a half
    assert 3 <= shown <= 5
    assert line[:2] == [f"{(3 + shown - 1) / 10:.1f}", text]  # ten a second, three of them empty
    assert float(line[2]) == pytest.approx(shown * sure / 5, abs=0.01)
    assert not printed.err


def test_once_ends_at_the_first_text_or_fails(clip, capsys, tmp_path) -> None:
    path, text = clip
    assert camera.main([str(path), *BOX, "--no-window", "--once"]) == 0
    assert capsys.readouterr().out.split("\t")[1] == text
    gray = write_clip(tmp_path / "gray.avi", [np.full((64, 128, 3), 90, np.uint8)] * 6)
    assert camera.main([str(gray), "--no-window", "--once", "--min-confidence", "1"]) == 1
    assert capsys.readouterr() == ("", "no text reached --min-confidence 1 in 6 frames\n")
    assert camera.main([str(gray), "--no-window", "--once", "--frames", "7"]) == 1
    assert capsys.readouterr() == ("", "no text from 6 frames: --frames 7 needs more\n")


def test_the_recording_shows_the_box(clip, tmp_path) -> None:
    path, _ = clip
    out = tmp_path / "read.mp4"
    assert camera.main([str(path), *BOX, "--no-window", "--record", str(out)]) == 0
    film = camera.VideoSource(str(out))
    assert film.rate == 10
    recorded = [frame for _, frame in film]
    assert len(recorded) == 11
    assert [p.name for p in tmp_path.iterdir()] == ["read.mp4"]
    height, width = recorded[-1].shape[:2]
    blue, green, red = recorded[-1][height // 2, width // 4].astype(int)  # the box's left edge
    assert green > max(blue, red) + 50


def test_the_frame_that_ends_it_is_recorded(tmp_path) -> None:
    out = tmp_path / "read.mp4"
    asked = [str(IMAGES / "meter.jpg"), "--box", "0", "0", "1", "1", "--frames", "1", "--once"]
    assert camera.main([*asked, "--no-window", "--record", str(out)]) == 0
    assert len(list(camera.VideoSource(str(out)))) == 1


class Camera:
    """One that has four frames left, each of which is read in a second."""

    def __init__(self, reported: float) -> None:
        self.reported, self.left = reported, 4

    def __call__(self, source: int) -> Camera:
        return self

    def isOpened(self) -> bool:
        return True

    def set(self, *setting: float) -> None:
        pass

    def get(self, setting: int) -> float:
        return self.reported if setting == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((64, 128, 3), 60 * self.left, np.uint8)

    def release(self) -> None:
        pass


@pytest.mark.parametrize(("reported", "rate"), [(10, 10), (0, 25), (90_000, 25), (-1, 25)])
def test_a_recording_of_a_camera_lasts_as_long_as_the_scene(
    reported, rate, tmp_path, monkeypatch
) -> None:
    live, out = Camera(reported), tmp_path / "read.mp4"
    clock = SimpleNamespace(monotonic=lambda: 10.0 + 4 - live.left, perf_counter=lambda: 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(camera, "time", clock)
        patched.setattr(cv2, "VideoCapture", live)
        assert camera.main(["0", "--no-window", "--record", str(out)]) == 0
    film = camera.VideoSource(str(out))
    assert film.rate == rate
    levels = [frame[0, 0].mean() for _, frame in film]
    assert len(levels) == 3 * rate + 1  # four frames, three seconds from the first to the last
    assert levels[0] > levels[rate - 1] - 5 > levels[rate] + 40


def test_frames_faster_than_the_rate_are_dropped(tmp_path) -> None:
    screen = camera.Display(tmp_path / "read.mp4", 10.0, window=False)
    for number in range(40):  # forty a second
        screen.show(number / 40, np.full((64, 128, 3), number, np.uint8))
    screen.close()
    assert len(list(camera.VideoSource(str(tmp_path / "read.mp4")))) == 11


@pytest.mark.parametrize(
    ("program", "arguments"),
    [(camera, ["{path}", "--record"]), (recognize, ["{path}", "--draw"])],
)
def test_no_example_overwrites_what_it_reads(
    program, arguments, tmp_path, monkeypatch, capsys
) -> None:
    path, link = tmp_path / "meter.jpg", tmp_path / "link.jpg"
    path.write_bytes((IMAGES / "meter.jpg").read_bytes())
    link.symlink_to(path)
    monkeypatch.setattr(sys, "argv", [*(a.format(path=path) for a in ("", *arguments)), str(link)])
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 2
    assert "would overwrite" in capsys.readouterr().err
    assert path.read_bytes() == (IMAGES / "meter.jpg").read_bytes()


def test_the_decoder_is_the_callers_choice(clip, capsys) -> None:
    path, text = clip
    pattern = "".join("[A-Z]" if c.isalpha() else r"\d" if c.isdigit() else c for c in text)
    chosen = ["--decoder", "beam", "--set", f"pattern={pattern}", "--tta-threshold", "0.9"]
    assert camera.main([str(path), *BOX, "--no-window", "--once", *chosen]) == 0
    assert capsys.readouterr().out.split("\t")[1] == text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere.mp4"], "cannot open /nowhere.mp4"),
        (["9971"], "cannot open camera 9971"),
        (["99999999999999999999"], "cannot open 99999999999999999999"),
        (["{clip}", "--box", "nan", "0", "1", "1"], "--box nan 0 1 1 is not within the frame"),
        (["{clip}", "--box", "0.5", "0", "0.6", "1"], "--box 0.5 0 0.6 1 is not within the frame"),
        (["{clip}", "--model", "/nowhere.onnx"], "/nowhere.onnx"),
        (["{clip}", "--set", "beam_size=3"], "beam_size"),
        (["{clip}", "--record", "/nowhere/read.mp4"], "cannot write /nowhere/read.mp4"),
    ],
)
def test_errors_are_one_line(clip, capsys, arguments, says) -> None:
    arguments = [argument.format(clip=clip[0]) for argument in arguments]
    assert camera.main([*arguments, "--no-window"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1


def test_without_opencv_the_extra_is_named(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert camera.main(["--no-window"]) == 1
    assert "pip install '.[camera]'" in capsys.readouterr().err


def test_a_box_is_in_shares_of_the_frame() -> None:
    frame = np.zeros((200, 400, 3), np.uint8)
    assert camera.to_pixels([0.25, 0.5, 0.5, 0.25], frame) == (100, 100, 200, 50)
    assert camera.to_pixels([0, 0, 1, 1], frame) == (0, 0, 400, 200)
    assert camera.to_pixels([0.999, 0.999, 0.001, 0.001], frame) == (399, 199, 1, 1)


def test_the_caption_has_an_outline_on_both_sides() -> None:
    frame = np.full((480, 640, 3), 128, np.uint8)
    band = camera.annotate(frame, (190, 190, 260, 100), "004711  0.80", True)[150:188].astype(int)
    dark = np.flatnonzero((band.max(axis=2) < 60).any(axis=0))
    white = np.flatnonzero((band.min(axis=2) > 200).any(axis=0))
    assert 0 < white.min() - dark.min() <= 6
    assert 0 < dark.max() - white.max() <= 6
