"""Splice augmentation: real crops are cut between their characters, and segments are joined.

A network soon overfits to a few thousand real crops. Their segments have the same ink, blur and
light but other texts, and there are millions of combinations. Crops are cut only at clean gaps:
slivers of neighboring characters at the edges would teach the network to ignore marks there.
Characters are located by the best alignment of the label (`ctc.align`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crnn_edge.decoders import ctc
from crnn_edge.recognizer import Recognizer
from crnn_edge.resize import to_gray
from model.data.datasets import DatasetError, Sample

_BATCH = 256  # crops aligned at a time
_MIN_LOG_PROB = -0.7  # of a label, per token; below this the alignment is not trusted
_MIN_TOKEN_WIDTH = 0.22  # heights; narrower ones are in rotated or condensed words
_REACH = 0.2  # heights; a gap this far from its expected place must be free of ink
_CLEAN = 0.55  # fraction of a crop's mean ink; a gap with more would leave slivers
_BEFORE = 0.12  # heights before a token's center; a gap nearer would cut it, or lie beyond it
_JOINED = 0.4  # probability that a sample is made of two segments
_IN_WORD = 0.7  # probability that these become one word, rather than two
_SPACE = (0.2, 0.5)  # heights between two words
_MAX_TOKENS = 14  # of a joined word


@dataclass(frozen=True)
class CuttableCrop:
    """A crop that can be cut.

    Attributes:
        image: `(H, W) uint8`, gray.
        tokens: Its text.
        cuts: Where it can be cut: number of tokens before, and column. Both ends are included.
    """

    image: npt.NDArray[np.uint8]
    tokens: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Segment:
    """A range of a crop's columns, and at which sides it was cut.

    Attributes:
        image: `(H, W) uint8`.
        tokens: Its text.
        cut_left: Whether there was more text to the left.
        cut_right: Whether there was more text to the right.
    """

    image: npt.NDArray[np.uint8]
    tokens: tuple[str, ...]
    cut_left: bool
    cut_right: bool


class SplicedCrops:
    """Samples spliced from crops, by number and without end.

    Attributes:
        crops: The crops that can be cut.
        seed: The random seed.
    """

    def __init__(
        self, datasets: Sequence[Sequence[Sample]], recognizer: Recognizer, seed: int
    ) -> None:
        """Find the cuts of every crop that the recognizer's network aligns with confidence.

        Args:
            datasets: Labelled crops.
            recognizer: Aligns the labels.
            seed: The random seed.

        Raises:
            DatasetError: If no crop can be cut.
        """
        charset = recognizer.manifest.charset
        self._separator = charset.separator
        self._space = (" ",) if " " in charset.tokens else None
        found = [pair for dataset in datasets for pair in _aligned(dataset, recognizer)]
        # Without a cut inside, a crop could only be used whole, as --data does anyway.
        self.crops = tuple(crop for crop in _cut(found) if len(crop.cuts) > 2)
        self.seed = seed
        if not self.crops:
            raise DatasetError(
                f"--splice: no usable cut in {sum(map(len, datasets))} crops (the start checkpoint "
                "does not align their labels)"
            )

    def __getitem__(self, index: int) -> Sample:
        """An image `(H, W) uint8` and its text; any index from 0 on."""
        rng = np.random.default_rng((self.seed, index, 3))  # rendered words have the stream without
        if rng.random() >= _JOINED:
            # The longer of two: otherwise there would be too many single characters.
            pair = self._segment(rng), self._segment(rng)
            segment = max(pair, key=lambda one: len(one.tokens))
        elif self._space is None or rng.random() < _IN_WORD:
            segment = self._joined(
                self._segment(rng, right=True), self._segment(rng, left=True), rng
            )
        else:
            segment = self._joined(
                self._segment(rng, right=False), self._segment(rng, left=False), rng
            )
        return segment.image, self._separator.join(segment.tokens)

    def _segment(
        self, rng: np.random.Generator, left: bool | None = None, right: bool | None = None
    ) -> Segment:
        """A random part of a crop, never all of it.

        Args:
            rng: The source of randomness.
            left: Whether it is cut at its left end; None for either.
            right: Whether it is cut at its right end; None for either.
        """
        crop = self.crops[int(rng.random() * len(self.crops))]
        last = len(crop.cuts) - 1
        reach = 1 + int(rng.random() ** 0.7 * (last - 1))
        starts = range(last - reach + 1)
        if left is not None:
            starts = starts[1:] if left else starts[:1]
        if right is not None:
            starts = starts[:-1] if right else starts[-1:]
        first = starts[int(rng.random() * len(starts))]
        (start, begin), (stop, end) = crop.cuts[first], crop.cuts[first + reach]
        tokens = crop.tokens[start:stop]
        return Segment(crop.image[:, begin:end], tokens, start > 0, stop < len(crop.tokens))

    def _joined(self, left: Segment, right: Segment, rng: np.random.Generator) -> Segment:
        """Two segments in one word if both were cut where they meet, as two words if neither was.

        Only the left one if the text would be too long, or if lower and upper case would meet
        inside a word, which is rare in real words.
        """
        between: tuple[str, ...] = ()
        gap = 0.0
        if not left.cut_right and self._space is not None:
            between, gap = self._space, _SPACE[0] + (_SPACE[1] - _SPACE[0]) * rng.random()
        elif left.tokens[-1].islower() != right.tokens[0].islower():
            return left
        if len(left.tokens) + len(right.tokens) > _MAX_TOKENS:
            return left
        image = _side_by_side(left.image, right.image, gap)
        tokens = left.tokens + between + right.tokens
        return Segment(image, tokens, left.cut_left, right.cut_right)


def _cut(found: Sequence[tuple[CuttableCrop, npt.NDArray[np.float64]]]) -> Iterator[CuttableCrop]:
    """The crops that `_aligned` found, with their cuts."""
    # CTC networks often output a token before its center. By how much is estimated from the
    # distances that are left at the two ends of the crops.
    distances = [(crop.image.shape[1] - at[-1] - at[0]) / crop.image.shape[0] for crop, at in found]
    late = float(np.median(distances)) / 2 if found else 0.0
    for crop, at in found:
        height, width = crop.image.shape
        gaps = _gaps(crop.image, at + late * height)
        # A text that begins or ends with a space would teach the network that padding is a space.
        clean = (gap for gap in gaps if " " not in crop.tokens[gap[0] - 1 : gap[0] + 1])
        cuts = ((0, 0), *clean, (len(at), width))
        if len({column for _, column in cuts}) == len(cuts):
            yield CuttableCrop(crop.image, crop.tokens, cuts)


def _aligned(
    dataset: Sequence[Sample], recognizer: Recognizer
) -> Iterator[tuple[CuttableCrop, npt.NDArray[np.float64]]]:
    """Crops without cuts, and the columns at which the network outputs each token of the label."""
    manifest = recognizer.manifest
    for first in tqdm(range(0, len(dataset), _BATCH), desc="cutting crops", unit="batch"):
        members = (dataset[i] for i in range(first, min(first + _BATCH, len(dataset))))
        # Crops that are too wide for the network are not trained on either.
        samples = [pair for pair in members if manifest.preprocess.fits(*pair[0].shape[:2])]
        found = recognizer.log_probs([image for image, _ in samples])
        for (image, text), log_probs in zip(samples, found, strict=True):
            classes = manifest.charset.encode(text)
            height, width = image.shape[:2]
            if len(classes) < 2 or width < _MIN_TOKEN_WIDTH * height * len(classes):
                continue
            if ctc.forward_sum(log_probs[None], [classes])[0] < _MIN_LOG_PROB * len(classes):
                continue
            path = ctc.align(log_probs, classes)
            steps = [np.flatnonzero(path == k).mean() + 0.5 for k in range(len(classes))]
            scale = manifest.stride * manifest.preprocess.geometry(height, width).scale
            gray = to_gray(image).astype(np.uint8)
            crop = CuttableCrop(gray, tuple(manifest.charset.split(text)), ())
            yield crop, np.array(steps) * scale


def _gaps(
    image: npt.NDArray[np.uint8], middles: npt.NDArray[np.float64]
) -> Iterator[tuple[int, int]]:
    """The clean gaps between tokens: number of tokens before, and column.

    Gaps are bounded by the neighboring centers: the gap before the last token would otherwise often
    be found in the background after it.
    """
    height, width = image.shape
    ink = cv2.blur(image.std(axis=0, dtype=np.float32)[None], (3, 1))[0]
    ink /= ink.mean() + 1
    column = np.arange(width)
    between = (middles[1:] + middles[:-1])[:, None] / 2
    cost = ink + ((column - between) / (_REACH * height)) ** 2
    behind = column > middles[1:, None] - _BEFORE * height
    cost[behind | (column < middles[:-1, None])] = np.inf
    found = np.maximum.accumulate(cost.argmin(axis=1))
    for before, (at, row) in enumerate(zip(found.tolist(), cost, strict=True), start=1):
        if ink[at] < _CLEAN and row[at] < np.inf:
            yield before, at


def _side_by_side(
    left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8], gap: float
) -> npt.NDArray[np.uint8]:
    """Two images `gap` heights apart, the right one with the height and light of the left one."""
    height = left.shape[0]
    width = max(2, round(right.shape[1] * height / right.shape[0]))
    right = cv2.resize(right, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    (mean, deviation), (own_mean, own) = (
        (float(image.mean()), max(4.0, float(image.std()))) for image in (left, right)
    )
    lit = (right - np.float32(own_mean)) * np.float32(deviation / own) + np.float32(mean)
    # The background changes linearly from one edge to the other.
    share = np.linspace(0, 1, max(1, round(gap * height)) + 2, dtype=np.float32)[1:-1]
    ground = left[:, -1:] * (1 - share) + lit[:, :1] * share
    joined = np.concatenate([left.astype(np.float32), ground, lit], axis=1)
    result: npt.NDArray[np.uint8] = np.clip(joined, 0, 255).astype(np.uint8)
    return result
