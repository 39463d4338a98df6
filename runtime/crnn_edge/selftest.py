"""The self-test of model files: an image that every machine draws alike, and its expected classes.

The exporter writes the classes into the manifest. `python -m crnn_edge check FILE` draws the image
on the device and compares: does this engine on this processor compute what was exported?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_edge.backends import Backend
from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError

TEXT = "Read 42"
LOGIT_MARGIN = 1.0  # quantization and other processors change logits by less

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

    Computed in integers, so that rounding is the same on every processor.
    """
    rows = [[int(dot) for k in TEXT for dot in f"{_FONT[k][row]:05b}0"] for row in range(7)]
    dots = np.array(rows, dtype=np.int64).repeat(_DOT, axis=0).repeat(_DOT, axis=1)
    ink = np.pad(dots, _EDGE)[..., None]
    light = 240 - np.arange(ink.shape[1])[None, :, None] // 4
    color = np.array([40, 50, 90])
    return np.where(ink == 1, color, light).astype(np.uint8)


def selftest_classes(backend: Backend, margin: float = LOGIT_MARGIN) -> tuple[int, ...]:
    """The most probable class of each time step of the image.

    Args:
        backend: The network.
        margin: A step whose best two logits are closer than this is not checked: its class is -1.
    """
    logits = backend(backend.manifest.preprocess(selftest_image())[None])[0]
    second, first = np.sort(logits, axis=1)[:, -2:].T
    winners = np.where(first - second >= margin, logits.argmax(axis=1), -1)
    return tuple(winners.tolist())


@dataclass(frozen=True)
class SelfTestResult:
    """Expected and computed classes.

    Attributes:
        expected: Class ids of the manifest, -1 where a step is not checked.
        computed: Class ids that this engine computed here.
    """

    expected: tuple[int, ...]
    computed: tuple[int, ...]

    @property
    def num_checked(self) -> int:
        """How many time steps are checked."""
        return sum(k >= 0 for k in self.expected)

    @property
    def differences(self) -> list[tuple[int, int, int]]:
        """Time step, expected class and computed class, wherever they differ."""
        pairs = enumerate(zip(self.expected, self.computed, strict=False))
        return [(step, a, b) for step, (a, b) in pairs if a not in (-1, b)]

    @property
    def ok(self) -> bool:
        """Whether all checked steps agree."""
        return len(self.expected) == len(self.computed) and not self.differences

    def describe(self, charset: Charset) -> str:
        """One sentence for people."""
        if len(self.expected) != len(self.computed):
            return f"expected {len(self.expected)} time steps, got {len(self.computed)}"
        if self.ok:
            return f"ok, all {self.num_checked} checked time steps agree"

        names = ["blank", *map(repr, charset.tokens), "NaN"]  # the last for class -1
        steps = [f"step {t}: {names[b]}, expected {names[a]}" for t, a, b in self.differences]
        count = f"{len(steps)} of {self.num_checked} checked time steps differ"
        if len(steps) > 8:
            steps[8:] = [f"and {len(steps) - 8} more"]
        return f"{count} ({'; '.join(steps)})"


def run_selftest(backend: Backend) -> SelfTestResult:
    """Compute the classes of the image, and compare them with the manifest's.

    Raises:
        ModelFileError: If the manifest has no self-test.
    """
    if not any(k >= 0 for k in backend.manifest.selftest):
        raise ModelFileError(
            f"the manifest of model {backend.manifest.name!r} has no self-test: export it again"
        )
    return SelfTestResult(backend.manifest.selftest, selftest_classes(backend, margin=0.0))
