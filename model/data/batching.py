"""Samples in batches of similar width, in an order that a resumed run can continue.

The stream of samples is divided into groups. A group is a fixed number of samples, sorted by width
and split into a fixed number of batches, each padded to its widest member: images are never
squeezed, little is padded, and group k has the same batches whichever worker makes it. Batches cost
the same, so that one of long lines has fewer images than one of words.
"""

from __future__ import annotations

from collections.abc import Sequence
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

_TRIES = 100  # samples drawn until one is usable
_NEXT_TRY = 2**40  # added to the index of a sample that is not: beyond those of any run


class Batch(NamedTuple):
    """The input of a training step."""

    tensor: torch.Tensor  # (N, 1, H, W) float32
    targets: torch.Tensor  # (sum of lengths,) int64 class ids, one text after the other
    lengths: torch.Tensor  # (N,) int64 tokens of each text
    unlabelled: torch.Tensor  # (N, C) bool: classes that the image may show and the label omits


class Example(NamedTuple):
    """A sample as its batch needs it."""

    tensor: np.ndarray  # (1, H, W) float32
    classes: list[int]
    unlabelled: tuple[int, ...]


@dataclass(frozen=True)
class BucketedBatches(Dataset[list[Batch]]):
    """Item k is a group: a list of `batches` batches of `batch_size` samples on average.

    Attributes:
        mixture: The endless stream of samples.
        preprocess: The runtime's own, so that training has the same input as the device.
        charset: Encodes the texts.
        batch_size: Samples per batch, on average.
        batches: Batches per group.
        stride: Input pixels per time step: a sample whose text does not fit is replaced.
        max_width: A wider sample is replaced: it would pad its whole batch.
    """

    mixture: Mixture
    preprocess: Preprocess
    charset: Charset
    batch_size: int
    batches: int = 16
    stride: int = 4
    max_width: int = 512

    def __getitem__(self, index: int) -> list[Batch]:
        """Group `index`, from 0 without end.

        Raises:
            ImageError: If too many samples in a row are unusable.
        """
        size = self.batch_size * self.batches
        samples = [self._sample(index * size + i) for i in range(size)]
        order = sorted(range(size), key=lambda i: samples[i].tensor.shape[-1])
        widths = [samples[i].tensor.shape[-1] for i in order]
        slices = [order[a:b] for a, b in pairwise(_edges(widths, self.batches))]
        np.random.default_rng((self.mixture.seed, index, 1)).shuffle(slices)
        return [self._batch([samples[i] for i in members]) for members in slices]

    def _sample(self, index: int) -> Example:
        """Sample `index`, or the first usable replacement."""
        for attempt in range(_TRIES):
            image, text, source = self.mixture[index + attempt * _NEXT_TRY]
            if (
                image.shape[0] >= VERTICAL_ASPECT_RATIO * image.shape[1]
                and len(self.charset.split(text)) > 2
            ):
                continue  # the device reads it rotated, in a direction that no label says
            try:
                fits = self.preprocess.geometry(*image.shape[:2]).bucket <= self.max_width
                tensor = self.preprocess(image) if fits else None
            except ImageError:
                continue
            classes = self.charset.encode(text)
            needed = len(classes) + sum(a == b for a, b in pairwise(classes))
            # One step less than W / stride: the paper's last convolution loses a column.
            if tensor is not None and classes and needed < tensor.shape[-1] // self.stride:
                return Example(tensor, classes, source.unlabelled)
        raise ImageError(
            f"{_TRIES} samples in a row are unusable: wider than --max-width {self.max_width} px "
            f"at height {self.preprocess.height}, vertical, or with more characters than time steps"
        )

    def _batch(self, samples: list[Example]) -> Batch:
        width = max(sample.tensor.shape[-1] for sample in samples)
        tensor = np.zeros((len(samples), 1, self.preprocess.height, width), dtype=np.float32)
        unlabelled = np.zeros((len(samples), self.charset.num_classes), dtype=np.bool_)
        for row, sample in enumerate(samples):
            tensor[row, ..., : sample.tensor.shape[-1]] = sample.tensor
            unlabelled[row, list(sample.unlabelled)] = True
        return Batch(
            torch.from_numpy(tensor),
            torch.tensor([c for sample in samples for c in sample.classes]),
            torch.tensor([len(sample.classes) for sample in samples]),
            torch.from_numpy(unlabelled),
        )


def _edges(widths: Sequence[int], batches: int) -> list[int]:
    """Where to slice samples, sorted by width, so that the most expensive batch is cheapest.

    A batch costs as many columns as its samples have when they are padded to its widest.
    """
    least, most = 1, len(widths) * widths[-1]
    while least < most:
        middle = (least + most) // 2
        if len(_cut(widths, middle)) <= batches + 1:
            most = middle
        else:
            least = middle + 1
    edges = _cut(widths, most)
    while len(edges) <= batches:  # fewer would do, but a group has so many
        first, last = max(pairwise(edges), key=lambda pair: pair[1] - pair[0])
        edges = sorted([*edges, (first + last) // 2])
    return edges


def _cut(widths: Sequence[int], most: int) -> list[int]:
    """The edges of slices of at most so many columns, the widest samples first."""
    edges = [len(widths)]
    while edges[-1]:
        fitting = max(1, most // widths[edges[-1] - 1])
        edges.append(max(0, edges[-1] - fitting))
    return edges[::-1]
