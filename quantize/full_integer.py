"""The arguments that ask for a file for whole numbers alone, where a format has such files."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from crnn_edge.errors import ModelFileError
from crnn_edge.preprocess import Preprocess

if TYPE_CHECKING:
    from quantize.cli import Format

WIDTH_PX = 256
"""Room for a word or a number: eight times as long as it is high."""


def add_arguments(parser: argparse.ArgumentParser, form: Format) -> None:
    """`--io` and `--width`, for formats that know of them."""
    if form.integer is None:
        return
    parser.add_argument(
        "--io",
        choices=("float32", "int8"),
        default="float32",
        help="type of an INT8 file's input and output; with int8 all between them is integer, "
        "too, as microcontrollers and accelerators want it (default: %(default)s)",
    )
    parser.add_argument(
        "--width",
        metavar="PX",
        type=int,
        help="with --io int8: the width that the file declares, which compilers take for fixed "
        f"and runtimes resize (default: {WIDTH_PX})",
    )


def as_asked(parser: argparse.ArgumentParser, args: argparse.Namespace, form: Format) -> Format:
    """The format as these arguments want it: itself, unless they ask for whole numbers."""
    if form.integer is None:
        return form
    if args.io == "float32":
        if args.width is not None:
            parser.error("--width is that of a file for whole numbers alone: add --io int8")
        return form
    width_px = WIDTH_PX if args.width is None else args.width
    return dataclasses.replace(form, quantize=form.integer(width_px), ending="-int8-io")


def check_width(width_px: int | None, preprocess: Preprocess) -> None:
    """Refuse a file for a width that its network never reads; None for one without a width.

    Raises:
        ModelFileError: If it is off the grid or beyond the longest bucket.
    """
    grid, most = preprocess.width_multiple, preprocess.max_width
    if width_px is not None and (width_px % grid or not 0 < width_px <= most):
        raise ModelFileError(
            f"--width {width_px} px: the network reads no such pictures: expected a multiple of "
            f"{grid} from {grid} to {most}"
        )
