"""The program that runs on the emulated board: `device.py RESULT {test, count}`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import selftest_image

STAGES = ("preprocess", "network", "decode")

RUNS = 2
"""How often a stage runs between its marks."""

_WARM_UP = 1
_MARK = 0x1C0DE  # a process that is not there; see icount.c


def count(models: Sequence[Path], engines: Sequence[str]) -> dict[str, str]:
    """Read an image with each model, stage by stage, with a mark before and after each stage.

    Returns:
        The version of each engine.
    """
    image = selftest_image()[:, :132]  # its first word: a tensor 96 px wide
    for path in models:
        recognizer = Recognizer.load(path, threads=1)
        tensor = recognizer.manifest.preprocess(image)[None]
        logits = recognizer.backend(tensor)
        _repeat(recognizer.manifest.preprocess, image)
        _repeat(recognizer.backend, tensor)
        _repeat(recognizer.decode, logits)
    return {engine: version(engine) for engine in engines}


def _repeat(stage: Callable[[Any], object], value: object) -> None:
    for _ in range(_WARM_UP):
        stage(value)
    _mark()
    for _ in range(RUNS):
        stage(value)
    _mark()


def _mark() -> None:
    with suppress(ProcessLookupError):
        os.getpriority(os.PRIO_PROCESS, _MARK)


class Tally:
    """A pytest plugin that counts the outcomes of the tests.

    Attributes:
        counts: How many passed, failed and were skipped.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: its call, or the failed setup."""
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1


def test(arguments: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Run pytest; its exit code, and how many tests passed, failed and were skipped."""
    sys.executable = os.environ["CRNN_PYTHON"]
    # An emulated processor is slow: a fifth of the examples that the tests try elsewhere.
    settings.register_profile("board", deadline=None, max_examples=20, database=None)
    tally = Tally()
    options = ["-p", "no:cacheprovider", "--hypothesis-profile=board"]
    code = pytest.main([*options, *arguments], plugins=[tally])
    return int(code), tally.counts


def main() -> int:
    """Test or count, and write the result to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, metavar="RESULT", help="the JSON file to write")
    commands = parser.add_subparsers(required=True, dest="command")
    counting = commands.add_parser("count")
    counting.add_argument("--engines", nargs="+", required=True)
    counting.add_argument("--models", nargs="+", type=Path, required=True)
    commands.add_parser("test")
    options, rest = parser.parse_known_args()
    code, result = (
        test(rest) if options.command == "test" else (0, count(options.models, options.engines))
    )
    options.result.write_text(json.dumps(result))
    return code


if __name__ == "__main__":
    sys.exit(main())
