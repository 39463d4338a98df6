r"""Every model file in its engine on this machine: speed, accuracy, memory and size in one table.

A read is one image from array to text: preprocess, model, decode. Each image is read once by each
model, in interleaved runs: half of them one by one, which gives the time of a read, the others in
batches, which give words a second, so speed and accuracy come from the same reads. The ratio to the
baseline is the median over rounds, with a 95 % interval. "overhead" is the part of a read outside
the network. Every row is a process of its own: one that crashes is reported and left out. The table
so far is printed on Ctrl-C and when the time is up; then slow rows have read fewer images (n).

Examples:
  python -m examples.benchmark backends --images CROPS
  python -m examples.benchmark backends --models a.onnx b.onnx --threads 1 --json new.json
  python -m examples.benchmark backends --images CROPS --json new.json --compare old.json
  python -m examples.benchmark backends --widths 64 128 256 --batch 1 16 64
  python -m examples.benchmark backends \
      --models model/weights/crnn-lite.safetensors=model.network.backend
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np

from crnn_edge.backends import physical_cores
from crnn_edge.charset import Charset
from crnn_edge.files import atomic_write, model_size
from crnn_edge.labels import LabelledFolder
from examples.benchmarks import images as image_checks
from examples.benchmarks import options as shared
from examples.benchmarks import report
from examples.benchmarks.child import Child
from examples.benchmarks.interleaved import Reader, attempt, chunks, run_interleaved
from examples.benchmarks.machine import conditions
from examples.benchmarks.models import models, titles
from examples.benchmarks.progress import progress
from examples.benchmarks.results import READ, baseline, figures, load

_CHUNK = 16  # images a round, at least
_IMAGES = 400  # at least, half of them one by one
_STARTS = 3  # processes; the cold start is their median
_STARTING = 1 / 3  # of the time at most, so that some is left for reading
_AT_WIDTH = 4  # reads a round
_HANGS_S = 25.0  # an answer that takes longer; with it, a run of 4.5 minutes stays below 5

ALONE = 0
"""The batch size where images are read one by one."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    shared.add_models(
        parser,
        None,
        what="model files",
        default_text="all bundled ones, those in build/, and the shipped checkpoints if torch is "
        "installed",
    )
    shared.add_images(parser)
    add(
        "--threads",
        type=shared.count,
        nargs="+",
        metavar="N",
        help="numbers of threads, a row each (default: 1, 2 and all cores)",
    )
    add(
        "--batch",
        type=shared.count,
        nargs="+",
        default=[16],
        metavar="N",
        help="batch sizes, a column each (default: 16)",
    )
    add(
        "--widths",
        type=shared.count,
        nargs="+",
        default=[],
        metavar="PX",
        help="also time images of these widths, in pixels at the model's height: a second table",
    )
    add(
        "--baseline",
        metavar="LABEL",
        help="the row that the others are compared with: `FILE`, `FILE, ENGINE` or `FILE, ENGINE, "
        "THREADS`, as in the table (default: the first)",
    )
    shared.add_minutes(parser, 4.5)
    add("--brief", action="store_true", help="fewer columns: those to choose by")
    shared.add_json(parser)
    shared.add_png(parser)
    add(
        "--compare",
        type=Path,
        metavar="OLD",
        help="compare with the --json of an earlier run",
    )


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    end_s = time.monotonic() + 60 * options.minutes
    old = load(options.compare) if options.compare else None
    images = LabelledFolder(options.images)
    rows = list(_rows(options))
    readers = [reader for _, reader in rows]
    compared_with = baseline([reader.label for reader in readers], options.baseline)
    sizes = image_checks.sizes(images.paths, options.widths)

    def measure(reader: Reader, number: int, part: tuple[int, Sequence[int]]) -> None:
        size, chunk = part
        if size == ALONE:
            reader.read(number, chunk, images.paths, slice(len(READ)))
        else:
            rate = reader.read_batches(chunk, images.paths, size)
            reader.about["words_per_s"].setdefault(str(size), {})[number] = rate
        if options.widths:
            width = options.widths[number % len(options.widths)]
            times = reader.about["widths_ms"].setdefault(str(width), [])
            times += reader.ask("at_width", width, _AT_WIDTH)
        reader.about["peak_rss_mb"] = reader.ask("peak_rss_mb")

    before = conditions()
    with ExitStack() as stack:
        _start_all(rows, stack, 60 * options.minutes, sizes)
        plan = list(parts(len(images), options.batch))
        run_interleaved(readers, plan, measure, end_s - time.monotonic())
    measured = figures(readers, images.texts, compared_with)
    measured["conditions"] = before.describe(conditions())
    measured["data"] = {"folder": str(options.images), "images": len(images)}
    if options.json:  # first, so that no later failure loses the results
        atomic_write(options.json, json.dumps(measured, indent=1).encode())
    print(report.table(measured, brief=options.brief))
    if options.widths:
        print("\n" + report.widths_table(measured))
    if old:
        print("\n" + report.comparison(old, measured))
    if options.png and measured["rows"]:
        report.draw(measured, options.png)
    return 0 if measured["rows"] else 1


def parts(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """What each round reads: the size of its batches, or `ALONE`, and the numbers of the images.

    Half of the images are read alone, the other half in batches of each size alternately.

    Args:
        count: Number of images. All are read once; where they are few, all several times.
        sizes: Of the batches.
    """
    order = [i for whole in chunks(count, count, _IMAGES) for i in whole]
    kinds = cycle([kind for size in sizes for kind in (*[ALONE] * -(-size // _CHUNK), size)])
    first = 0
    while first < len(order):
        size = next(kinds)
        wanted = size * -(-_CHUNK // size) if size else _CHUNK
        part = order[first : first + wanted]
        yield (size if len(part) == wanted else ALONE), part
        first += wanted


def _rows(options: argparse.Namespace) -> Iterator[tuple[Path, Reader]]:
    """Each model file with each number of threads."""
    found = models(options.models)
    names = titles(path for path, _ in found)
    cores = physical_cores()
    for path, engine in found:
        for threads in dict.fromkeys(options.threads or sorted({1, min(2, cores), cores})):
            about = {
                "file": names[path],
                "backend": engine,
                "threads": threads,
                "words_per_s": {},
                "widths_ms": {},
            }
            yield path, Reader(f"{names[path]}, {engine}, {threads}", about=about)


def _start_all(
    rows: Sequence[tuple[Path, Reader]], stack: ExitStack, seconds: float, sizes: image_checks.Sizes
) -> None:
    """Start every reader's process, several times for the cold start; the first one stays.

    Those with few threads come first, so that every model has a row where time is short.

    Args:
        rows: The model files and their readers.
        stack: Ends the processes.
        seconds: For the whole benchmark.
        sizes: Of all images that will be read.

    Raises:
        ImageError: If an image is too long for a model.
    """
    end_s = time.monotonic() + _STARTING * seconds
    starts: dict[str, list[tuple[float, dict[str, float]]]] = {r.label: [] for _, r in rows}

    def start(reader: Reader, path: Path) -> None:
        given = [str(path), reader.about["backend"], str(reader.about["threads"])]
        start_s = time.perf_counter()
        child = Child("reader", given, threads=reader.about["threads"], timeout_s=_HANGS_S)
        stack.enter_context(child)
        child.ask("ready")
        spent_ms = 1e3 * (time.perf_counter() - start_s)
        about = child.ask("about")
        starts[reader.label].append((spent_ms, about.pop("cold_parts_ms")))
        if reader.child:
            child.close()
        else:
            reader.child = child
            image_checks.check(sizes, reader.label, child.ask)
            reader.charset = Charset(*child.ask("charset"))
            reader.about |= about | {"size_bytes": model_size(path)}

    order = sorted(rows, key=lambda row: int(row[1].about["threads"]))
    for number in range(_STARTS):
        for path, reader in progress(order, f"cold start {number + 1}"):
            if time.monotonic() < end_s:
                attempt(reader, partial(start, path=path))
            elif not starts[reader.label] and not reader.failure:
                reader.failure = (
                    "no time left to start it: increase --minutes or pass fewer --models"
                )
    for _, reader in rows:
        if not reader.failure:
            totals_ms, of_parts = zip(*starts[reader.label], strict=True)
            reader.about["cold_start_ms"] = round(float(np.median(totals_ms)), 1)
            reader.about["cold_parts_ms"] = {
                part: round(float(np.median([times_ms[part] for times_ms in of_parts])), 1)
                for part in of_parts[0]
            }
