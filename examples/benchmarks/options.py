"""Options that several benchmarks share: one name, one meaning, one check wherever they appear."""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.benchmarks.child import ROOT


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data`: the pictures."""
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT / "examples" / "images",
        metavar="DIR",
        help="a folder with labels.tsv or labels.csv (default: the eight example pictures, too "
        "few to tell an accuracy)",
    )


def add_models(
    parser: argparse.ArgumentParser, default: list[str] | None, *, told: str, of_default: str
) -> None:
    """`--models`: files, each perhaps with a backend.

    Args:
        parser: What gets it.
        default: The value where nothing is given.
        told: What the files are.
        of_default: What the default is, in words.
    """
    parser.add_argument(
        "--models",
        nargs="+",
        default=default,
        metavar="FILE[=BACKEND]",
        help=f"{told}, each in the engine of its suffix or in the one named (default: "
        f"{of_default})",
    )


def add_minutes(parser: argparse.ArgumentParser, default: float) -> None:
    """`--minutes`: when to stop."""
    parser.add_argument(
        "--minutes",
        type=amount,
        default=default,
        help="stop then, with the table so far (default: %(default)s)",
    )


def add_rounds(parser: argparse.ArgumentParser, default: int) -> None:
    """`--rounds`: how often each has its turn."""
    parser.add_argument(
        "--rounds",
        type=count,
        default=default,
        metavar="N",
        help="turns that each has (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: where the figures go."""
    parser.add_argument("--json", type=output, metavar="FILE", help="write the figures there")


def add_png(parser: argparse.ArgumentParser) -> None:
    """`--png`: where the chart goes."""
    parser.add_argument(
        "--png", type=output, metavar="FILE", help="draw accuracy against latency there"
    )


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
        raise argparse.ArgumentTypeError(f"expected more than 0, got {text}")
    return value


def output(text: str) -> Path:
    """A file to write, refused before minutes are spent on what goes into it."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path} in")
    return path
