"""The command `crnn-edge`, also called as `python -m crnn_edge`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crnn_edge import __version__
from crnn_edge.cli import bench, check, index_lexicon, info, read
from crnn_edge.cli.arguments import help_from
from crnn_edge.cli.run import run_command

_COMMANDS = (read, info, check, bench, index_lexicon)
"""Modules with a docstring for the help, `add_arguments(parser)` and `run(options) -> int`."""

_MODULE = "python -m crnn_edge"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code; see `run_command`.
    """
    options = _parser().parse_args(argv)
    return run_command(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    called_as_module = Path(sys.argv[0]).stem != "crnn-edge"  # or crnn-edge.exe
    prog = _MODULE if called_as_module else "crnn-edge"
    parser = argparse.ArgumentParser(
        prog=prog, description="Read lines of text in images with a model file."
    )
    parser.add_argument("--version", action="version", version=f"crnn-edge {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        text = (command.__doc__ or "").replace(_MODULE, prog)
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        subparser = subparsers.add_parser(name, help=text.partition(".")[0], **help_from(text))
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
