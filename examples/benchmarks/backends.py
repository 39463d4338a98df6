"""Every model file in its engine on this machine: speed, accuracy, memory, size, in one table.

A read is one picture from array to text: preprocess, model, decode. Each picture of --data is read
once by each model, in turns, so speed and accuracy come from the same reads; the ratio to the
baseline is the median over rounds, with a 95 % interval. "overhead" is the part of a read that is
not the model; a batch column gives words a second when pictures are read so many at a time. Every
row is a process of its own: one that crashes is left out and told. Ctrl-C prints the table so far.

Examples:
  python examples/benchmark.py backends --data crops/dev
  python examples/benchmark.py backends --models a.onnx b.onnx --threads 1 --json new.json
  python examples/benchmark.py backends --data crops/dev --json new.json --compare old.json
  python examples/benchmark.py backends --widths 64 128 256 --batch 1 16 64
  python examples/benchmark.py backends --models model/weights/crnn-lite.safetensors=model.backend
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from examples.benchmarks import report
from examples.benchmarks.child import ROOT, Child
from examples.benchmarks.machine import conditions
from examples.benchmarks.results import READ, figures, load, save
from examples.benchmarks.turns import Reader, attempt, chunks, take_turns
from runtime.backends import SUFFIXES, physical_cores
from runtime.errors import ModelFileError
from runtime.images import LabelledFolder

_CHUNK = 16  # pictures a turn
_READS = 200  # at least
_STARTS = 3  # processes that the cold start is the median of
_AT_WIDTH = 4  # reads a turn


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be asked."""
    add = parser.add_argument
    add(
        "--models",
        nargs="+",
        metavar="FILE[=BACKEND]",
        help="model files, each in the engine of "
        "its suffix or in the one named (default: those that ship, those in build/, and the "
        "shipped checkpoints where torch is installed)",
    )
    add(
        "--data",
        type=Path,
        default=ROOT / "examples" / "images",
        metavar="DIR",
        help="a folder with labels.tsv or labels.csv (default: the eight example pictures, too "
        "few to tell an accuracy)",
    )
    add(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help="processor cores; each gives a row (default: 1 and all)",
    )
    add(
        "--batch",
        type=int,
        nargs="+",
        default=[16],
        metavar="N",
        help="pictures at a time; each gives a column (default: 16)",
    )
    add(
        "--widths",
        type=int,
        nargs="+",
        default=[],
        metavar="PX",
        help="also time pictures of "
        "these widths, in pixels at the model's height; a second table (default: none)",
    )
    add(
        "--baseline",
        metavar="LABEL",
        help="row that the others are compared with, as the table names it (default: the first)",
    )
    add(
        "--minutes",
        type=float,
        default=4.5,
        help="stop then, with the table so far (default: %(default)s)",
    )
    add("--brief", action="store_true", help="fewer columns: what one chooses by")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    add("--png", type=Path, metavar="FILE", help="draw accuracy against latency there")
    add("--compare", type=Path, metavar="OLD", help="a --json of an earlier run: show what changed")


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    deadline_s = time.monotonic() + 60 * options.minutes
    old = load(options.compare) if options.compare else None
    pictures = LabelledFolder(options.data)
    plan = list(chunks(len(pictures), _CHUNK, _READS))
    order = [str(pictures.paths[i].resolve()) for chunk in plan for i in chunk]

    def turn(reader: Reader, number: int, chunk: Sequence[int]) -> None:
        reader.read(number, chunk, pictures.paths, slice(len(READ)))
        size = options.batch[number % len(options.batch)]
        batch = [order[(_CHUNK * number + k) % len(order)] for k in range(size)]
        rates = reader.about["words_per_s"].setdefault(str(size), {})
        rates[number] = size / reader.ask("batch", batch)
        if options.widths:
            width = options.widths[number % len(options.widths)]
            times = reader.about["widths_ms"].setdefault(str(width), [])
            times += reader.ask("at_width", width, _AT_WIDTH)
        reader.about["peak_rss_mb"] = reader.ask("peak_rss_mb")

    before = conditions()
    with ExitStack() as stack:
        readers = []
        for path, backend, reader in _readers(options):
            given = [str(path), backend, str(reader.about["threads"])]
            print(f"starting {reader.label}", file=sys.stderr)
            attempt(reader, partial(_start, stack=stack, given=given))
            readers.append(reader)
        take_turns(readers, plan, turn, deadline_s - time.monotonic())
    measured = figures(readers, pictures.texts, options.baseline)
    measured["conditions"] = before.told(conditions())
    measured["data"] = {"folder": str(options.data), "pictures": len(pictures)}
    print(report.table(measured, brief=options.brief))
    if options.widths:
        print("\n" + report.widths_table(measured))
    if old:
        print("\n" + report.comparison(old, measured))
    if options.json:
        save(options.json, json.dumps(measured, indent=1).encode())
    if options.png:
        from examples.benchmarks.chart import chart

        chart(measured, options.png)
    return 0 if measured["rows"] else 1


def models(given: Sequence[str] | None) -> list[tuple[Path, str]]:
    """Model files and the backends that were named for them, empty where none was.

    Raises:
        ModelFileError: If there are none.
    """
    if given is None:
        found = [
            (path, "")
            for folder in ("runtime/models", "build")
            for path in sorted((ROOT / folder).glob("*"))
            if path.suffix in SUFFIXES
        ]
        if importlib.util.find_spec("torch"):
            weights = sorted((ROOT / "model" / "weights").glob("*.safetensors"))
            found += [(path, "model.backend") for path in weights]
        if not found:
            raise ModelFileError(
                "no model files in runtime/models and build: name some with --models, or make one "
                "with `python -m export.onnx --int8`"
            )
        return found
    pairs = [text.partition("=") for text in given]
    for name, _, _ in pairs:
        if not Path(name).is_file():
            raise ModelFileError(f"--models {name}: there is no such file")
    return [(Path(name).resolve(), backend) for name, _, backend in pairs]


def size_bytes(path: Path) -> int:
    """The size of a model file, with the weights that OpenVINO keeps beside it."""
    beside = path.with_suffix(".bin")
    return path.stat().st_size + (beside.stat().st_size if path.suffix == ".xml" else 0)


def _readers(options: argparse.Namespace) -> Iterator[tuple[Path, str, Reader]]:
    """A model file, the backend named for it, and what will be measured of them: a row."""
    found = models(options.models)
    names = [path.name for path in {path for path, _ in found}]
    for path, backend in found:
        name = path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        for threads in options.threads or sorted({1, physical_cores()}):
            engine = backend or SUFFIXES.get(path.suffix, "")
            about = {
                "file": name,
                "backend": engine,
                "threads": threads,
                "size_bytes": size_bytes(path),
                "words_per_s": {},
                "widths_ms": {},
            }
            yield path, backend, Reader(f"{name}, {engine}, {threads}", about=about)


def _start(reader: Reader, stack: ExitStack, given: list[str]) -> None:
    """Start a reader's process several times, for the cold start, and keep the last."""
    starts_ms = []
    for _ in range(_STARTS):
        if reader.child:
            reader.child.close()
        begin_s = time.perf_counter()
        reader.child = stack.enter_context(Child("reader", given, threads=reader.about["threads"]))
        reader.ask("ready")
        starts_ms.append(1e3 * (time.perf_counter() - begin_s))
    reader.about |= reader.ask("about")
    reader.about["cold_start_ms"] = round(sorted(starts_ms)[len(starts_ms) // 2], 1)
