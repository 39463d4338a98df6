"""New words out of real crops: cut between their characters, and joined with pieces of others.

A few thousand real crops are soon known by heart. What is cut out of them has the same ink, blur
and light but other text, and there are millions of it. It is cut at clean gaps only: slivers of the
neighbors at its edges would teach that marks there do not count.
Where a character stands is known from the best alignment of the crop's label (`ctc.align`).
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
_SURE = -0.7  # log p of a label, a token, below which its alignment is not trusted
_NARROW = 0.22  # heights a token; a narrower one stands in a turned or condensed word
_REACH = 0.2  # heights; a gap that far from where it is expected must be free of ink
_CLEAN = 0.55  # share of a crop's mean ink; a gap with more would leave slivers
_BEFORE = 0.12  # heights before a token's middle; a gap nearer would cut it, or lie beyond it
_JOINED = 0.4  # how often a sample is made of two pieces
_IN_WORD = 0.7  # how often these become one word, rather than two
_SPACE = (0.2, 0.5)  # heights between two words
_LONGEST = 14  # tokens of a joined word


@dataclass(frozen=True)
class Word:
    """A crop that can be cut.

    Attributes:
        image: `(H, W) uint8`, gray.
        tokens: Its text.
        cuts: Between which tokens it can be cut, and at which column; both its ends are among them.
    """

    image: npt.NDArray[np.uint8]
    tokens: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Piece:
    """Some of a crop's columns: `(H, W) uint8`, and whether either side of it was cut."""

    image: npt.NDArray[np.uint8]
    tokens: tuple[str, ...]
    cut_left: bool
    cut_right: bool


class Pieces:
    """Samples cut out of crops, by number and without end.

    Attributes:
        words: The crops that can be cut.
        seed: Another seed, other cuts.
    """

    def __init__(
        self, datasets: Sequence[Sequence[Sample]], recognizer: Recognizer, seed: int
    ) -> None:
        """Find the cuts of every crop that the recognizer's network is sure enough of.

        Raises:
            DatasetError: If there is none.
        """
        charset = recognizer.manifest.charset
        self._separator = charset.separator
        self._space = (" ",) if " " in charset.tokens else None
        found = [pair for dataset in datasets for pair in _aligned(dataset, recognizer)]
        # What cannot be cut inside would only be seen whole, which the crops are anyway.
        self.words = tuple(word for word in _cut(found) if len(word.cuts) > 2)
        self.seed = seed
        if not self.words:
            raise DatasetError(
                f"none of {sum(map(len, datasets))} crops can be cut: the network that training "
                "starts from does not find their characters"
            )

    def __getitem__(self, index: int) -> Sample:
        """A picture `(H, W) uint8` and its text; any index from 0 on."""
        rng = np.random.default_rng((self.seed, index, 3))  # rendered words have the stream without
        if rng.random() >= _JOINED:
            # The longer of two: of single characters, which say little, there would be too many.
            piece = max(self._piece(rng), self._piece(rng), key=lambda piece: len(piece.tokens))
        elif self._space is None or rng.random() < _IN_WORD:
            piece = self._joined(self._piece(rng, right=True), self._piece(rng, left=True), rng)
        else:
            piece = self._joined(self._piece(rng, right=False), self._piece(rng, left=False), rng)
        return piece.image, self._separator.join(piece.tokens)

    def _piece(
        self, rng: np.random.Generator, left: bool | None = None, right: bool | None = None
    ) -> Piece:
        """A piece of a word, never all of it, either side cut or not, or either if none is said."""
        word = self.words[int(rng.random() * len(self.words))]
        last = len(word.cuts) - 1
        reach = 1 + int(rng.random() ** 0.7 * (last - 1))
        starts = range(last - reach + 1)
        if left is not None:
            starts = starts[1:] if left else starts[:1]
        if right is not None:
            starts = starts[:-1] if right else starts[-1:]
        first = starts[int(rng.random() * len(starts))]
        (start, begin), (stop, end) = word.cuts[first], word.cuts[first + reach]
        tokens = word.tokens[start:stop]
        return Piece(word.image[:, begin:end], tokens, start > 0, stop < len(word.tokens))

    def _joined(self, left: Piece, right: Piece, rng: np.random.Generator) -> Piece:
        """Both in one word where both were cut, as two words where neither was.

        The left one alone if that makes a text too long, or small letters would meet large ones:
        few words are written so.
        """
        between: tuple[str, ...] = ()
        gap = 0.0
        if not left.cut_right and self._space is not None:
            between, gap = self._space, _SPACE[0] + (_SPACE[1] - _SPACE[0]) * rng.random()
        elif left.tokens[-1].islower() != right.tokens[0].islower():
            return left
        if len(left.tokens) + len(right.tokens) > _LONGEST:
            return left
        image = _side_by_side(left.image, right.image, gap)
        tokens = left.tokens + between + right.tokens
        return Piece(image, tokens, left.cut_left, right.cut_right)


def _cut(found: Sequence[tuple[Word, npt.NDArray[np.float64]]]) -> Iterator[Word]:
    """What `_aligned` found, with the columns at which the tokens part."""
    # A network may tell a token wherever it likes, often as soon as it comes into sight. How much
    # too soon that is shows in the room that it leaves at the ends of the crops.
    room = [(word.image.shape[1] - at[-1] - at[0]) / word.image.shape[0] for word, at in found]
    late = float(np.median(room)) / 2 if found else 0.0
    for word, at in found:
        height, width = word.image.shape
        gaps = _gaps(word.image, at + late * height)
        # Beside a space, a text would begin or end with it, which teaches that margins are spaces.
        clean = (gap for gap in gaps if " " not in word.tokens[gap[0] - 1 : gap[0] + 1])
        cuts = ((0, 0), *clean, (len(at), width))
        if len({column for _, column in cuts}) == len(cuts):
            yield Word(word.image, word.tokens, cuts)


def _aligned(
    dataset: Sequence[Sample], recognizer: Recognizer
) -> Iterator[tuple[Word, npt.NDArray[np.float64]]]:
    """Crops, uncut, with the pixels at which the network tells each token of their labels."""
    manifest = recognizer.manifest
    for first in tqdm(range(0, len(dataset), _BATCH), desc="cutting crops", unit="batch"):
        members = (dataset[i] for i in range(first, min(first + _BATCH, len(dataset))))
        # What is longer than the network reads is left out of training, too.
        samples = [pair for pair in members if manifest.preprocess.fits(*pair[0].shape[:2])]
        found = recognizer.log_probs([image for image, _ in samples])
        for (image, text), log_probs in zip(samples, found, strict=True):
            classes = manifest.charset.encode(text)
            height, width = image.shape[:2]
            if len(classes) < 2 or width < _NARROW * height * len(classes):
                continue
            if ctc.forward_sum(log_probs[None], [classes])[0] < _SURE * len(classes):
                continue
            path = ctc.align(log_probs, classes)
            steps = [np.flatnonzero(path == k).mean() + 0.5 for k in range(len(classes))]
            scale = manifest.stride * manifest.preprocess.geometry(height, width).scale
            gray = to_gray(image).astype(np.uint8)
            word = Word(gray, tuple(manifest.charset.split(text)), ())
            yield word, np.array(steps) * scale


def _gaps(
    image: npt.NDArray[np.uint8], middles: npt.NDArray[np.float64]
) -> Iterator[tuple[int, int]]:
    """The clean gaps between tokens with their middles there: number of tokens before, column.

    Without bounds, the gap before the last token would often be found in the margin behind it.
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
    """Two pictures `gap` heights apart, the right one in the height and the light of the left."""
    height = left.shape[0]
    width = max(2, round(right.shape[1] * height / right.shape[0]))
    right = cv2.resize(right, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    (mean, deviation), (own_mean, own) = (
        (float(image.mean()), max(4.0, float(image.std()))) for image in (left, right)
    )
    lit = (right - np.float32(own_mean)) * np.float32(deviation / own) + np.float32(mean)
    # From the ground at one's edge to the ground at the other's.
    share = np.linspace(0, 1, max(1, round(gap * height)) + 2, dtype=np.float32)[1:-1]
    ground = left[:, -1:] * (1 - share) + lit[:, :1] * share
    joined = np.concatenate([left.astype(np.float32), ground, lit], axis=1)
    result: npt.NDArray[np.uint8] = np.clip(joined, 0, 255).astype(np.uint8)
    return result
