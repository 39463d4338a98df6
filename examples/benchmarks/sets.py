"""Our models and baselines over a list of folders: one row a set, one column a recognizer.

Each cell is the share of images read correctly, in %, with half of its 95 % interval. Sets named
with --str are scored by the scene-text protocol (letters and digits, case ignored), which suits
labels that leave out dashes and spaces; all others must be exact. A set is called by its folder's
name, or by the name of the folder around it where that is `dev`, `test` or the like. Every
recognizer reads the same images, one at a time, with one thread; if the time is up before all are
read, those count that every one has read. PP-OCR pads short lines to 320 px, as its own wrapper
does. The last rows give the mean of the sets and the processor time a word.

Examples:
  python -m examples.benchmark sets --images sets/*/dev --str plates plates2
  python -m examples.benchmark sets --images CROPS --models crnn-lite my.onnx --max 150
  python -m examples.benchmark sets --images sets/*/dev --baselines ppocr --json sets.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_write
from crnn_edge.labels import LabelledFolder
from crnn_edge.metrics import Estimate, Score, score
from crnn_edge.tables import figure, markdown, percent
from examples.benchmarks import images as image_checks
from examples.benchmarks import options as shared
from examples.benchmarks import recognizers
from examples.benchmarks.interleaved import Reader, chunks, run_interleaved
from examples.benchmarks.machine import conditions
from examples.benchmarks.recognizers import start_baselines, start_models

_MODELS = ("crnn-lite", "crnn-medium")
_SPLITS = ("train", "dev", "test", "val", "validation", "held")
_CHUNK = 16  # images a round

Images = list[tuple[str, Path, str]]
"""The name of the set, the image and its label."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--images",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders with labels.tsv or labels.csv, a set each",
    )
    shared.add_models(parser, list(_MODELS), what="our models", default_text=" ".join(_MODELS))
    add(
        "--baselines",
        nargs="+",
        choices=sorted(recognizers.INSTALL),
        default=[],
        metavar="BASELINE",
        help="also: %(choices)s (default: none)",
    )
    add("--str", nargs="+", default=[], metavar="SET", help="sets scored by STR accuracy")
    add("--max", type=shared.count, metavar="N", help="read at most N images of each set")
    shared.add_minutes(parser, 60.0)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read every set with every recognizer; print the table."""
    images = load_sets(options.images, options.max)
    sets = list(dict.fromkeys(name for name, _, _ in images))
    if unknown := set(options.str) - set(sets):
        raise CrnnError(f"--str {' '.join(sorted(unknown))}: no such set; sets: {', '.join(sets)}")
    paths = [path for _, path, _ in images]
    sizes = image_checks.sizes(paths)
    before = conditions()
    with ExitStack() as stack:
        ours = start_models(options.models, sizes, stack)
        others, failures = start_baselines(options.baselines, stack, padded_only=True)
        readers = [*ours, *others]

        def read_chunk(reader: Reader, number: int, chunk: Sequence[int]) -> None:
            function = "read_whole" if reader in ours else "read"
            reader.read(number, chunk, paths, slice(1, 2), function)

        plan = list(chunks(len(images), _CHUNK, 1))
        run_interleaved(readers, plan, read_chunk, 60 * options.minutes)
    failures |= {reader.label: reader.failure for reader in readers if reader.failure}
    titles = dict(zip(_titles(readers), readers, strict=True))
    common = sorted(set.intersection(*([set(r.texts) for r in readers if r.texts] or [set()])))
    columns = {
        title: _scores(reader, images, common) for title, reader in titles.items() if reader.texts
    }
    cpu_ms = {
        title: float(np.mean([ms[1] for ms in reader.durations_ms] or [np.nan]))
        for title, reader in titles.items()
        if reader.texts
    }
    measured_on = before.describe(conditions())
    print(f"{measured_on}; one thread each\n")
    print(table(columns, cpu_ms, set(options.str)))
    for name, why in failures.items():
        print(f"\nleft out: {name}: {why}")
    if options.json:
        content = {
            "conditions": measured_on,
            "sets": {t: {s: found.to_dict() for s, found in c.items()} for t, c in columns.items()},
            "cpu_ms": cpu_ms,
            "failures": failures,
        }
        atomic_write(options.json, json.dumps(content, indent=1).encode())
    return 0 if any(columns.values()) else 1


def load_sets(folders: Iterable[Path], at_most: int | None) -> Images:
    """The images of all sets.

    Args:
        folders: Labelled folders, a set each.
        at_most: Of each set; those are drawn at random, always the same ones.

    Raises:
        CrnnError: If two folders give the same name, or one cannot be read.
    """
    images: Images = []
    names: set[str] = set()
    for folder in folders:
        path = folder.resolve()
        name = path.parent.name if path.name in _SPLITS else path.name
        if name in names:
            raise CrnnError(f"two of the sets are called {name!r}: rename a folder")
        names.add(name)
        crops = LabelledFolder(folder)
        order = np.random.default_rng(0).permutation(len(crops))[:at_most]
        images += [(name, crops.paths[k], crops.texts[k]) for k in sorted(order.tolist())]
    return images


def _titles(readers: Sequence[Reader]) -> list[str]:
    """Heads of the columns: a model's own name where no other has it, else its label."""
    names = [str(reader.about.get("name", reader.label)) for reader in readers]
    return [
        name if names.count(name) == 1 else reader.label
        for name, reader in zip(names, readers, strict=True)
    ]


def _scores(reader: Reader, images: Images, common: Sequence[int]) -> dict[str, Score]:
    """A recognizer's score on each set, over the images that every recognizer has read."""
    by_set: dict[str, list[int]] = {}
    for k in common:
        by_set.setdefault(images[k][0], []).append(k)
    return {
        name: score([images[k][2] for k in own], [reader.texts[k] for k in own], reader.charset)
        for name, own in by_set.items()
    }


def table(columns: dict[str, dict[str, Score]], cpu_ms: dict[str, float], by_str: set[str]) -> str:
    """The Markdown table.

    Args:
        columns: The score of each set, by recognizer.
        cpu_ms: Mean processor time a word, by recognizer.
        by_str: Names of the sets that are scored by STR accuracy.
    """

    def share(found: Score, name: str) -> Estimate:
        return found.accuracy if name in by_str else found.exact

    sets = list(dict.fromkeys(name for scores in columns.values() for name in scores))
    shares = {t: {n: share(found, n) for n, found in c.items()} for t, c in columns.items()}
    rows = []
    for name in sets:
        n = max(scores[name].n for scores in columns.values() if name in scores)
        cells = [percent(s[name]) if name in s else "–" for s in shares.values()]
        rows.append([f"{name}{', STR' if name in by_str else ''}", f"{n:,}", *cells])
    total = sum(int(row[1].replace(",", "")) for row in rows)
    means = [f"{100 * np.mean([*s.values()]):.1f}" if s else "–" for s in shares.values()]
    rows.append(["mean of the sets", f"{total:,}", *means])
    rows.append(["processor time, ms a word", "", *(figure(ms) for ms in cpu_ms.values())])
    return markdown(["correct, %", "n", *columns], rows)
