"""Samples into batches of one width, in an order that a resumed run can find again.

The stream is cut into chunks. A chunk is a fixed number of samples, sorted by width and sliced
into a fixed number of equal batches, each padded to its widest member: nothing is ever squeezed,
little is padded, and chunk k holds the same batches however many worker processes make them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from crnn_edge.charset import Charset
from crnn_edge.errors import ImageError
from crnn_edge.preprocess import VERTICAL_ASPECT_RATIO, Preprocess
from model.data.datasets import Mixture


class Batch(NamedTuple):
    """What a training step needs."""

    tensor: torch.Tensor  # (N, 1, H, W) float32
    targets: torch.Tensor  # (sum of lengths,) int64 class ids, one text after the other
    lengths: torch.Tensor  # (N,) int64 tokens of each text


class Usable(NamedTuple):
    """A sample as its batch takes it."""

    tensor: np.ndarray  # (1, H, W) float32
    classes: list[int]


@dataclass(frozen=True)
class Chunks(Dataset[list[Batch]]):
    """`chunks[k]` is a list of `batches` batches of `batch_size` samples each.

    Attributes:
        mixture: The endless stream of samples.
        preprocess: The runtime's own, so that training sees what the device sees.
        charset: Spells the texts.
        batch_size: Samples a batch.
        batches: Batches a chunk.
        stride: Input pixels per time step: a text that does not fit its steps is drawn again.
        max_width: Wider samples are drawn again: they would pad a whole batch.
    """

    mixture: Mixture
    preprocess: Preprocess
    charset: Charset
    batch_size: int
    batches: int = 16
    stride: int = 4
    max_width: int = 512

    def __getitem__(self, index: int) -> list[Batch]:
        """Chunk `index`, from 0 without end."""
        size = self.batch_size * self.batches
        samples = [self._sample(index * size + i) for i in range(size)]
        order = sorted(range(size), key=lambda i: samples[i].tensor.shape[-1])
        slices = [order[i : i + self.batch_size] for i in range(0, size, self.batch_size)]
        np.random.default_rng((self.mixture.seed, index, 1)).shuffle(slices)
        return [self._batch([samples[i] for i in members]) for members in slices]

    def _sample(self, index: int) -> Usable:
        """The first usable sample of those that stand in for `index`."""
        for attempt in range(100):
            image, text = self.mixture[index + attempt * 2**40]
            if (
                image.shape[0] >= VERTICAL_ASPECT_RATIO * image.shape[1]
                and len(self.charset.split(text)) > 2
            ):
                continue  # the device reads it turned, and nobody says which way
            try:
                fits = self.preprocess.geometry(*image.shape[:2]).bucket <= self.max_width
                tensor = self.preprocess(image) if fits else None
            except ImageError:
                continue
            classes = self.charset.encode(text)
            needed = len(classes) + sum(a == b for a, b in pairwise(classes))
            # One step less than W / stride: the paper's last convolution drops a column.
            if tensor is not None and classes and needed < tensor.shape[-1] // self.stride:
                return Usable(tensor, classes)
        raise ImageError(
            f"100 samples in a row are wider than {self.max_width} px (--max-width) at height "
            f"{self.preprocess.height}, stand upright, or have more characters than time steps"
        )

    def _batch(self, samples: list[Usable]) -> Batch:
        width = max(sample.tensor.shape[-1] for sample in samples)
        tensor = np.zeros((len(samples), 1, self.preprocess.height, width), dtype=np.float32)
        for row, sample in enumerate(samples):
            tensor[row, ..., : sample.tensor.shape[-1]] = sample.tensor
        return Batch(
            torch.from_numpy(tensor),
            torch.tensor([c for sample in samples for c in sample.classes]),
            torch.tensor([len(sample.classes) for sample in samples]),
        )
