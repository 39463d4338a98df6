"""One model file in one engine: loads it, reads images, measures the time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from examples.benchmarks.programs.timing import timed

ENGINES = ("onnxruntime", "openvino", "ai_edge_litert", "tflite_runtime", "torch")


def start(path: str, backend: str, threads: str) -> dict[str, Callable[..., Any]]:
    """Import the runtime, load the file, read once: the time of that is the cold start."""
    marks = [time.perf_counter()]
    from crnn_edge import Recognizer
    from crnn_edge.selftest import selftest_image

    marks.append(time.perf_counter())
    recognizer = Recognizer.load(path, backend=backend or None, threads=int(threads))
    marks.append(time.perf_counter())
    recognizer(selftest_image())
    marks.append(time.perf_counter())

    manifest = recognizer.manifest
    parts = zip(("import", "load", "first read"), pairwise(marks), strict=True)
    cold_parts_ms = {part: round(1e3 * (b - a), 1) for part, (a, b) in parts}

    # The rest does not count as cold start.
    from crnn_edge.backends import Backend
    from crnn_edge.benchmark import StagedReader, confidence_ms
    from crnn_edge.errors import ImageError
    from crnn_edge.images import read_image
    from crnn_edge.preprocess import IDENTITY
    from crnn_edge.tta import VIEWS

    read_in_stages = StagedReader(recognizer)
    opened = cast(Backend, recognizer.backend)
    one_view_in_stages = StagedReader(Recognizer(opened, recognizer.decoder, tta_threshold=0))
    seen_px: set[int] = set()

    def warm_up(width_px: int) -> None:
        """Let the engine plan its memory for a new width, once."""
        if width_px not in seen_px:
            seen_px.add(width_px)
            shape = 1, 1, manifest.preprocess.height, width_px
            recognizer.backend(np.zeros(shape, dtype=np.float32))

    def read(paths: Sequence[str]) -> dict[str, Any]:
        images = [read_image(path) for path in paths]  # at once: decoding in between cools caches
        views = IDENTITY, *(VIEWS if recognizer.tta_threshold else ())
        for image in images:
            for view in views:
                height, width = image.shape[:2]
                if manifest.preprocess.fits(height, width, view):
                    warm_up(manifest.preprocess.geometry(height, width, view).bucket)
        results = [read_in_stages(image) for image in images]
        stages_ms = [[*ms, confidence_ms(recognition)] for recognition, ms in results]
        return {"texts": [recognition.text for recognition, _ in results], "stages_ms": stages_ms}

    def read_whole(paths: Sequence[str]) -> dict[str, Any]:
        return timed(lambda image: recognizer(image).text, map(read_image, paths))

    def read_batches(paths: Sequence[str], size: int) -> dict[str, Any]:
        images = [read_image(path) for path in paths]
        start_s = time.perf_counter()
        batches = [recognizer.batch(images[k : k + size]) for k in range(0, len(images), size)]
        seconds = time.perf_counter() - start_s
        return {"texts": [found.text for batch in batches for found in batch], "seconds": seconds}

    def at_width(width_px: int, reads: int) -> list[float]:
        shape = manifest.preprocess.height, width_px
        # No text: a model that recommends test-time augmentation would read several views of it.
        image = np.resize(selftest_image()[..., 0], shape)
        warm_up(manifest.preprocess.geometry(*shape).bucket)
        return [sum(one_view_in_stages(image)[1]) for _ in range(reads)]

    def refusal(height: int, width: int) -> str:
        try:
            manifest.preprocess.geometry(height or manifest.preprocess.height, width)
        except ImageError as error:
            return str(error)
        return ""

    def about() -> dict[str, Any]:
        engines = {name: version(name) for name in ENGINES if name in sys.modules}
        return {
            "name": manifest.name,
            "precision": manifest.precision,
            "engine": engines or {"numpy": np.__version__},
            "cold_parts_ms": cold_parts_ms,
        }

    return {
        "ready": lambda: True,
        "about": about,
        "charset": lambda: (manifest.charset.tokens, manifest.charset.separator),
        "read": read,
        "read_whole": read_whole,
        "read_batches": read_batches,
        "at_width": at_width,
        "refusals": lambda sizes: [refusal(*size) for size in sizes],
        "peak_rss_mb": peak_rss_mb,
    }


def peak_rss_mb() -> float:
    """The peak memory of this process, in MB.

    From Linux's own counter, because `getrusage` includes what the parent held when it forked.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1e3
    except (OSError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if sys.platform == "darwin" else 1e3)
