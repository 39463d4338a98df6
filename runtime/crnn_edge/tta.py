"""Test-time augmentation: which further views an image deserves, and which result is best.

- Vertical text, resized to the height of a line, is unreadable. So an image that is much higher
  than wide, and is not read with certainty as it is, is also read rotated either way.
- Where a text is less probable than the threshold, the same line is read 0.75 times as wide, and
  if that is not probable enough, 1.4 times. Wider, letters that touch come apart; narrower, parts
  that were taken for two letters join.
- A text that is even then less probable than 0.2 is read along a line that falls, and one that
  climbs: a skewed line loses height in a straight crop.

This costs time for uncertain images only; `docs/decoders.md` has the figures. The best of several
probabilities is somewhat higher than the text deserves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crnn_edge.preprocess import IDENTITY, VERTICAL_ASPECT_RATIO, Preprocess, View
from crnn_edge.recognition import Recognition
from crnn_edge.types import Image

VIEWS = (View(width_scale=0.75), View(width_scale=1.4), View(skew=0.2), View(skew=-0.2))
"""The views of an uncertain image, one after the other, until a text is probable enough."""

_ROTATIONS = (90, 270)  # degrees counter-clockwise
_CERTAIN = 0.9  # a vertical image that is read with this probability, such as a digit, is upright
_MIN_STRAIGHT = 0.2  # a text that is more probable than this is hardly on a skewed line


@dataclass(frozen=True)
class TestTimeAugmentation:
    """Proposes views and ranks their results; reading is the recognizer's part.

    Attributes:
        preprocess: Which views an image's size allows.
        threshold: A text that is less probable is read again, 0…1; 0 for never.
        strict: Whether a text that does not match the decoder's constraint is always worse than
            one that does. With a lexicon that other texts may leave, a word is not better for
            being in it.
        views: The views, in the order in which they are tried.
    """

    preprocess: Preprocess
    threshold: float
    strict: bool
    views: tuple[View, ...] = VIEWS

    def propose(
        self, images: Sequence[Image], best: Sequence[Recognition]
    ) -> Iterator[tuple[View, dict[int, int]]]:
        """The views to read next.

        Args:
            images: The images, not rotated.
            best: The best recognition of each so far; the caller updates it between proposals.

        Yields:
            A view; and the images that need it, by index, with the degrees, counter-clockwise, by
            which each is to be rotated before.
        """
        vertical = [i for i, image in enumerate(images) if self._may_be_vertical(image, best[i])]
        for degrees in _ROTATIONS if vertical else ():
            yield IDENTITY, dict.fromkeys(vertical, degrees)
        for view in self.views if self.threshold else ():
            minimum = min(self.threshold, _MIN_STRAIGHT) if view.skew else self.threshold
            uncertain = {
                i: best[i].rotation
                for i, image in enumerate(images)
                if self._allows(image, best[i].rotation, view)
                and not self._is_at_least(best[i], minimum)
            }
            if uncertain:
                yield view, uncertain

    def better(self, one: Recognition, other: Recognition) -> Recognition:
        """The better of two recognitions of one image; the first of equals."""
        return max(one, other, key=self._rank)

    def _may_be_vertical(self, image: Image, recognition: Recognition) -> bool:
        height, width = image.shape[:2]
        shaped = height >= VERTICAL_ASPECT_RATIO * width and self.preprocess.fits(width, height)
        return shaped and not self._is_at_least(recognition, _CERTAIN)

    def _allows(self, image: Image, rotation: int, view: View) -> bool:
        """Whether an image's size allows a view of it."""
        height, width = image.shape[:2] if rotation in (0, 180) else image.shape[1::-1]
        inside = abs(view.skew) * width <= height  # else the line would leave the image
        return inside and self.preprocess.fits(height, width, view)

    def _is_at_least(self, recognition: Recognition, probability: float) -> bool:
        """Whether a text matches the constraint and is at least this probable."""
        matches = not self.strict or recognition.matches_constraint is not False
        return matches and recognition.hypothesis.is_at_least(math.log(probability))

    def _rank(self, recognition: Recognition) -> tuple[bool, float]:
        """The key by which the best of several recognitions of one image is found.

        Each token more makes a text less probable, so that a single letter, read into vertical
        text, would outrank the word that is there. So the mean per token counts. Four certain
        tokens are added, or a short text of low probability would never outrank an empty one.

        Where the text must match a constraint, its probability also depends on what the image shows
        and the constraint forbids: the dash of a license plate takes all but nothing of p(text) in
        one view and nearly everything in the next. Then the mean of the tokens' highest
        probabilities counts, beside one token of probability 0.
        """
        matches, tokens = recognition.matches_constraint, len(recognition.tokens)
        if matches and self.strict:
            return True, sum(recognition.hypothesis.peaks) / (tokens + 1)
        total = recognition.log_prob + recognition.lm_score
        return not self.strict or matches is not False, total / (tokens + 4)
