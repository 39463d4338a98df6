r"""Read a line of text from a camera or video, and print it once several frames agree.

python examples/camera.py
python examples/camera.py 1 --box 0.3 0.4 0.4 0.2 --decoder beam --set 'pattern=\d{6}'
python examples/camera.py clip.mp4 --record read.mp4
python examples/camera.py rtsp://gate/stream --once --decoder lexicon --set words=plates.txt

Hold the line of text into the box. In the window, `b` selects another box and `q` quits. Each line
of output has the second since the start, the text, and its mean confidence over the frames. A text
that does not match the pattern or the lexicon is ignored.
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
from crnn_edge.cli.arguments import (
    add_decoder,
    add_engine,
    add_model,
    add_tta,
    documented_parser,
    recognizer_options,
)
from crnn_edge.cli.run import run_command
from crnn_edge.errors import EngineError, ImageError
from crnn_edge.install_hint import install_hint
from crnn_edge.types import Image

Box = tuple[int, int, int, int]  # left, top, width, height in pixels

_RATE = 25.0  # frames a second, if the source does not report it
_MAX_RATE = 240.0  # of a camera or stream: some report the ticks of their clock, 90,000


class FrameVoting:
    """The text of the last frames, each weighted by its confidence.

    Frames of one scene differ in blur, glare and noise, and so do their errors: the mean confidence
    of a text over a few frames is more reliable than any single frame. A frame whose text violates
    the decoder's constraint votes for no text.

    Args:
        frames: Number of frames that vote.
        min_confidence: Mean confidence from which a text is accepted.
    """

    def __init__(self, frames: int, min_confidence: float) -> None:
        """Start without frames."""
        self._recognitions: deque[Recognition] = deque(maxlen=frames)
        self._min_confidence = min_confidence

    def __call__(self, recognition: Recognition) -> tuple[str, float]:
        """Add a frame; returns the accepted text or "", and the best text's mean confidence."""
        self._recognitions.append(recognition)
        mean: dict[str, float] = defaultdict(float)
        for each in self._recognitions:
            if each.matches_constraint is not False:
                mean[each.text] += each.confidence / (self._recognitions.maxlen or 1)
        text = max(mean, key=lambda candidate: mean[candidate], default="")
        return (text if mean[text] >= self._min_confidence else ""), mean[text]


class VideoSource:
    """The frames of a camera, a file or a stream.

    Attributes:
        rate: Frames a second.

    Args:
        source: The number of a camera, a path or a URL.
    """

    def __init__(self, source: str) -> None:
        """Open the source.

        Raises:
            EngineError: If OpenCV is not installed.
            ImageError: If there is no such camera, file or stream.
        """
        cv2 = _cv2()
        camera = source.isdecimal() and len(source) < 5
        self._capture = cv2.VideoCapture(int(source) if camera else source)
        if not self._capture.isOpened():
            if Path(source).is_dir():
                raise ImageError(f"{source} is a folder: `crnn-edge read` reads image files")
            kind = f"camera {source}" if camera else source
            raise ImageError(f"cannot open {kind}: it does not exist, or another program uses it")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the current frame, not one of a second ago
        self._live = not Path(source).is_file()
        self.rate: float = self._capture.get(cv2.CAP_PROP_FPS) or _RATE
        if self._live and not 1 <= self.rate <= _MAX_RATE:
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
            f"a camera needs OpenCV, which is not installed: {install_hint('camera')}; for a "
            "window, install opencv-python as well"
        ) from None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are reported once
    return cv2


def to_pixels(box: list[float], frame: Image) -> Box:
    """A box given as fractions of the frame, in its pixels.

    Raises:
        ImageError: If the box does not lie within the frame.
    """
    left, top, width, height = box
    if not (min(left, top) >= 0 < min(width, height) and max(left + width, top + height) <= 1):
        raise ImageError(
            f"--box {left:g} {top:g} {width:g} {height:g} is not within the frame: expected left, "
            "top, width and height as fractions of it, for example 0.2 0.4 0.6 0.2"
        )
    high, wide = frame.shape[:2]
    x, y = min(round(left * wide), wide - 1), min(round(top * high), high - 1)
    right, bottom = round((left + width) * wide), round((top + height) * high)
    return x, y, max(1, right - x), max(1, bottom - y)


def annotate(frame: Image, box: Box, caption: str, agreed: bool) -> Image:
    """The frame `(H, W, 3) uint8` BGR with the box, and a caption above or below it.

    Drawn with Pillow, because OpenCV 5 renders a bold outline and its filling in different widths.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    x, y, width, height = box
    canvas = Pillow.fromarray(np.ascontiguousarray(frame[..., ::-1]))
    pen, size = ImageDraw.Draw(canvas), max(16, frame.shape[0] // 24)
    font, edge = ImageFont.load_default(size), max(1, size // 10)
    color = (0, 200, 0) if agreed else (255, 160, 0)
    pen.rectangle((x, y, x + width, y + height), outline=color, width=max(2, size // 8))
    above = y - size // 3 > 1.4 * size
    where, anchor = (y - size // 3, "ld") if above else (y + height + size // 3, "la")
    pen.text((x, where), caption, "white", font, anchor, stroke_width=edge, stroke_fill="black")
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


class Display:
    """A window, if wanted, and a recording, if wanted.

    The recording repeats each frame until the next one, so that it lasts as long as the scene, even
    if only some of a camera's frames could be read in time.

    Args:
        record: Path of the recording.
        rate: Its frames a second.
        window: Whether to open a window.
    """

    def __init__(self, record: Path | None, rate: float, window: bool) -> None:
        """Open nothing before the first frame."""
        self._record, self._rate, self._window = record, rate, window
        self._writer: Any = None
        self._last: Image | None = None
        self._began, self._written = 0.0, 0
        self._partial = record and record.with_name(f".partial-{record.name}")

    def show(self, second: float, frame: Image) -> str:
        """Show a frame; returns the key that was pressed, or "".

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
        """Write the previous frame as often as its duration needs."""
        if self._writer is None:
            cv2 = _cv2()
            code, size = cv2.VideoWriter.fourcc(*"mp4v"), frame.shape[1::-1]
            writer = cv2.VideoWriter(str(self._partial), code, self._rate, size)
            if not writer.isOpened():
                raise ImageError(f"cannot write {self._record}: expected the path of an .mp4 file")
            self._writer, self._began = writer, second
        due = round((second - self._began) * self._rate)  # one more for each frame of a clip
        for _ in range(due - self._written):
            self._writer.write(self._last)
        self._written, self._last = due, frame

    def close(self) -> None:
        """Finish the recording with its last frame."""
        if self._writer is not None and self._record and self._partial:
            self._writer.write(self._last)
            self._writer.release()
            self._partial.replace(self._record)


def has_window() -> bool:
    """Whether OpenCV can open a window here."""
    cv2 = _cv2()
    try:
        cv2.namedWindow("crnn-edge")
    except cv2.error:
        return False
    return True


def watch(args: argparse.Namespace) -> int:
    """Read until the source ends or the user ends it; returns the exit code."""
    recognizer = Recognizer.load(args.model, **recognizer_options(args))
    vote, last = FrameVoting(args.frames, args.min_confidence), ""
    source = VideoSource(args.source)
    window = not args.no_window and has_window()
    if not window and not args.no_window:
        print("no window: this OpenCV build or this session has no display", file=sys.stderr)
    display, box = Display(args.record, source.rate, window), None
    any_text, count = False, 0
    try:
        for count, (second, frame) in enumerate(source, start=1):  # noqa: B007
            box = box or to_pixels(args.box, frame)
            x, y, width, height = box
            start_s = time.perf_counter()
            crop = np.ascontiguousarray(frame[y : y + height, x : x + width, ::-1])
            text, confidence = vote(recognizer(crop))
            took_ms = 1e3 * (time.perf_counter() - start_s)
            if text and text != last:
                print(f"{second:.1f}\t{text}\t{confidence:.4f}", flush=True)
                any_text = True
            last = text
            caption = f"{text}  {confidence:.2f}" if text else "?"
            shown = annotate(frame, box, f"{caption}  {took_ms:.1f} ms", bool(text))
            key = display.show(second, shown)
            if key == "q" or (any_text and args.once):
                break
            if key == "b" and (drawn := _cv2().selectROI("crnn-edge", frame))[2]:
                box = drawn
    except KeyboardInterrupt:
        pass
    finally:
        display.close()
    if not any_text:
        print(f"no text {_missed(args, count)}", file=sys.stderr)
    return int(args.once and not any_text)


def _missed(args: argparse.Namespace, count: int) -> str:
    """What no text achieved."""
    if count < args.frames:
        return f"from {count} frames: --frames {args.frames} needs more"
    return f"reached --min-confidence {args.min_confidence:g} in {count} frames"


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("source", nargs="?", default="0", help="number of a camera, a file or a URL (default: 0)")
    add_model(parser)
    add(
        "--box",
        type=float,
        nargs=4,
        default=[0.2, 0.4, 0.6, 0.2],
        metavar=("LEFT", "TOP", "WIDTH", "HEIGHT"),
        help="where the line of text is, as fractions of the frame (default: 0.2 0.4 0.6 0.2)",
    )
    add_engine(parser)
    add_decoder(parser)
    add_tta(parser)
    add("--frames", type=int, default=5, help="frames that vote (default: %(default)s)")
    add(
        "--min-confidence",
        type=float,
        default=0.5,
        metavar="P",
        help="mean confidence from which a text is printed (default: %(default)s)",
    )
    add("--once", action="store_true", help="exit after the first text, or with 1 if there is none")
    add("--record", type=Path, metavar="MP4", help="save the annotated frames")
    add("--no-window", action="store_true", help="only print")
    parser.set_defaults(threads=1)
    args = parser.parse_args(argv)
    if not 1 <= args.frames <= 1000 or not 0 < args.min_confidence <= 1:
        parser.error("expected 1 <= --frames <= 1000 and 0 < --min-confidence <= 1")
    if args.record and args.record.resolve() == Path(args.source).resolve():
        parser.error(f"--record {args.record} would overwrite the source")
    return run_command(lambda: watch(args), extra="camera")


if __name__ == "__main__":
    sys.exit(main())
