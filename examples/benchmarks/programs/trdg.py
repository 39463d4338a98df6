"""TextRecognitionDataGenerator in a process: `go N` gives its seconds of CPU."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from trdg.generators import GeneratorFromDict


def start(texts: str, seed: str) -> dict[str, Callable[..., float]]:
    """Set it up with everything on that it has for lines of print.

    Its background is noise: its pictures and its quasicrystals take longer.
    """
    random.seed(int(seed))
    generator = GeneratorFromDict(
        path=texts,
        size=32,
        skewing_angle=5,
        random_skew=True,
        blur=1,
        random_blur=True,
        distorsion_type=3,
        distorsion_orientation=2,
        background_type=0,
        image_mode="L",
    )

    def go(n: int) -> float:
        start_s = time.process_time()
        while n:
            image, _ = next(generator)
            n -= image is not None  # it gives None where text and background are alike
        return time.process_time() - start_s

    return {"go": go, "faces": lambda: len(generator.generator.fonts)}
