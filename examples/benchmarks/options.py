"""Options that several benchmarks share: one name, one meaning and one check everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.benchmarks.child import ROOT


def add_images(parser: argparse.ArgumentParser) -> None:
    """`--images`: what is read."""
    parser.add_argument(
        "--images",
        type=Path,
        default=ROOT / "examples" / "images",
        metavar="DIR",
        help="a folder with labels.tsv or labels.csv (default: the eight example images, too "
        "few to estimate an accuracy)",
    )


def add_models(
    parser: argparse.ArgumentParser, default: list[str] | None, *, what: str, default_text: str
) -> None:
    """`--models`: files, each perhaps with a backend.

    Args:
        parser: Receives the option.
        default: The value if the option is not given.
        what: What the files are, for the help.
        default_text: The default in words, for the help.
    """
    parser.add_argument(
        "--models",
        nargs="+",
        default=default,
        metavar="FILE[=BACKEND]",
        help=f"{what}: files, or names of bundled models, each run by the engine of its suffix "
        f"unless another is given (default: {default_text})",
    )


def add_minutes(parser: argparse.ArgumentParser, default: float) -> None:
    """`--minutes`: when to stop."""
    parser.add_argument(
        "--minutes",
        type=amount,
        default=default,
        help="stop after that time and print the table so far (default: %(default)s)",
    )


def add_rounds(parser: argparse.ArgumentParser, default: int) -> None:
    """`--rounds`: how often each one is measured."""
    parser.add_argument(
        "--rounds",
        type=count,
        default=default,
        metavar="N",
        help="rounds (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: where the results go."""
    parser.add_argument("--json", type=output, metavar="FILE", help="write the results to a file")


def add_png(parser: argparse.ArgumentParser) -> None:
    """`--png`: where the chart goes."""
    parser.add_argument("--png", type=output, metavar="FILE", help="draw accuracy against time")


def count(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def amount(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def output(text: str) -> Path:
    """A path that can be written: checked before minutes are spent on what goes into it."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder: expected the path of a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"cannot write {path}: no folder {path.parent}")
    return path
