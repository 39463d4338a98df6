"""Checks images before anything is measured: an unreadable one would cost every model its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from crnn_edge.errors import ImageError
from crnn_edge.images import read_image
from examples.benchmarks.progress import progress

Sizes = dict[tuple[int, int], str]
"""Heights and widths in pixels, each with what has that size; 0 is the height of the model."""


def sizes(paths: Sequence[Path], widths: Iterable[int] = ()) -> Sizes:
    """The sizes of images, each with the first image that has it, and of further `--widths`.

    Raises:
        ImageError: If an image cannot be read; the message names it.
    """
    found: Sizes = {}
    for path in progress(paths, "checking images"):
        height, width = read_image(path).shape[:2]
        found.setdefault((height, width), str(path))
    return found | {(0, width): f"--widths {width}" for width in widths}


def check(found: Sizes, label: str, ask: Callable[..., Any]) -> None:
    """Ask a model's process whether it accepts images of all these sizes.

    Args:
        found: The sizes.
        label: The model's name.
        ask: Asks its process.

    Raises:
        ImageError: If one is too long; the message names the image and the model.
        ChildError: If the process is dead, hangs, or answered with an error.
    """
    refusals = ask("refusals", list(found))
    for name, why in zip(found.values(), refusals, strict=True):
        if why:
            raise ImageError(f"{name}, for {label}: {why}")
