"""Context padding: crops as a looser box would have cut them.

Detectors crop less tightly than annotators. The crops of datasets are tight, so their surroundings
have to be invented. A network that was never trained with empty space beside a word recognizes
characters in it.
"""

from __future__ import annotations

import cv2
import numpy as np

from crnn_edge.preprocess import VERTICAL_ASPECT_RATIO
from model.data.render.geometry import Pixels

_PROBABILITY = 0.2  # at strength 1
_EITHER = 0.7  # probability that each end of the line of a padded crop is padded
_BESIDE = 1.2  # most padding at an end, in heights of the crop
_TALLER = 0.3  # probability that it is padded above and below as well
_ABOVE = 0.25  # most padding above or below, in heights
_EVEN, _STREAKS, _VAGUE = 0.4, 0.55, 0.8  # cumulative probabilities of fills; else soft streaks
_SOFT, _ILLEGIBLE = (0.03, 0.3), 0.12  # sigma of the blur of invented surroundings, heights


def pad_image(image: Pixels, beside: float, above: float = 0.0) -> Pixels:
    """Pad an image with the median color of its left and right edges.

    A tall image, which may show a vertical line, is returned unchanged.

    Args:
        image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
        beside: Padding at either end of the line, in heights of the image.
        above: Padding above, and as much below, in heights of the image.
    """
    height, width = image.shape[:2]
    if height >= VERTICAL_ASPECT_RATIO * width:
        return image
    x, y = round(beside * height), round(above * height)
    return _even(image, y, y, x, x)


def _even(image: Pixels, top: int, bottom: int, left: int, right: int) -> Pixels:
    ends = np.concatenate([image[:, 0], image[:, -1]])
    larger: Pixels = cv2.copyMakeBorder(
        image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=np.median(ends, axis=0).tolist()
    )
    return larger


class RandomPadding:
    """Random context padding of some crops, filled like walls, plates or replicated edges.

    Unlike `Augment`, it changes an image's size.
    """

    def __init__(self, strength: float = 1.0) -> None:
        """Set the probability.

        Args:
            strength: That of the augmentation, from 0 for never to 2.
        """
        self.probability = _PROBABILITY * strength

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """The image, padded at random; tall images are never padded.

        Args:
            image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
            rng: The source of randomness.
        """
        height, width = image.shape[:2]
        if rng.random() >= self.probability or height >= VERTICAL_ASPECT_RATIO * width:
            return image
        beside = _BESIDE * rng.random(2) * (rng.random(2) < _EITHER)
        above = _ABOVE * rng.random(2) * (rng.random() < _TALLER)
        pixels = height * np.concatenate([above, beside])
        top, bottom, left, right = pixels.astype(int).tolist()
        fill = rng.random()
        if fill < _EVEN:
            return _even(image, top, bottom, left, right)
        vague = _STREAKS <= fill < _VAGUE  # reflected, but blurred until illegible
        border = cv2.BORDER_REFLECT if vague else cv2.BORDER_REPLICATE
        larger: Pixels = cv2.copyMakeBorder(image, top, bottom, left, right, border)
        if fill < _STREAKS:  # replicated edges
            return larger
        blur = _SOFT[0] + (_SOFT[1] - _SOFT[0]) * rng.random()
        sigma = height * (max(blur, _ILLEGIBLE) if vague else blur)
        soft: Pixels = cv2.GaussianBlur(larger, (0, 0), sigma)
        soft[top : top + height, left : left + width] = image
        return soft
