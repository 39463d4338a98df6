"""Measure the speed of model files on this machine, in interleaved runs.

Quantiles of a read and of each stage, words a second in batches, cold start of a new process; with
labeled images the accuracy too, with 95 % intervals.

Examples:
  python -m crnn_edge bench model.onnx --threads 1
  python -m crnn_edge bench fp32.onnx int8.onnx --images crops/ --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_edge.backends import find_model, physical_cores
from crnn_edge.cli.arguments import (
    MODEL_HELP,
    add_decoder,
    add_engine,
    add_json,
    add_tta,
    positive_int,
    recognizer_options,
)
from crnn_edge.escape import escape_line
from crnn_edge.images import list_images, read_image
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import DEFAULT_MODEL
from crnn_edge.types import Image

if TYPE_CHECKING:
    from crnn_edge.benchmark import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bench`."""
    parser.add_argument(
        "models",
        nargs="*",
        type=find_model,
        default=[DEFAULT_MODEL],
        metavar="MODEL",
        help=MODEL_HELP,
    )
    add_engine(parser)
    add_decoder(parser)
    add_tta(parser)
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="images to read; labels.tsv or labels.csv in it are used to score the results "
        "(default: a built-in image)",
    )
    parser.add_argument(
        "--runs",
        type=positive_int,
        default=200,
        help="timed reads per model (default: %(default)s)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from crnn_edge import benchmark  # no other command needs what it imports

    names, images, labels = _load(options.images)
    reports = benchmark.bench(
        options.models,
        images,
        labels,
        names=names,
        runs=options.runs,
        **recognizer_options(options),
    )
    machine, threads = benchmark.machine(), options.threads or physical_cores()
    if options.json:
        models = [report.to_dict() for report in reports]
        print(json.dumps({"machine": machine, "threads": threads, "models": models}))
        return 0
    print(f"{machine}; threads: {threads}; images: {len(images)}")
    for report in reports:
        _print(report)
    return 0


def _load(folder: str | None) -> tuple[Sequence[Path], Sequence[Image], Sequence[str] | None]:
    """Paths, images and labels, if there are any."""
    if folder is None:
        from crnn_edge.selftest import selftest_image

        return (), [selftest_image()], None
    if any(Path(folder).glob("labels.[ct]sv")):
        labelled = LabelledFolder(folder)
        images, labels = zip(*labelled, strict=True)
        return labelled.paths, images, labels
    paths = list_images(folder)
    return paths, [read_image(path) for path in paths], None


def _print(report: Report) -> None:
    model = escape_line(f"{report.path}: {report.name}")
    print(f"\n{model}, {report.precision}, {report.size_bytes:,} bytes")
    print(f"  {'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}")
    for stage, quantiles in {"a read": report.read, **report.stages}.items():
        print(f"  {stage:<12}" + "".join(f"{ms:9.3f}" for ms in quantiles.values()))
    speed = f"{report.words_per_s:,.0f} words/s in batches"
    print(f"  {speed}; cold start {report.cold_start_ms} ms")
    if (score := report.score) is not None:
        figures = {
            "accuracy": score.accuracy,
            "exact": score.exact,
            "1-NED": score.one_minus_ned,
            "CER": score.cer,
        }
        texts = [
            f"{name} {100 * share:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"
            for name, share in figures.items()
        ]
        print(f"  n {score.n}; {'; '.join(texts)}")
