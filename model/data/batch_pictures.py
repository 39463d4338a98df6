"""Pictures of a batch in gray levels, between which and the network's tensor faults strike.

A fault is a function from some pictures to their new levels. It is given only those that it
strikes, so that a batch costs what its faults cost, and no picture is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Fault = Callable[["Pictures"], torch.Tensor]
"""Some pictures to their new levels `(n, H, W) float32`."""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, all of one size.

    Attributes:
        levels: `(n, H, W) float32`, 0 to 255. Beyond a picture's width stands what a camera might
            have seen there, its last column for a start, since blurs and blocks reach across.
        widths: `(n,) int64`, columns that count.
        strengths: `(n,) float32`, how badly faults strike; see `Augment`.
        generator: The source of chance, on the same device.
    """

    levels: torch.Tensor
    widths: torch.Tensor
    strengths: torch.Tensor
    generator: torch.Generator

    @property
    def inside(self) -> torch.Tensor:
        """Which columns count, `(n, 1, W) bool`."""
        return within(self.widths, self.levels.shape[2])

    def random(self, *shape: int) -> torch.Tensor:
        """Uniform draws from [0, 1) for each picture, `(n, *shape) float32`."""
        size = (len(self.levels), *shape)
        return torch.rand(size, generator=self.generator, device=self.levels.device)

    def normal(self, *shape: int) -> torch.Tensor:
        """Normal draws for each picture, `(n, *shape) float32`."""
        size = (len(self.levels), *shape)
        return torch.randn(size, generator=self.generator, device=self.levels.device)

    def strike(self, struck: torch.Tensor, fault: Fault) -> None:
        """Let a fault change the levels of those pictures that `struck (n,) bool` names."""
        index = struck.nonzero().squeeze(1)
        if len(index):
            some = Pictures(
                self.levels[index], self.widths[index], self.strengths[index], self.generator
            )
            self.levels[index] = fault(some)

    def one_of(self, kinds: Sequence[float], faults: Sequence[Fault]) -> torch.Tensor:
        """The levels after one fault each: `faults[k]` for draws below `kinds[k]`."""
        edges = torch.tensor(kinds, device=self.levels.device)
        chosen = torch.bucketize(self.random(), edges, right=True)
        for kind, fault in enumerate(faults):
            self.strike(chosen == kind, fault)
        return self.levels


def within(widths: torch.Tensor, columns: int) -> torch.Tensor:
    """Which of `columns` lie within `widths (n,)`, `(n, 1, columns) bool`."""
    return torch.arange(columns, device=widths.device) < widths[:, None, None]


def mean_and_deviation(
    values: torch.Tensor, inside: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both over the columns that count, each `(n, 1, 1) float32`.

    Args:
        values: `(n, H, W) float32`.
        inside: Which columns count, `(n, 1, W) bool`.
    """
    count = inside.sum((1, 2), keepdim=True) * values.shape[1]
    mean = (values * inside).sum((1, 2), keepdim=True) / count
    square = ((values - mean).square() * inside).sum((1, 2), keepdim=True) / count
    return mean, square.sqrt()


def per_picture(values: torch.Tensor) -> torch.Tensor:
    """Numbers `(n,)` as `(n, 1, 1)`, to go with levels."""
    return values[:, None, None]
