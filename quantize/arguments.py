"""Command-line options of quantizers and exporters, and the settings made from them."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TypeVar

from crnn_edge.cli.arguments import add_json
from quantize.config import FULL_INTEGER_WIDTH_PX, ConfigError, QuantizationConfig
from quantize.quantizer import Quantizer

Config = TypeVar("Config", bound=QuantizationConfig)


def add_crops(parser: argparse.ArgumentParser) -> None:
    """Add `--calibration`, `--validation` and `--json`."""
    parser.add_argument(
        "--calibration",
        metavar="FOLDER",
        type=Path,
        default=QuantizationConfig.calibration,
        help="labelled crops (labels.tsv): the 1st, 3rd, … choose the INT8 ranges, the 2nd, 4th, "
        "… verify the result, except those whose labels have characters that the network does not "
        "know (default: the rendered crops in quantize/crops)",
    )
    parser.add_argument(
        "--validation",
        metavar="FOLDER",
        type=Path,
        help="verify with all of these labelled crops instead",
    )
    add_json(parser)


def add_verification(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that verify, `--max-drop` among them."""
    add_crops(parser)
    parser.add_argument(
        "--max-drop",
        metavar="POINTS",
        type=float,
        default=QuantizationConfig.max_drop,
        help="points of accuracy that may be lost. If more are lost, and the crops are enough to "
        "show that this is not by chance (p < 0.05), nothing is written and the exit code is 1 "
        "(default: %(default)g)",
    )


def add_quantization(parser: argparse.ArgumentParser, quantizer: Quantizer | None = None) -> None:
    """Add the options of commands that quantize.

    Args:
        parser: The parser.
        quantizer: That of the command's format, which may have full-integer files.
    """
    parser.add_argument(
        "--mixed-precision",
        action="store_true",
        help="where quantizing every layer loses more than --max-drop, keep as few layers in float "
        "as possible; `python -m quantize.sensitivity` shows which",
    )
    parser.add_argument(
        "--exclude-layers",
        metavar="NAMES",
        type=lambda text: tuple(filter(None, text.split(","))),
        default=(),
        help="layers to keep in float in any case, such as conv2,lstm1",
    )
    if quantizer is None or quantizer.full_integer is None:
        return
    parser.add_argument(
        "--io",
        choices=("float32", "int8"),
        default="float32",
        help="type of an INT8 file's input and output; with int8 the file is full-integer, as "
        "microcontrollers and accelerators require (default: %(default)s)",
    )
    parser.add_argument(
        "--width",
        dest="width_px",
        metavar="PX",
        type=int,
        help="with --io int8: the input width that the file declares, which compilers for "
        f"accelerators take as fixed and runtimes can resize (default: {FULL_INTEGER_WIDTH_PX})",
    )


def to_config(
    parser: argparse.ArgumentParser, options: argparse.Namespace, config_class: type[Config]
) -> Config:
    """The settings that were given on the command line.

    Options are named as the fields of the class; fields without an option have their defaults.
    Settings that contradict each other end the program with a usage message.
    """
    names = {field.name for field in dataclasses.fields(config_class)} & vars(options).keys()
    try:
        return config_class(**{name: getattr(options, name) for name in names})
    except ConfigError as error:
        parser.error(str(error))


def check_out(parser: argparse.ArgumentParser, out: Path | None, suffix: str) -> None:
    """End the program with a usage message if `--out` cannot be a file of the format."""
    if out is None:
        return
    if out.suffix != suffix:
        parser.error(f"invalid --out {out}: expected a file name that ends in {suffix}")
    if out.is_dir():
        parser.error(f"invalid --out {out}: it is a folder, expected a file name")
