"""Our renderer in a process: `go N` gives its seconds of CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2

from crnn_edge.charset import Charset
from model.data.fonts import find_faces
from model.data.synth import Synth
from model.data.text.text_source import TextSource, read_words


def start(words: str, seed: str, *fonts: str) -> dict[str, Callable[..., float]]:
    """Find the fonts. No words: the system's."""
    cv2.setNumThreads(1)  # the processes are the parallelism, as in training
    source = TextSource(read_words(Path(words)) if words else None, Charset.ascii())
    faces = find_faces(fonts)
    synth = Synth(faces, source, int(seed))
    numbers = count()

    def go(n: int) -> float:
        start_s = time.process_time()
        for _ in range(n):
            synth[next(numbers)]
        return time.process_time() - start_s

    return {"go": go, "faces": lambda: len(faces)}
