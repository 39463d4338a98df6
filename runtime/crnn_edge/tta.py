"""More looks at pictures that one look leaves in doubt, and which of their readings counts.

- A word that runs up or down, squeezed into a line's height, is lost. So a tall picture that is
  not surely read as it stands is also read turned either way.
- Where a reading is less probable than is asked for, the same line is read 0.75 times as wide, and
  if that is not probable enough, 1.4 times. Made wider, letters that ran into each other come
  apart; made narrower, those that the network took for two come together.
- What is less probable than 0.2 even then is read along a line that falls, and one that climbs:
  such a line is squeezed by the height that it needs.

This takes time for unsure pictures alone; `docs/experiments.md`, "Test-time
augmentation", tells what it gives. The best of several probabilities is somewhat more than the
text deserves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crnn_edge.decoders.recognition import Recognition
from crnn_edge.images import Image
from crnn_edge.preprocess import Preprocess
from crnn_edge.view import IDENTITY, Look

VIEWS = (Look(stretch=0.75), Look(stretch=1.4), Look(slope=0.2), Look(slope=-0.2))
"""The looks that an unsure reading gets, one after the other, until it is sure."""

TALL = 1.5
"""A picture that many times as high as wide may show a line that runs up or down."""

_TURNS = (1, 3)  # quarters against the clock
_SURE = 0.9  # a tall picture that is so surely read as it stands, such as a digit, is not turned
_LOST = 0.2  # a line that is read as more probable than this hardly slopes


@dataclass(frozen=True)
class TestTimeAugmentation:
    """Which further looks images need, and which of their readings count.

    Attributes:
        preprocess: It tells which looks an image's size allows.
        strict: Whether a reading that is not as the decoder was told that it must be is second to
            any that is. Of a lexicon that may be left, no word is better for being one.
    """

    preprocess: Preprocess
    strict: bool

    def __call__(
        self,
        images: Sequence[Image],
        readings: list[Recognition],
        tta_threshold: float,
        read: Callable[[Sequence[Image], Look, Sequence[int]], list[Recognition]],
    ) -> list[Recognition]:
        """The best readings of images that have had one look, after all that they need.

        Args:
            images: As a recognizer takes them.
            readings: What the first look read; changed in place.
            tta_threshold: The probability from which on one look is enough.
            read: Reads images in one way, each turned by so many degrees already.
        """

        def look(views: list[tuple[int, int]], how: Look = IDENTITY) -> None:
            turned = [np.rot90(images[i], quarters) for i, quarters in views]
            found = read(turned, how, [90 * quarters for _, quarters in views])
            for (i, _), reading in zip(views, found, strict=True):
                readings[i] = max(readings[i], reading, key=self._worth)

        tall = [i for i, image in enumerate(images) if self._tall(image, readings[i])]
        for quarters in _TURNS if tall else ():
            look([(i, quarters) for i in tall])
        for how in VIEWS if tta_threshold else ():
            enough = min(tta_threshold, _LOST) if how.slope else tta_threshold
            pairs = enumerate(zip(images, readings, strict=True))
            unsure = [i for i, pair in pairs if self._unsure(*pair, how, enough)]
            look([(i, readings[i].turned // 90) for i in unsure], how)
        return readings

    def _tall(self, image: Image, reading: Recognition) -> bool:
        """Whether an image may show a line that runs up or down."""
        height, width = image.shape[:2]
        fits = height >= TALL * width and self.preprocess.fits(width, height)
        return fits and not self._reaches(reading, _SURE)

    def _unsure(self, image: Image, reading: Recognition, how: Look, enough: float) -> bool:
        """Whether an image's best reading yet calls for such a look at it."""
        height, width = (np.rot90(image) if reading.turned else image).shape[:2]
        within = abs(how.slope) * width <= height  # else such a line leaves the picture
        fits = within and self.preprocess.fits(height, width, how)
        return fits and not self._reaches(reading, enough)

    def _reaches(self, reading: Recognition, probability: float) -> bool:
        """Whether a reading is as asked, and so probable."""
        asked = not self.strict or reading.matches_constraint is not False
        return asked and reading.hypothesis.is_at_least(math.log(probability))

    def _worth(self, reading: Recognition) -> tuple[bool, float]:
        """The rank of one of several recognitions of an image.

        Each token more makes a text less probable, so that a single letter, made up of a line that
        runs upwards, would outweigh the word that stands there. So a token counts with its mean.
        Four tokens more are taken to be certain, or nothing at all would never outweigh anything.

        Where the text must match a constraint, its probability also depends on what the image shows
        and the constraint forbids: the dash of a license plate takes all but nothing of p(text) in
        one view and nearly everything in the next. Then the mean of the tokens' highest
        probabilities counts, beside one token of probability 0.
        """
        matches, tokens = reading.matches_constraint, len(reading.tokens)
        if matches and self.strict:
            return True, sum(reading.hypothesis.peaks) / (tokens + 1)
        asked = not self.strict or matches is not False
        return asked, (reading.log_prob + reading.lm_score) / (tokens + 4)
