"""Run a model file's self-test: does it compute here what it computed where it was exported?

Reads a built-in image and compares the class of each time step with those in the file; exit code 1
if they differ.

Examples:
  python -m crnn_edge check model.onnx --threads 1
"""

from __future__ import annotations

import argparse
import json

from crnn_edge.backends import open_backend
from crnn_edge.cli.arguments import add_engine, add_json, add_model_positional
from crnn_edge.errors import EngineError
from crnn_edge.escape import escape_line
from crnn_edge.selftest import run_selftest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    add_model_positional(parser)
    add_engine(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the self-test."""
    backend = open_backend(
        options.model, options.backend, threads=options.threads, device=options.device
    )
    result = run_selftest(backend)
    description = result.describe(backend.manifest.charset)
    if options.json:
        facts = {"ok": result.ok, "checked": result.num_checked, "differences": result.differences}
        print(json.dumps({"path": str(options.model), **facts}))
    elif result.ok:
        print(escape_line(f"{options.model}: {description}"))
    if not result.ok:
        raise EngineError(
            f"self-test of {options.model} failed on this machine: output differs from the "
            f"exported reference ({description})"
        )
    return 0
