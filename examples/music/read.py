"""Read a line of music in an image: one voice on one staff, in print.

python -m examples.music.read examples/music/images/ode.jpg
python -m examples.music.read examples/music/images/ode.jpg --wav ode.wav
python -m examples.music.read examples/music/images/*.jpg --symbols

Prints ABC notation, which many programs draw and play; `--symbols` prints the recognized symbols.
The result is the most probable of the decoder's hypotheses whose measures have the length of the
time signature; a shorter first or last measure makes a hypothesis less probable. If no hypothesis
fills its measures, those that are wrong are named on standard error: something was misread.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from crnn_edge import Recognition, Recognizer, read_image
from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.errors import ImageError
from crnn_edge.files import atomic_write
from examples.music.score import Score, ScoreError, parse
from examples.music.sound import to_wav
from examples.music.symbols import CHARSET

MODEL = Path(__file__).parent / "crnn-score.onnx"
_TEMPO = 100  # quarters a minute
_PART = math.log(0.2 / 12)
"""Log-probability of a short measure: one line in five has one, of a dozen lengths."""
_ALTERNATIVES, _BEAM_SIZE = 8, 16  # further hypotheses, and the beam that they come from


def load(path: Path = MODEL, threads: int | None = None) -> Recognizer:
    """The recognizer of a model file for music, with alternatives to choose from.

    Raises:
        ScoreError: If the file has another charset.
    """
    recognizer = Recognizer.load(
        path,
        decoder="beam",
        decoder_settings={"beam_size": _BEAM_SIZE, "nbest": 1 + _ALTERNATIVES},
        threads=threads,
    )
    if recognizer.manifest.charset != CHARSET:
        raise ScoreError(f"{path} is not a model for music: expected the charset of examples/music")
    return recognizer


def most_musical(recognition: Recognition) -> Recognition:
    """The most probable hypothesis that fills its measures; or that is a score; or the first one.

    A hypothesis without the time signature that the most probable score has does not qualify. The
    probability is that of the image and of the first and last measure, which are seldom short.
    """
    options = [(option, _score(option)) for option in (recognition, *recognition.alternatives)]
    scores = [(option, score) for option, score in options if score]
    filled = [
        (option.log_prob + _PART * score.parts(), option)
        for option, score in scores
        if not score.uneven() and (score.time or not scores[0][1].time)
    ]
    if filled:
        return max(filled, key=lambda weighed: weighed[0])[1]
    return scores[0][0] if scores else recognition


def _score(recognition: Recognition) -> Score | None:
    try:
        return parse(recognition.tokens)
    except ScoreError:
        return None


def transcribe(
    path: Path, recognizer: Recognizer, args: argparse.Namespace, number: int = 1
) -> None:
    """Print the music in an image, as ABC's tune `number` or as symbols; write its sound.

    Raises:
        ImageError: If the image cannot be read.
        ScoreError: If the recognized symbols are not a score.
    """
    image = read_image(path)
    try:
        recognition = most_musical(recognizer(image))
    except ImageError as error:  # the recognizer knows no paths
        raise ImageError(f"{path}: {error}") from None
    if args.symbols:
        print(recognition.text)
    try:
        score = parse(recognition.tokens)
    except ScoreError as error:
        raise ScoreError(f"{path}: the recognized symbols are not a score: {error}") from None
    for measure in score.uneven():
        print(
            f"{path}: the length of measure {measure} is not {score.time}: misread?",
            file=sys.stderr,
        )
    if not args.symbols:
        separator = "\n" if number > 1 else ""  # an empty line ends a tune in ABC
        print(separator + score.abc(path.stem, number=number), end="")
    if args.wav:
        atomic_write(args.wav, to_wav(score, args.tempo))


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("images", type=Path, nargs="+", metavar="IMAGE", help="images of one staff each")
    add("--model", type=Path, default=MODEL, metavar="FILE", help="(default: %(default)s)")
    add("--symbols", action="store_true", help="print symbols instead of ABC")
    add("--wav", type=Path, metavar="FILE", help="write the sound of one image")
    add("--tempo", type=float, help=f"quarters a minute, for --wav (default: {_TEMPO})")
    add("--threads", type=int, help="(default: all cores)")
    args = parser.parse_args(argv)
    if args.tempo is not None and not args.wav:
        parser.error("--tempo needs --wav")
    args.tempo = _TEMPO if args.tempo is None else args.tempo
    if not 10 <= args.tempo <= 1000:
        parser.error(f"expected --tempo from 10 to 1000, got {args.tempo:g}")
    if args.wav and (len(args.images) > 1 or args.wav.resolve() == args.images[0].resolve()):
        parser.error("--wav needs exactly one image, and must not overwrite it")

    def work() -> int:
        recognizer, count, failed = load(args.model, args.threads), 0, 0
        for path in args.images:
            try:
                transcribe(path, recognizer, args, count + 1)
                count += 1
            except (ImageError, ScoreError) as error:  # the others are read nevertheless
                print(f"error: {error}", file=sys.stderr)
                failed = 1
        return failed

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
