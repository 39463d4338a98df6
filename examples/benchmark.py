"""Measure speed, size and accuracy on this machine: `python -m examples.benchmark --help`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from crnn_edge import plugins
from crnn_edge.cli.run import run_command

PACKAGE = "examples.benchmarks"

EXAMPLES = """
examples:
  which model, engine and precision is best on this board:
    python -m examples.benchmark backends --images CROPS --png chart.png
  how well models and baselines read several sets of images:
    python -m examples.benchmark sets --images sets/*/dev --baselines ppocr
  whether it is slower than before an update:
    python -m examples.benchmark backends --json new.json --compare old.json
  every option of a benchmark:
    python -m examples.benchmark backends --help
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser: a subcommand for each module of `examples/benchmarks` that has a `run`."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark",
        description="Measure speed, size and accuracy together, on this machine. Results go to "
        "standard output as Markdown tables, progress and messages to standard error.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for name in plugins.available(PACKAGE, "run"):
        module = importlib.import_module(f"{PACKAGE}.{name}")
        text = (module.__doc__ or "").strip()
        subparser = subparsers.add_parser(
            name,
            help=text.partition("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark.

    Returns:
        The exit code: 0; 1 after `error: …` on standard error; 130 if interrupted before there was
        anything to print.
    """
    options = build_parser().parse_args(arguments)
    return run_command(lambda: options.run(options))


if __name__ == "__main__":
    sys.exit(main())
