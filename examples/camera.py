r"""Read what a camera sees, frame by frame, and tell what several frames agree on.

python examples/camera.py
python examples/camera.py 1 --box 0.3 0.4 0.4 0.2 --decoder beam --set 'pattern=\d{6}'
python examples/camera.py clip.mp4 --record read.mp4
python examples/camera.py rtsp://gate/stream --once --decoder lexicon --set words=plates.txt

Hold the line of text into the box. In the window, `b` draws another box and `q` ends. Each line
printed has the second (of a file: its own), the text, and its mean probability over the frames.
A text that does not match the pattern, or is not among the words, is none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge import Recognition, Recognizer
from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.decoders.settings import parse_settings
from crnn_edge.errors import EngineError, ImageError
from crnn_edge.images import Image

Box = tuple[int, int, int, int]  # left, top, width, height in pixels

_RATE = 25.0  # frames a second, where the source does not tell
_FASTEST = 240.0  # that a camera or stream can mean: some tell the ticks of their clock, 90,000


class Agreement:
    """What the last frames say together, each counting as much as it is sure.

    Frames of one scene differ in blur, glare and noise, so their mistakes do, too: the mean
    probability of a text over a few frames is a far better judge than any one of them. A frame
    whose text is not as the decoder was told that it must be speaks for no text.

    Args:
        frames: How many frames count.
        least: The mean probability from which on a text is agreed on.
    """

    def __init__(self, frames: int, least: float) -> None:
        """Remember nothing yet."""
        self._seen: deque[Recognition] = deque(maxlen=frames)
        self._least = least

    def __call__(self, reading: Recognition) -> tuple[str, float]:
        """The text agreed on after one more frame, or "", and the likeliest's mean probability."""
        self._seen.append(reading)
        mean: dict[str, float] = defaultdict(float)
        for seen in self._seen:
            if seen.matches_constraint is not False:
                mean[seen.text] += seen.confidence / (self._seen.maxlen or 1)
        text = max(mean, key=lambda each: mean[each], default="")
        return (text if mean[text] >= self._least else ""), mean[text]


class Film:
    """The frames of a camera, by number, or of a file or stream.

    Attributes:
        rate: Frames a second, where it tells.

    Args:
        source: What to open.
    """

    def __init__(self, source: str) -> None:
        """Open it.

        Raises:
            EngineError: If OpenCV is not installed.
            ImageError: If there is no such camera, file or stream.
        """
        cv2 = _cv2()
        camera = source.isdecimal() and len(source) < 5
        self._capture = cv2.VideoCapture(int(source) if camera else source)
        if not self._capture.isOpened():
            if Path(source).is_dir():
                raise ImageError(f"{source} is a folder: `python -m crnn_edge read` reads pictures")
            kind = f"camera {source}" if camera else source
            raise ImageError(f"cannot open {kind}: is it there, and does nobody else use it?")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what a camera sees now, not a second ago
        self._live = not Path(source).is_file()
        self.rate: float = self._capture.get(cv2.CAP_PROP_FPS) or _RATE
        if self._live and not 1 <= self.rate <= _FASTEST:
            self.rate = _RATE

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        """The second of each frame, and the frame `(H, W, 3) uint8` BGR."""
        start, number = time.monotonic(), 0
        try:
            while (frame := self._capture.read()[1]) is not None:
                yield (time.monotonic() - start if self._live else number / self.rate), frame
                number += 1
        finally:
            self._capture.release()


def _cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise EngineError(
            "a camera needs OpenCV, which is not installed: pip install 'crnn-edge[camera]', or "
            "opencv-python for a window, too"
        ) from None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are told once
    return cv2


def pixels(box: list[float], frame: Image) -> Box:
    """A box in shares of the frame as pixels of it.

    Raises:
        ImageError: If it does not lie within the frame.
    """
    left, top, width, height = box
    if not (min(left, top) >= 0 < min(width, height) and max(left + width, top + height) <= 1):
        raise ImageError(
            f"--box {left:g} {top:g} {width:g} {height:g} is not within the frame: expected left, "
            "top, width and height as shares of it, such as 0.2 0.4 0.6 0.2"
        )
    high, wide = frame.shape[:2]
    x, y = min(round(left * wide), wide - 1), min(round(top * high), high - 1)
    right, bottom = round((left + width) * wide), round((top + height) * high)
    return x, y, max(1, right - x), max(1, bottom - y)


def annotate(frame: Image, box: Box, told: str, sure: bool) -> Image:
    """The frame with the box and what was read in it."""
    cv2 = _cv2()
    x, y, width, height = box
    shown = frame.copy()
    color = (0, 200, 0) if sure else (0, 160, 255)
    cv2.rectangle(shown, (x, y), (x + width, y + height), color, 2)
    size = max(0.5, frame.shape[0] / 700)
    at = x, y - 8 if y > 40 * size else y + height + int(32 * size)
    for ink, bold in (((0, 0, 0), 4), ((255, 255, 255), 1)):  # legible on anything
        cv2.putText(shown, told, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, bold, cv2.LINE_AA)
    return shown


class Screen:
    """A window, where this OpenCV can open one, and a recording, where one is wanted.

    The recording shows each frame until the next one was there, so that it lasts as long as what
    was seen, even if only some of a camera's frames could be read in time.

    Args:
        record: Where the recording goes.
        rate: Of its frames, a second.
        window: Whether there is one.
    """

    def __init__(self, record: Path | None, rate: float, window: bool) -> None:
        """Open nothing before the first frame."""
        self._record, self._rate, self._window = record, rate, window
        self._writer: Any = None
        self._last: Image | None = None
        self._began, self._written = 0.0, 0
        self._partial = record and record.with_name(f".partial-{record.name}")

    def show(self, second: float, frame: Image) -> str:
        """Show what was seen at a second; returns the key that was pressed, or nothing.

        Raises:
            ImageError: If the recording cannot be written.
        """
        if self._record:
            self._keep(second, frame)
        if self._window:
            cv2 = _cv2()
            cv2.imshow("crnn-edge", frame)
            return chr(cv2.waitKey(1) & 0xFF)
        return ""

    def _keep(self, second: float, frame: Image) -> None:
        """Record the frame before this one, for as long as it was the last."""
        if self._writer is None:
            cv2 = _cv2()
            code, size = cv2.VideoWriter.fourcc(*"mp4v"), frame.shape[1::-1]
            writer = cv2.VideoWriter(str(self._partial), code, self._rate, size)
            if not writer.isOpened():
                raise ImageError(f"cannot record {self._record}: expected a path to an .mp4")
            self._writer, self._began = writer, second
        due = round((second - self._began) * self._rate)  # of a clip, one more each time
        for _ in range(due - self._written):
            self._writer.write(self._last)
        self._written, self._last = due, frame

    def close(self) -> None:
        """Finish the recording, with the frame that ended it."""
        if self._writer is not None and self._record and self._partial:
            self._writer.write(self._last)
            self._writer.release()
            self._partial.replace(self._record)


def has_window() -> bool:
    """Whether this OpenCV can open a window here."""
    cv2 = _cv2()
    try:
        cv2.namedWindow("crnn-edge")
    except cv2.error:
        return False
    return True


def watch(args: argparse.Namespace) -> int:
    """Read until the source or somebody ends it; returns the exit code."""
    settings = parse_settings(args.decoder, args.settings)
    recognizer = Recognizer.load(
        args.model,
        decoder=args.decoder,
        tta_threshold=args.tta_threshold,
        threads=args.threads,
        **settings,
    )
    agree, last = Agreement(args.frames, args.least), ""
    film = Film(args.source)
    window = not args.no_window and has_window()
    if not window and not args.no_window:
        print("no window: this OpenCV, or this place, has none", file=sys.stderr)
    screen, box, found, count = Screen(args.record, film.rate, window), None, False, 0
    try:
        for count, (second, frame) in enumerate(film, start=1):  # noqa: B007
            box = box or pixels(args.box, frame)
            x, y, width, height = box
            began = time.perf_counter()
            reading = recognizer(np.ascontiguousarray(frame[y : y + height, x : x + width, ::-1]))
            took_ms = 1e3 * (time.perf_counter() - began)
            text, sure = agree(reading)
            if text and text != last:
                print(f"{second:.1f}\t{text}\t{sure:.4f}", flush=True)
                found = True
            last = text
            told = f"{text}  {sure:.2f}  {took_ms:.1f} ms" if text else f"?  {took_ms:.1f} ms"
            key = screen.show(second, annotate(frame, box, told, bool(text)))
            if key == "q" or (found and args.once):
                break
            if key == "b" and (drawn := _cv2().selectROI("crnn-edge", frame))[2]:
                box = drawn
    except KeyboardInterrupt:
        pass
    finally:
        screen.close()
    if not found:
        why = f"--least is {args.least:g}" if count >= args.frames else f"--frames is {args.frames}"
        print(f"no text was agreed on in {count} frames: {why}", file=sys.stderr)
    return int(args.once and not found)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("source", nargs="?", default="0", help="number of a camera, a file or a URL (default: 0)")
    add("--model", help="a model file, or the name of one that comes along (default: crnn-lite)")
    add(
        "--box",
        type=float,
        nargs=4,
        default=[0.2, 0.4, 0.6, 0.2],
        metavar=("LEFT", "TOP", "WIDTH", "HEIGHT"),
        help="where the line of text is, in shares of the frame (default: 0.2 0.4 0.6 0.2)",
    )
    add("--decoder", help="see `python -m crnn_edge read --help`")
    add("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    add("--tta-threshold", type=float, metavar="P", help="read again what is less probable than P")
    add("--frames", type=int, default=5, help="frames that must agree (default: %(default)s)")
    add("--least", type=float, default=0.5, metavar="P", help="how much (default: %(default)s)")
    add("--threads", type=int, default=1, help="(default: %(default)s)")
    add("--once", action="store_true", help="end at the first text agreed on, or exit with 1")
    add("--record", type=Path, metavar="MP4", help="save what the window shows")
    add("--no-window", action="store_true", help="print alone")
    args = parser.parse_args(argv)
    if not 1 <= args.frames <= 1000 or not 0 < args.least <= 1:
        parser.error("expected --frames from 1 to 1000, and --least above 0, at most 1")
    if args.record and args.record.resolve() == Path(args.source).resolve():
        parser.error(f"--record {args.record} is the source itself, which would be lost")
    return run_command(lambda: watch(args))


if __name__ == "__main__":
    sys.exit(main())
