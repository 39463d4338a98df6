"""The model files that boards run, made on this machine from the shipped checkpoints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import Recognizer
from tests.arm.install import SetupError

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "model" / "weights"
NAMES = ("crnn", "crnn-lite")  # the largest and the smallest
EXAMPLES = ROOT / "examples" / "images"

FORMATS = {"onnx": ".onnx", "tflite": ".tflite", "numpy": ".npz"}
PRECISIONS = ("fp32", "int8")

_SOURCES = ("export", "quantize", "runtime", "model")

_ANY_DROP = ("--validation", str(EXAMPLES), "--max-drop", "100")
"""`export.all` verifies the drop, on enough crops; boards are compared with this machine."""


@dataclass(frozen=True)
class Model:
    """A model file.

    Attributes:
        name: Of its checkpoint.
        precision: `fp32` or `int8`.
        path: The file.
    """

    name: str
    precision: str
    path: Path


def make(folder: Path) -> list[Model]:
    """Make each checkpoint in every format and precision; files newer than their sources are kept.

    Raises:
        SetupError: If a checkpoint is missing, or an exporter refuses one.
    """
    checkpoints = [WEIGHTS / f"{name}.safetensors" for name in NAMES]
    if missing := [str(path) for path in checkpoints if not path.is_file()]:
        raise SetupError(f"no checkpoint {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    sources = max(path.stat().st_mtime for path in _source_files())
    jobs = [(checkpoint, form) for checkpoint in checkpoints for form in FORMATS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda job: _make(job[0], job[1], folder, sources), jobs)
        return [model for models in found for model in models]


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        yield from (ROOT / name).rglob("*.py")
    yield from (ROOT / "quantize" / "crops").iterdir()


def _make(checkpoint: Path, form: str, folder: Path, sources: float) -> list[Model]:
    """A checkpoint in one format: FP32, and INT8 made of that."""
    suffix = FORMATS[form]
    fp32, int8 = (folder / f"{checkpoint.stem}-{p}{suffix}" for p in PRECISIONS)
    newest = max(sources, checkpoint.stat().st_mtime)
    commands = {
        fp32: [f"export.{form}", checkpoint],
        int8: [f"quantize.{form}", fp32],
    }
    for out, command in commands.items():
        if not out.exists() or out.stat().st_mtime < newest:
            print(f"making {out.name}", file=sys.stderr)
            argv = [sys.executable, "-m", *map(str, command), *_ANY_DROP, "--out", str(out)]
            done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SetupError(f"python {' '.join(argv[1:])} failed:\n{done.stderr[-1000:]}")
    return [
        Model(checkpoint.stem, precision, path)
        for precision, path in zip(PRECISIONS, commands, strict=True)
    ]


def write_expected(model: Path) -> list[str]:
    """Write, beside a model file, the text and the logits of each example image in one view.

    Returns:
        The texts.
    """
    images = [image for image, _ in LabelledFolder(EXAMPLES)]
    recognizer = Recognizer.load(model, threads=1, tta_threshold=0)
    tensors = [recognizer.manifest.preprocess(image)[None] for image in images]
    logits = {str(k): recognizer.backend(tensor)[0] for k, tensor in enumerate(tensors)}
    charset = recognizer.manifest.charset
    texts = [
        charset.decode(recognizer.decode(rows[None])[0][0].classes) for rows in logits.values()
    ]
    np.savez(f"{model}.expected.npz", texts=np.array(texts), **logits)
    return texts
