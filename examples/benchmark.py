"""Measure speed, size and accuracy on this machine: `python examples/benchmark.py --help`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works in a clone, not installed

from crnn_edge import plugins
from crnn_edge.cli.run import run_command

PACKAGE = "examples.benchmarks"

EXAMPLES = """
examples:
  which model, engine and precision is best on this board:
    python examples/benchmark.py backends --data crops/dev --png chart.png
  is it slower than before the update:
    python examples/benchmark.py backends --json new.json --compare old.json
  every option of one of them:
    python examples/benchmark.py backends --help
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser; each file of `examples/benchmarks` with a `run` adds its own part."""
    parser = argparse.ArgumentParser(
        prog="python examples/benchmark.py",
        description="Measure speed, size and accuracy together, on this machine. Tables go to "
        "standard output as Markdown, progress and remarks to standard error.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for name in plugins.available(PACKAGE, "run"):
        module = importlib.import_module(f"{PACKAGE}.{name}")
        told = (module.__doc__ or "").strip()
        made = subparsers.add_parser(
            name,
            help=told.partition("\n")[0],
            description=told,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(made)
        made.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark.

    Returns:
        The exit code: 0; 1 after `error: …` on standard error; 130 if it was interrupted before
        there was anything to print.
    """
    options = build_parser().parse_args(arguments)
    return run_command(lambda: options.run(options))


if __name__ == "__main__":
    sys.exit(main())
