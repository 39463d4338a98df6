"""Read a line of music in a picture: one voice on one staff, in print.

python examples/music/read.py examples/music/images/ode.jpg
python examples/music/read.py examples/music/images/ode.jpg --wav ode.wav
python examples/music/read.py examples/music/images/*.jpg --signs

Prints ABC notation, which many programs draw and play; `--signs` prints what was seen, sign by
sign. Of the network's likeliest readings the first counts whose measures are as long as the time
signature says. If there is none, such measures are named on standard error: something was misread.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works in a clone, not installed

from examples.music.score import Score, ScoreError, parse
from examples.music.signs import CHARSET
from examples.music.sound import to_wav
from runtime import Recognition, Recognizer, read_image
from runtime.console import exit_code
from runtime.errors import ImageError

MODEL = Path(__file__).parent / "crnn-score.onnx"
_ALTERNATIVES, _WIDTH = 8, 16  # readings that are weighed, of a beam so wide


def load(path: Path = MODEL, threads: int | None = None) -> Recognizer:
    """The recognizer of a model file that reads signs, with alternatives to choose among.

    Raises:
        ScoreError: If it reads something else.
    """
    recognizer = Recognizer.load(
        path, decoder="beam", width=_WIDTH, alternatives=_ALTERNATIVES, threads=threads
    )
    if recognizer.manifest.charset != CHARSET:
        raise ScoreError(f"{path} reads no music: its charset is not that of examples/music")
    return recognizer


def most_musical(reading: Recognition) -> Recognition:
    """The likeliest of a reading's alternatives that keeps time; or that is a score; or itself."""
    options = [(option, _score(option)) for option in (reading, *reading.alternatives)]
    scores = [(option, score) for option, score in options if score]
    in_time = [option for option, score in scores if not score.uneven()]
    return (in_time or [option for option, _ in scores] or [reading])[0]


def _score(reading: Recognition) -> Score | None:
    try:
        return parse(reading.tokens)
    except ScoreError:
        return None


def tell(path: Path, recognizer: Recognizer, args: argparse.Namespace) -> None:
    """Print what a picture says, and make it sound.

    Raises:
        ScoreError: If what was read is no score.
    """
    reading = most_musical(recognizer(read_image(path)))
    if args.signs:
        print(reading.text)
    try:
        score = parse(reading.tokens)
    except ScoreError as error:
        raise ScoreError(f"{path}: what was read is no score: {error}") from None
    for number in score.uneven():
        print(f"{path}: measure {number} does not last {score.time}: misread?", file=sys.stderr)
    if not args.signs:
        print(score.abc(path.stem), end="")
    if args.wav:
        partial = args.wav.with_name(f".partial-{args.wav.name}")
        partial.write_bytes(to_wav(score, args.tempo))
        partial.replace(args.wav)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    about, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("pictures", type=Path, nargs="+", metavar="PICTURE", help="of one staff each")
    add("--model", type=Path, default=MODEL, metavar="FILE", help="(default: %(default)s)")
    add("--signs", action="store_true", help="print signs instead of ABC")
    add("--wav", type=Path, metavar="FILE", help="save how it sounds; of one picture")
    add("--tempo", type=float, default=100, help="quarters a minute (default: %(default)s)")
    add("--threads", type=int, help="(default: all cores)")
    args = parser.parse_args(argv)
    if not 10 <= args.tempo <= 1000:
        parser.error(f"expected --tempo from 10 to 1000, got {args.tempo:g}")
    if args.wav and (len(args.pictures) > 1 or args.wav.resolve() == args.pictures[0].resolve()):
        parser.error("--wav takes one picture, and is not that picture")

    def work() -> int:
        recognizer, failed = load(args.model, args.threads), 0
        for path in args.pictures:
            try:
                tell(path, recognizer, args)
            except (ImageError, ScoreError) as error:  # the others are read nevertheless
                print(f"error: {error}", file=sys.stderr)
                failed = 1
        return failed

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
