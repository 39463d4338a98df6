"""The command line of the runtime: `python -m runtime {read, info, check, bench, lexicon}`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from runtime import commands
from runtime.errors import CrnnError
from runtime.recognizer import DEFAULT_MODEL


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0, or 1 after `error: …` on standard error.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # any charset, any file name, on any system
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except CrnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `… | head` has seen enough; keep Python from flushing again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def _parser() -> argparse.ArgumentParser:
    engine = argparse.ArgumentParser(add_help=False)
    engine.add_argument(
        "--backend",
        metavar="NAME",
        help="inference engine: a file name in runtime/backends/, such as onnx, or a dotted name "
        "of your own module (default: by the model file's suffix)",
    )
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--threads", type=_positive, metavar="N", help="cores (default: all)")
    place.add_argument(
        "--device", default="cpu", help="cpu, or cuda, cuda:1, tensorrt (default: %(default)s)"
    )
    words = argparse.ArgumentParser(add_help=False)
    words.add_argument(
        "--decoder",
        default="greedy",
        metavar="NAME",
        help="what makes text of the network's output: a file name in runtime/decoders/, such as "
        "greedy, beam, lexicon or exhaustive, or a dotted name of your own module (default: "
        "%(default)s)",
    )
    words.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the decoder, such as width=20; repeatable (`--set help=` lists them)",
    )
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("--json", action="store_true", help="write JSON, for programs")

    parser = argparse.ArgumentParser(
        prog="python -m runtime", description="Read lines of text in pictures with a model file."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        parents: list[argparse.ArgumentParser],
        told: str,
        examples: str,
    ) -> argparse.ArgumentParser:
        made = subparsers.add_parser(
            name,
            parents=[*parents, output],
            help=told.partition(".")[0],
            description=told,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    read = command(
        "read",
        commands.read,
        [engine, place, words],
        "Read pictures of one line of text each.\n\n"
        "Writes a line a picture: path, text and p(text | picture), separated by tabs; with --json "
        "an object a\nline, with characters and their spans in pixels. A picture that cannot be "
        "read gives a line on standard\nerror, the others are still read, and the exit code is 1.",
        "  python -m runtime read word.png\n"
        "  python -m runtime read --model my.onnx --json crops/ more/*.jpg\n"
        "  camera-grab | python -m runtime read -\n"
        "  python -m runtime read plate.png --decoder beam --set 'pattern=[A-Z]{2}\\d{4}'\n"
        "  python -m runtime read crops/ --decoder lexicon --set words=names.txt --set prior=0.99\n"
        "  python -m runtime read word.png --decoder beam --set alternatives=4 --json",
    )
    read.add_argument("images", nargs="+", metavar="IMAGE", help="a file, a folder, or - for stdin")
    read.add_argument(
        "--model", type=Path, metavar="FILE", help="model file (default: the one that comes along)"
    )
    read.add_argument(
        "--batch",
        type=_positive,
        default=16,
        metavar="N",
        help="pictures read together; readings do not depend on it (default: %(default)s)",
    )

    info = command(
        "info",
        commands.info,
        [engine],
        "Print what a model file says about itself: charset, preprocessing, origin, figures.",
        "  python -m runtime info model.onnx\n  python -m runtime info model.onnx --json",
    )
    check = command(
        "check",
        commands.check,
        [engine, place],
        "Prove that a model file computes on this machine what it computed where it was exported.\n"
        "\nReads a built-in picture and compares the classes with those in the file; exit code 1 "
        "if they differ.",
        "  python -m runtime check model.onnx --threads 1",
    )
    for single in (info, check):
        single.add_argument(
            "model",
            nargs="?",
            type=Path,
            default=DEFAULT_MODEL,
            metavar="MODEL",
            help="model file (default: the one that comes along)",
        )

    bench = command(
        "bench",
        commands.bench,
        [engine, place, words],
        "Time model files on this machine, in turns.\n\n"
        "Quantiles a read and a stage, words a second in batches, cold start of a new process; "
        "with labelled\npictures the accuracy too, with 95 % intervals.",
        "  python -m runtime bench model.onnx --threads 1\n"
        "  python -m runtime bench fp32.onnx int8.onnx --images crops/ --json",
    )
    bench.add_argument(
        "models", nargs="*", type=Path, default=[DEFAULT_MODEL], metavar="MODEL", help="model files"
    )
    bench.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="pictures to read, with labels.tsv or labels.csv to score (default: a built-in one)",
    )
    bench.add_argument(
        "--runs", type=_positive, default=200, help="timed reads a model (default: %(default)s)"
    )

    lexicon = command(
        "lexicon",
        commands.lexicon,
        [engine],
        "Index a word list for the lexicon decoder, so that it loads in a millisecond.\n\n"
        "The list has a word a line. The index is for models of the same charset.",
        "  python -m runtime lexicon names.txt --out names.lexicon\n"
        "  python -m runtime read crops/ --decoder lexicon --set words=names.lexicon",
    )
    lexicon.add_argument("words", type=Path, metavar="FILE", help="the word list")
    lexicon.add_argument("--out", type=Path, required=True, metavar="FILE", help="the index")
    lexicon.add_argument(
        "--model",
        type=Path,
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="model file whose charset spells the words (default: the one that comes along)",
    )
    lexicon.add_argument(
        "--match-case", action="store_true", help="tell `Word` from `WORD` (default: they are one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
