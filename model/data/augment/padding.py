"""Crops as a looser box would have cut them: a detector leaves more room than an annotator.

Real crops are tight, so what was around them has to be made up. A network that has not seen room
beside a word reads marks into it.
"""

from __future__ import annotations

import cv2
import numpy as np

from crnn_edge.preprocess import VERTICAL_ASPECT_RATIO
from model.data.render.geometry import Pixels

_CHANCE = 0.2  # at strength 1
_EITHER = 0.7  # of a loosened crop, how often each end of the line has room
_BESIDE = 1.2  # heights of the crop, at most
_TALLER = 0.3  # how often there is room above and below as well
_ABOVE = 0.25
_EVEN, _STREAKS, _VAGUE = 0.4, 0.55, 0.8  # up to which draw it is so filled; else soft streaks
_SOFT, _ILLEGIBLE = (0.03, 0.3), 0.12  # heights, the blur of what is made up


def add_room(image: Pixels, beside: float, above: float = 0.0) -> Pixels:
    """The picture in a larger one, all around as bright as it is at its ends.

    A tall picture, which may show an upright line, stays as it is.

    Args:
        image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
        beside: Room at either end of the line, in heights of the picture.
        above: Room above, and as much below.
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


class Margins:
    """Room around some crops, filled as walls, plates and padding software would.

    Unlike what `Augment` does, this changes a picture's size.
    """

    def __init__(self, strength: float = 1.0) -> None:
        """Choose how often.

        Args:
            strength: That of the degradation, from 0 for never to 2.
        """
        self.chance = _CHANCE * strength

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """The picture in a larger one, or as it is, which tall ones always are.

        Args:
            image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
            rng: The source of chance.
        """
        height, width = image.shape[:2]
        if rng.random() >= self.chance or height >= VERTICAL_ASPECT_RATIO * width:
            return image
        beside = _BESIDE * rng.random(2) * (rng.random(2) < _EITHER)
        above = _ABOVE * rng.random(2) * (rng.random() < _TALLER)
        room = height * np.concatenate([above, beside])
        top, bottom, left, right = room.astype(int).tolist()
        fill = rng.random()
        if fill < _EVEN:
            return _even(image, top, bottom, left, right)
        vague = _STREAKS <= fill < _VAGUE  # what is around goes on, but nothing can be made out
        border = cv2.BORDER_REFLECT if vague else cv2.BORDER_REPLICATE
        larger: Pixels = cv2.copyMakeBorder(image, top, bottom, left, right, border)
        if fill < _STREAKS:  # as software pads
            return larger
        blur = _SOFT[0] + (_SOFT[1] - _SOFT[0]) * rng.random()
        sigma = height * (max(blur, _ILLEGIBLE) if vague else blur)
        soft: Pixels = cv2.GaussianBlur(larger, (0, 0), sigma)
        soft[top : top + height, left : left + width] = image
        return soft
