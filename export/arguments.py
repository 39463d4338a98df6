"""Command-line options that all exporters share."""

from __future__ import annotations

import argparse


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint and `--int8`."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        nargs="?",
        default="crnn-lite",
        help="a checkpoint (.safetensors), or the name of a shipped one (default: %(default)s)",
    )
    parser.add_argument("--int8", action="store_true", help="quantize the file to INT8")
