"""Timing of whole reads, array to text, the same for our models and for baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any


def timed(read: Callable[[Any], str], images: Iterable[Any]) -> dict[str, Any]:
    """The text of each image, and the milliseconds of reading it: wall time and processor time.

    All images are decoded before the first is read: decoding files in between would push code and
    model out of the processor's caches, which would count as time of the reader.
    """
    texts, stages_ms = [], []
    for image in list(images):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        texts.append(read(image))
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        stages_ms.append([1e3 * wall_s, 1e3 * cpu_s])
    return {"texts": texts, "stages_ms": stages_ms}
