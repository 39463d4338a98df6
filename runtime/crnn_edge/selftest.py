"""A picture that every machine draws alike, and the classes that a model must see in it.

The exporter pins the classes in the manifest; `python -m crnn_edge check FILE` draws the picture on
the device and proves that this engine on this processor computes what was exported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_edge.backends import Backend
from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError

TEXT = "Read 42"
MARGIN = 1.0  # logits; quantization and other processors move them by less

# Seven rows of five dots, the leftmost dot being the highest bit.
_FONT = {
    "R": (0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001),
    "e": (0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110),
    "a": (0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111),
    "d": (0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10011, 0b01101),
    " ": (0, 0, 0, 0, 0, 0, 0),
    "4": (0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010),
    "2": (0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111),
}
_DOT, _EDGE = 5, 6  # pixels


def selftest_image() -> npt.NDArray[np.uint8]:
    """`TEXT` in dark blue on paper lit from one side, `uint8 (47, 222, 3)` RGB.

    Integers only, so that no processor rounds it otherwise.
    """
    rows = [[int(dot) for k in TEXT for dot in f"{_FONT[k][row]:05b}0"] for row in range(7)]
    dots = np.array(rows, dtype=np.int64).repeat(_DOT, axis=0).repeat(_DOT, axis=1)
    ink = np.pad(dots, _EDGE)[..., None]
    light = 240 - np.arange(ink.shape[1])[None, :, None] // 4
    color = np.array([40, 50, 90])
    return np.where(ink == 1, color, light).astype(np.uint8)


def selftest_classes(backend: Backend, margin: float = MARGIN) -> tuple[int, ...]:
    """The class that wins each time step of the picture.

    Args:
        backend: The network.
        margin: A step whose best two logits are closer than this is not pinned: it gives -1.
    """
    logits = backend(backend.manifest.preprocess(selftest_image())[None])[0]
    second, first = np.sort(logits, axis=1)[:, -2:].T
    winners = np.where(first - second >= margin, logits.argmax(axis=1), -1)
    return tuple(winners.tolist())


@dataclass(frozen=True)
class Check:
    """What the picture should give and what it gave.

    Attributes:
        expected: Class ids of the manifest, -1 where none is pinned.
        found: Class ids that this engine computed here.
    """

    expected: tuple[int, ...]
    found: tuple[int, ...]

    @property
    def pinned(self) -> int:
        """How many time steps the manifest pins."""
        return sum(k >= 0 for k in self.expected)

    @property
    def differences(self) -> list[tuple[int, int, int]]:
        """Time step, expected class and found class, wherever they differ."""
        pairs = enumerate(zip(self.expected, self.found, strict=False))
        return [(step, a, b) for step, (a, b) in pairs if a not in (-1, b)]

    @property
    def ok(self) -> bool:
        """Whether all pinned steps agree."""
        return len(self.expected) == len(self.found) and not self.differences

    def describe(self, charset: Charset) -> str:
        """One sentence for people."""
        if len(self.expected) != len(self.found):
            return f"expected {len(self.expected)} time steps, got {len(self.found)}"
        if self.ok:
            return f"ok, all {self.pinned} time steps that the file pins agree"

        names = ["blank", *map(repr, charset.tokens), "NaN"]  # the last for class -1
        told = [f"step {t}: {names[b]}, expected {names[a]}" for t, a, b in self.differences]
        counted = f"{len(told)} of {self.pinned} pinned time steps differ"
        if len(told) > 8:
            told[8:] = [f"and {len(told) - 8} more"]
        return f"{counted} ({'; '.join(told)})"


def check(backend: Backend) -> Check:
    """Draw the picture, run the network, compare with the manifest.

    Raises:
        ModelFileError: If the manifest pins nothing.
    """
    if not any(k >= 0 for k in backend.manifest.selftest):
        raise ModelFileError(
            f"the manifest of model {backend.manifest.name!r} pins no self-test: export it again"
        )
    return Check(backend.manifest.selftest, selftest_classes(backend, margin=0.0))
