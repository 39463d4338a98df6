"""New words out of real crops: cut between their characters, and joined with pieces of others.

A few thousand real crops are soon known by heart. What is cut out of them has the same ink, blur
and light but other text, and there are millions of it. It is cut at clean gaps only: slivers of the
neighbours at its edges would teach that marks there do not count.
Where a character stands is known from the best alignment of the crop's label (`ctc.align`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model.data.datasets import DatasetError, Sample
from runtime.decoders import ctc
from runtime.preprocess import to_grey
from runtime.recognizer import Recognizer

_BATCH = 256  # crops aligned at a time
_SURE = -0.7  # log p of a label, a token, below which its alignment is not trusted
_NARROW = 0.22  # heights a token; a narrower one stands in a turned or condensed word
_REACH = 0.2  # heights; a gap that far from where it is expected must be free of ink
_CLEAN = 0.55  # share of a crop's mean ink; a gap with more would leave slivers
_JOINED = 0.3  # how often a word is made of two pieces
_SPACE = (0.2, 0.5)  # heights between two words
_LONGEST = 14  # tokens of a joined word


@dataclass(frozen=True)
class Word:
    """A crop that can be cut.

    Attributes:
        image: `(H, W) uint8`, grey.
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
        self.words = tuple(_cut(found))
        self.seed = seed
        if not self.words:
            raise DatasetError(
                f"none of {sum(map(len, datasets))} crops can be cut: the network that training "
                "starts from does not find their characters"
            )

    def __getitem__(self, index: int) -> Sample:
        """A picture `(H, W) uint8` and its text; any index from 0 on."""
        rng = np.random.default_rng((self.seed, index, 3))  # rendered words have the stream without
        piece = self._piece(rng)
        if rng.random() < _JOINED:
            piece = self._joined(piece, self._piece(rng), rng)
        return piece.image, self._separator.join(piece.tokens)

    def _piece(self, rng: np.random.Generator) -> Piece:
        word = self.words[int(rng.random() * len(self.words))]
        count = len(word.cuts)
        reach = 1 + int(rng.random() ** 0.7 * (count - 1))
        first = int(rng.random() * (count - reach))
        (start, left), (stop, right) = word.cuts[first], word.cuts[first + reach]
        tokens = word.tokens[start:stop]
        return Piece(word.image[:, left:right], tokens, start > 0, stop < len(word.tokens))

    def _joined(self, left: Piece, right: Piece, rng: np.random.Generator) -> Piece:
        """Both in one word, or as two words if one of them was not cut where they meet.

        They stay apart if that makes a text too long, or the charset has no space, or small
        letters would meet large ones: few words are written so.
        """
        between: tuple[str, ...] | None = ()
        gap = 0.0
        if left.cut_right and right.cut_left:
            if left.tokens[-1].islower() != right.tokens[0].islower():
                return left
        else:
            between, gap = self._space, _SPACE[0] + (_SPACE[1] - _SPACE[0]) * rng.random()
        if between is None or len(left.tokens) + len(right.tokens) > _LONGEST:
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
        between = (at[1:] + at[:-1]) / 2 + late * height
        gaps = _gaps(word.image, between)
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
            scale = manifest.stride * manifest.preprocess.scale(height, width)
            grey = to_grey(image).astype(np.uint8)
            word = Word(grey, tuple(manifest.charset.split(text)), ())
            yield word, np.array(steps) * scale


def _gaps(
    image: npt.NDArray[np.uint8], between: npt.NDArray[np.float64]
) -> Iterator[tuple[int, int]]:
    """The clean gaps nearest to the places given, `(L - 1,)`: number of tokens before, column."""
    height, width = image.shape
    ink = cv2.blur(image.std(axis=0, dtype=np.float32)[None], (3, 1))[0]
    ink /= ink.mean() + 1
    far = (np.arange(width) - between[:, None]) / (_REACH * height)
    columns = np.maximum.accumulate((ink + far * far).argmin(axis=1))
    for before, column in enumerate(columns.tolist(), start=1):
        if ink[column] < _CLEAN:
            yield before, column


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
