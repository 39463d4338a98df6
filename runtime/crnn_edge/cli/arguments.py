"""Options that several commands have, each declared once."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from typing import Any

from crnn_edge.backends import find_model
from crnn_edge.decoders.settings import parse_settings
from crnn_edge.recognizer import DEFAULT_MODEL

MODEL_HELP = "model file, or the name of a bundled model (default: crnn-lite)"


def documented_parser(documentation: str | None, prog: str | None = None) -> ArgumentParser:
    """A parser whose help is a module's docstring; see `help_from`."""
    return ArgumentParser(prog=prog, **help_from(documentation))


def help_from(documentation: str | None) -> dict[str, Any]:
    """Keywords of a parser: a docstring as description, and its examples after the options.

    Examples are what follows a line `Examples:`, or else the first paragraph.
    """
    text = documentation or ""
    about, marker, examples = text.partition("\n\nExamples:\n")
    if not marker:
        about, _, examples = text.partition("\n\n")
    return {
        "description": about,
        "epilog": f"examples:\n{examples}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def positive_int(text: str) -> int:
    """The type of an option that counts: a whole number from 1 to 999999."""
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 999999, got {text!r}")
    return int(text)


def add_model(parser: ArgumentParser) -> None:
    """Add `--model`."""
    parser.add_argument(
        "--model", type=find_model, default=DEFAULT_MODEL, metavar="MODEL", help=MODEL_HELP
    )


def add_model_positional(parser: ArgumentParser) -> None:
    """Add the optional argument MODEL."""
    parser.add_argument(
        "model",
        nargs="?",
        type=find_model,
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=MODEL_HELP,
    )


def add_backend(parser: ArgumentParser) -> None:
    """Add `--backend`."""
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="inference engine: a module of crnn_edge/backends/, such as onnx, or a dotted name of "
        "your own module (default: by the model file's suffix)",
    )


def add_engine(parser: ArgumentParser) -> None:
    """Add `--backend`, `--threads` and `--device`."""
    add_backend(parser)
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", help="processor cores to use (default: all)"
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="cpu, or an accelerator that the engine knows: cuda, cuda:1, tensorrt "
        "(default: %(default)s)",
    )


def add_decoder(parser: ArgumentParser) -> None:
    """Add `--decoder` and its `--set`."""
    parser.add_argument(
        "--decoder",
        metavar="NAME",
        help="how text is found in the network's output: a module of crnn_edge/decoders/, such as "
        "greedy, beam, lm or lexicon, or a dotted name of your own module (default: the model "
        "file's)",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the decoder that --decoder names; repeatable; an unknown one is refused "
        "with a list of those that exist",
    )


def add_tta(parser: ArgumentParser) -> None:
    """Add `--tta-threshold`."""
    parser.add_argument(
        "--tta-threshold",
        type=float,
        metavar="P",
        help="test-time augmentation: read further views of an image (narrower, wider, deskewed) "
        "while its text is less probable than P, and keep the best result; more accurate and "
        "slower; 0 for never (default: the model file's)",
    )


def add_json(parser: ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="write JSON, for programs")


def recognizer_options(options: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `Recognizer.load` from `add_engine`, `add_decoder` and `add_tta`."""
    names = "backend", "decoder", "tta_threshold", "threads", "device"
    named = {name: getattr(options, name) for name in names}
    return named | {"decoder_settings": parse_settings(options.decoder, options.settings)}
