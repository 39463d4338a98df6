"""Read a line of music in a picture: one voice on one staff, in print.

python examples/music/read.py examples/music/images/ode.jpg
python examples/music/read.py examples/music/images/ode.jpg --wav ode.wav
python examples/music/read.py examples/music/images/*.jpg --signs

Prints ABC notation, which many programs draw and play; `--signs` prints what was seen, sign by
sign. Of the network's likeliest readings the first counts whose measures are as long as the time
signature says; a first or last one that is shorter counts against a reading. If no reading keeps
time, its measures that do not are named on standard error: something was misread.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works in a clone, not installed

from crnn_edge import Recognition, Recognizer, read_image
from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.errors import ImageError
from crnn_edge.files import atomic_write
from examples.music.score import Score, ScoreError, parse
from examples.music.signs import CHARSET
from examples.music.sound import to_wav

MODEL = Path(__file__).parent / "crnn-score.onnx"
_TEMPO = 100  # quarters a minute
_PART = math.log(0.2 / 12)
"""What a short measure adds to a log-probability: a line in five has one, of a dozen lengths."""
_ALTERNATIVES, _BEAM_SIZE = 8, 16  # readings weighed beside the likeliest, of a beam so wide


def load(path: Path = MODEL, threads: int | None = None) -> Recognizer:
    """The recognizer of a model file that reads signs, with alternatives to choose among.

    Raises:
        ScoreError: If it reads something else.
    """
    recognizer = Recognizer.load(
        path, decoder="beam", beam_size=_BEAM_SIZE, nbest=1 + _ALTERNATIVES, threads=threads
    )
    if recognizer.manifest.charset != CHARSET:
        raise ScoreError(f"{path} reads no music: its charset is not that of examples/music")
    return recognizer


def most_musical(reading: Recognition) -> Recognition:
    """The likeliest of a reading's alternatives that keeps time; or that is a score; or itself.

    One that merely misses the time signature, which the likeliest score has, keeps none. How likely
    an alternative is, its picture tells and its first and last measure, which are seldom short.
    """
    options = [(option, _score(option)) for option in (reading, *reading.alternatives)]
    scores = [(option, score) for option, score in options if score]
    in_time = [
        (option.log_prob + _PART * score.parts(), option)
        for option, score in scores
        if not score.uneven() and (score.time or not scores[0][1].time)
    ]
    if in_time:
        return max(in_time, key=lambda weighed: weighed[0])[1]
    return scores[0][0] if scores else reading


def _score(reading: Recognition) -> Score | None:
    try:
        return parse(reading.tokens)
    except ScoreError:
        return None


def tell(path: Path, recognizer: Recognizer, args: argparse.Namespace, number: int = 1) -> None:
    """Print what a picture says, as ABC's tune `number` or as signs, and make it sound.

    Raises:
        ImageError: If the picture cannot be read.
        ScoreError: If what was read is no score.
    """
    image = read_image(path)
    try:
        reading = most_musical(recognizer(image))
    except ImageError as error:  # the recognizer knows no paths
        raise ImageError(f"{path}: {error}") from None
    if args.signs:
        print(reading.text)
    try:
        score = parse(reading.tokens)
    except ScoreError as error:
        raise ScoreError(f"{path}: what was read is no score: {error}") from None
    for measure in score.uneven():
        print(f"{path}: measure {measure} does not last {score.time}: misread?", file=sys.stderr)
    if not args.signs:
        apart = "\n" if number > 1 else ""  # ABC's tunes end with an empty line
        print(apart + score.abc(path.stem, number=number), end="")
    if args.wav:
        atomic_write(args.wav, to_wav(score, args.tempo))


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("pictures", type=Path, nargs="+", metavar="PICTURE", help="of one staff each")
    add("--model", type=Path, default=MODEL, metavar="FILE", help="(default: %(default)s)")
    add("--signs", action="store_true", help="print signs instead of ABC")
    add("--wav", type=Path, metavar="FILE", help="save how it sounds; of one picture")
    add("--tempo", type=float, help=f"of --wav, in quarters a minute (default: {_TEMPO})")
    add("--threads", type=int, help="(default: all cores)")
    args = parser.parse_args(argv)
    if args.tempo is not None and not args.wav:
        parser.error("--tempo is of --wav: name its file too")
    args.tempo = _TEMPO if args.tempo is None else args.tempo
    if not 10 <= args.tempo <= 1000:
        parser.error(f"expected --tempo from 10 to 1000, got {args.tempo:g}")
    if args.wav and (len(args.pictures) > 1 or args.wav.resolve() == args.pictures[0].resolve()):
        parser.error("--wav takes one picture, and is not that picture")

    def work() -> int:
        recognizer, told, failed = load(args.model, args.threads), 0, 0
        for path in args.pictures:
            try:
                tell(path, recognizer, args, told + 1)
                told += 1
            except (ImageError, ScoreError) as error:  # the others are read nevertheless
                print(f"error: {error}", file=sys.stderr)
                failed = 1
        return failed

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
