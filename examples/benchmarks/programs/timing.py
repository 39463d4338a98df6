"""Timing of whole reads, array to text, the same for ours and for rivals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any


def timed(read: Callable[[Any], str], images: Iterable[Any]) -> dict[str, Any]:
    """What is read in each image, and the milliseconds it took: by the clock, of the processor.

    All are at hand before the first is read: decoding files in between would push both the code
    and the model out of the processor's caches, and be timed by it.
    """
    texts, stages_ms = [], []
    for image in list(images):
        clock_s, cpu_s = time.perf_counter(), time.process_time()
        texts.append(read(image))
        cpu_s, clock_s = time.process_time() - cpu_s, time.perf_counter() - clock_s
        stages_ms.append([1e3 * clock_s, 1e3 * cpu_s])
    return {"texts": texts, "stages_ms": stages_ms}
