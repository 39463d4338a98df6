"""Accuracy of a checkpoint or model file on labelled crops: `python -m model.evaluate --help`.

In Python: `model.analysis.evaluation.evaluate(recognizer, folder)`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_edge.backends import find_model
from crnn_edge.cli.arguments import (
    add_decoder,
    add_engine,
    add_json,
    add_tta,
    recognizer_options,
)
from crnn_edge.cli.run import run_command
from crnn_edge.errors import CrnnError

if TYPE_CHECKING:
    from model.analysis.evaluation import Evaluation

log = logging.getLogger("crnn_edge")

EXAMPLES = """
examples:
  python -m model.evaluate model/weights/crnn-lite.safetensors crops/dev
  python -m model.evaluate crnn-medium crops/dev --errors errors.png
  python -m model.evaluate crnn-lite crops/dev --breakdown
  python -m model.evaluate crnn-lite crops/dev --pad 0.5 0.2
  python -m model.evaluate meter.onnx meters/dev --decoder beam --set 'pattern=\\d{6}'
"""

_MOST_ERRORS = 120  # crops on the sheet of `--errors`
_MOST_PADDING = 10  # heights


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m model.evaluate",
        description="Measure a checkpoint or model file on labelled crops: exact match, accuracy\n"
        "by the scene-text protocol (lower-case, only a-z and 0-9), 1 - NED and CER, each with\n"
        "its 95 % interval and the sample size.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "model",
        type=find_model,
        help="checkpoint (.safetensors), model file of any format, or name of a bundled model",
    )
    add("data", type=Path, nargs="+", help="folders with labels.tsv or labels.csv, or LMDBs")
    add_decoder(parser)
    add_tta(parser)
    add_engine(parser)
    add(
        "--pad",
        type=_heights,
        nargs="+",
        default=[0.0],
        metavar="HEIGHTS",
        help="add context padding, as of a looser crop: at either end of the line and, with a "
        "second number, above and below, in heights of the crop",
    )
    add(
        "--breakdown",
        action="store_true",
        help="also print scores by length, by pixels per character and by kind of text, and the "
        "most frequent confusions",
    )
    add("--errors", type=Path, metavar="PNG", help="draw the crops with the most errors")
    add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m model.evaluate`."""
    options = build_parser().parse_args(argv)
    return run_command(lambda: _evaluate(options), extra="train")


def _heights(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= _MOST_PADDING:
            return float(text)
    raise argparse.ArgumentTypeError(
        f"expected one or two numbers from 0 to {_MOST_PADDING}, got {text!r}; give the model and "
        "the data before --pad"
    )


def _evaluate(options: argparse.Namespace) -> None:
    from crnn_edge.recognizer import Recognizer
    from model.analysis.contact_sheet import check_sheet
    from model.analysis.error_sheet import draw_errors
    from model.analysis.evaluation import CHECKPOINT_BACKEND, evaluate

    if len(options.pad) > 2:
        raise CrnnError(
            f"--pad takes one or two numbers, got {len(options.pad)}; give the model and the data "
            "before --pad"
        )
    if options.model.is_dir():
        raise CrnnError(f"{options.model} is a folder: give the model first, then the data")
    if options.errors:
        check_sheet(options.errors)
    if options.model.suffix == ".safetensors" and options.backend is None:
        options.backend = CHECKPOINT_BACKEND
    recognizer = Recognizer.load(options.model, **recognizer_options(options))
    beside, above = (*options.pad, 0.0)[:2]
    evaluations = []
    for data in options.data:
        evaluation = evaluate(recognizer, data, pad=(beside, above))
        _print(evaluation, options)
        evaluations.append(evaluation)
    if options.errors:
        misread = [reading for one in evaluations for reading in one.misread]
        if not misread:
            log.info("there are no errors: %s is empty", options.errors)
        split = recognizer.manifest.charset.split
        draw_errors(misread[:_MOST_ERRORS], split, options.errors)


def _print(evaluation: Evaluation, options: argparse.Namespace) -> None:
    from model.analysis import breakdown

    if options.json:
        values = evaluation.to_dict(details=options.breakdown)
        print(json.dumps({"model": str(options.model), **values}))
        return
    score = evaluation.score
    print(f"{evaluation.data}: n = {score.n}")
    rows = {
        "exact": score.exact,
        "accuracy (STR)": score.accuracy,
        "1 - NED": score.one_minus_ned,
        "CER": score.cer,
    }
    for name, value in rows.items():
        low, high = 100 * value.low, 100 * value.high
        print(f"  {name:<15} {100 * value:6.2f} %   [{low:.2f}, {high:.2f}]")
    if options.breakdown:
        print("\n".join(breakdown.lines(evaluation.groups, evaluation.confusions)))


if __name__ == "__main__":
    sys.exit(main())
