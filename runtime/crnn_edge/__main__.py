"""The command line of the runtime: `python -m crnn_edge {read, info, check, bench, lexicon}`."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from crnn_edge.backends import find_model
from crnn_edge.cli import commands
from crnn_edge.cli.run import run_command
from crnn_edge.recognizer import DEFAULT_MODEL


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code, as of `run_command`.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.run is commands.lexicon:
        out, words = map(os.path.realpath, (options.out, options.words))
        if out == words:
            parser.error(f"--out {options.out} is the word list itself, which would be lost")
    return run_command(lambda: options.run(options))


def _positive(text: str) -> int:
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 999999, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    """The options; what a command does is told by the docstring of its function."""
    groups = (argparse.ArgumentParser(add_help=False) for _ in range(5))
    model, engine, place, words, output = groups  # of options that several commands have
    comes_along = "model file, or the name of one that comes along (default: crnn-lite)"
    model.add_argument(
        "model",
        nargs="?",
        type=find_model,
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=comes_along,
    )
    engine.add_argument(
        "--backend",
        metavar="NAME",
        help="inference engine: a file name in crnn_edge/backends/, such as onnx, or a dotted name "
        "of your own module (default: by the model file's suffix)",
    )
    place.add_argument("--threads", type=_positive, metavar="N", help="cores (default: all)")
    place.add_argument(
        "--device", default="cpu", help="cpu, or cuda, cuda:1, tensorrt (default: %(default)s)"
    )
    words.add_argument(
        "--decoder",
        metavar="NAME",
        help="what makes text of the network's output: a file name in crnn_edge/decoders/, such as "
        "greedy, lm, beam, lexicon or prefix_search, or a dotted name of your own module "
        "(default: as the model file says)",
    )
    words.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the decoder, such as nbest=5; repeatable; an unknown one is refused "
        "with a list of those that there are",
    )
    words.add_argument(
        "--tta-threshold",
        type=float,
        metavar="P",
        help="read what is less probable than P again: narrower, wider, and if need be along a "
        "line that falls or climbs; keep the best reading. More right in more time; 0 for one look "
        "(default: as the model file says)",
    )
    output.add_argument("--json", action="store_true", help="write JSON, for programs")

    parser = argparse.ArgumentParser(
        prog="python -m crnn_edge", description="Read lines of text in pictures with a model file."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        run: Callable[[argparse.Namespace], int], *parents: argparse.ArgumentParser
    ) -> Callable[..., argparse.Action]:
        told, _, examples = (inspect.getdoc(run) or "").partition("Examples:\n")
        made = subparsers.add_parser(
            run.__name__,
            parents=[*parents, output],
            help=told.partition(".")[0],
            description=told,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made.add_argument

    option = command(commands.read, engine, place, words)
    option("images", nargs="+", metavar="IMAGE", help="a file, a folder, or - for stdin")
    option("--model", type=find_model, metavar="MODEL", help=comes_along)
    option(
        "--batch",
        type=_positive,
        default=16,
        metavar="N",
        help="pictures read together; readings do not depend on it (default: %(default)s)",
    )

    command(commands.info, model, engine)
    command(commands.check, model, engine, place)

    option = command(commands.bench, engine, place, words)
    option(
        "models",
        nargs="*",
        type=find_model,
        default=[DEFAULT_MODEL],
        metavar="MODEL",
        help=comes_along,
    )
    option(
        "--images",
        metavar="FOLDER",
        help="pictures to read, with labels.tsv or labels.csv to score (default: a built-in one)",
    )
    option("--runs", type=_positive, default=200, help="timed reads a model (default: %(default)s)")

    option = command(commands.lexicon, engine)
    option("words", type=Path, metavar="FILE", help="the word list")
    option("--out", type=Path, required=True, metavar="FILE", help="the index")
    option(
        "--model",
        type=find_model,
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="whose charset spells the words (default: crnn-lite)",
    )
    option(
        "--match-case", action="store_true", help="tell `Word` from `WORD` (default: they are one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
