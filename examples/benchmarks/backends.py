r"""Every model file in its engine on this machine: speed, accuracy, memory, size, in one table.

A read is one picture from array to text: preprocess, model, decode. Each picture of --data is read
once by each model, in turns: half of them one by one, which gives the times a read, the others in
batches, which give words a second (a batch reads what reading alone gives), so speed and accuracy
come from the same reads. The ratio to the baseline is the median over rounds, with a 95 %
interval. "overhead" is the part of a read that is not the model. Every row is a process of its own:
one that crashes is left out and told. Ctrl-C prints the table so far, and so does the clock; where
that is short, slow rows read fewer pictures (n).

Examples:
  python examples/benchmark.py backends --data crops/dev
  python examples/benchmark.py backends --models a.onnx b.onnx --threads 1 --json new.json
  python examples/benchmark.py backends --data crops/dev --json new.json --compare old.json
  python examples/benchmark.py backends --widths 64 128 256 --batch 1 16 64
  python examples/benchmark.py backends \
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
from examples.benchmarks import options as shared
from examples.benchmarks import pictures as checked
from examples.benchmarks import report
from examples.benchmarks.child import Child
from examples.benchmarks.machine import conditions
from examples.benchmarks.models import models, titles
from examples.benchmarks.progress import progress
from examples.benchmarks.results import READ, baseline, figures, load
from examples.benchmarks.turns import Reader, attempt, chunks, take_turns

_CHUNK = 16  # pictures a turn, at least
_PICTURES = 400  # at least, half of them one by one
_STARTS = 3  # processes that the cold start is the median of
_STARTING = 1 / 3  # of the time at most, so that some is left to read
_AT_WIDTH = 4  # reads a turn
_HANGS_S = 25.0  # an answer that takes longer; with it, a run of 4.5 minutes stays below 5

ALONE = 0
"""The size of a batch where pictures are read one by one."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be asked."""
    add = parser.add_argument
    shared.add_models(
        parser,
        None,
        told="model files",
        of_default="those that ship, those in build/, and the shipped checkpoints where torch is "
        "installed",
    )
    shared.add_data(parser)
    add(
        "--threads",
        type=shared.count,
        nargs="+",
        metavar="N",
        help="processor cores; each gives a row (default: 1, 2 and all)",
    )
    add(
        "--batch",
        type=shared.count,
        nargs="+",
        default=[16],
        metavar="N",
        help="pictures at a time; each gives a column (default: 16)",
    )
    add(
        "--widths",
        type=shared.count,
        nargs="+",
        default=[],
        metavar="PX",
        help="also time pictures of "
        "these widths, in pixels at the model's height; a second table (default: none)",
    )
    add(
        "--baseline",
        metavar="LABEL",
        help="row that the others are compared with, as `FILE`, `FILE, ENGINE` or `FILE, ENGINE, "
        "THREADS`, named as in the table (default: the first)",
    )
    shared.add_minutes(parser, 4.5)
    add("--brief", action="store_true", help="fewer columns: what one chooses by")
    shared.add_json(parser)
    shared.add_png(parser)
    add("--compare", type=Path, metavar="OLD", help="a --json of an earlier run: show what changed")


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    end_s = time.monotonic() + 60 * options.minutes
    old = load(options.compare) if options.compare else None
    pictures = LabelledFolder(options.data)
    rows = list(_rows(options))
    readers = [reader for _, reader in rows]
    compared_with = baseline([reader.label for reader in readers], options.baseline)
    sizes = checked.sizes(pictures.paths, options.widths)

    def turn(reader: Reader, number: int, part: tuple[int, Sequence[int]]) -> None:
        size, chunk = part
        if size == ALONE:
            reader.read(number, chunk, pictures.paths, slice(len(READ)))
        else:
            rate = reader.read_together(chunk, pictures.paths, size)
            reader.about["words_per_s"].setdefault(str(size), {})[number] = rate
        if options.widths:
            width = options.widths[number % len(options.widths)]
            times = reader.about["widths_ms"].setdefault(str(width), [])
            times += reader.ask("at_width", width, _AT_WIDTH)
        reader.about["peak_rss_mb"] = reader.ask("peak_rss_mb")

    before = conditions()
    with ExitStack() as stack:
        _start_all(rows, stack, 60 * options.minutes, sizes)
        plan = list(parts(len(pictures), options.batch))
        take_turns(readers, plan, turn, end_s - time.monotonic())
    measured = figures(readers, pictures.texts, compared_with)
    measured["conditions"] = before.told(conditions())
    measured["data"] = {"folder": str(options.data), "pictures": len(pictures)}
    if options.json:  # first, so that nothing that goes wrong from here on loses it
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
    """What each round reads: the size of its batches, or `ALONE`, and the numbers of the pictures.

    Half of the pictures are read alone, the other half in batches of each size in turn.

    Args:
        count: Pictures there are. All are read once; where they are few, all as often as it takes.
        sizes: Of the batches.
    """
    order = [i for whole in chunks(count, count, _PICTURES) for i in whole]
    kinds = cycle([kind for size in sizes for kind in (*[ALONE] * -(-size // _CHUNK), size)])
    first = 0
    while first < len(order):
        size = next(kinds)
        wanted = size * -(-_CHUNK // size) if size else _CHUNK
        part = order[first : first + wanted]
        yield (size if len(part) == wanted else ALONE), part
        first += wanted


def _rows(options: argparse.Namespace) -> Iterator[tuple[Path, Reader]]:
    """A model file, and what will be measured of it in one engine with so many threads."""
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
    rows: Sequence[tuple[Path, Reader]], stack: ExitStack, seconds: float, sizes: checked.Sizes
) -> None:
    """Start every reader's process, several times in turns for the cold start; the first stays.

    Those with few threads come first, so that every model has a row where time is short.

    Args:
        rows: The model files and their readers.
        stack: What ends the processes.
        seconds: For the whole benchmark.
        sizes: Of all that will be read.

    Raises:
        ImageError: If some of it is too long a line for a model.
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
            checked.check(sizes, reader.label, child.ask)
            reader.charset = Charset(*child.ask("charset"))
            reader.about |= about | {"size_bytes": model_size(path)}

    order = sorted(rows, key=lambda row: int(row[1].about["threads"]))
    for number in range(_STARTS):
        for path, reader in progress(order, f"cold start {number + 1}"):
            if time.monotonic() < end_s:
                attempt(reader, partial(start, path=path))
            elif not starts[reader.label] and not reader.failure:
                reader.failure = "there was no time to start it: more --minutes, fewer --models"
    for _, reader in rows:
        if not reader.failure:
            totals_ms, of_parts = zip(*starts[reader.label], strict=True)
            reader.about["cold_start_ms"] = round(float(np.median(totals_ms)), 1)
            reader.about["cold_parts_ms"] = {
                part: round(float(np.median([times_ms[part] for times_ms in of_parts])), 1)
                for part in of_parts[0]
            }
