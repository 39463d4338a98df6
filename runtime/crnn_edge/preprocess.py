"""From any picture to the tensor that the network was trained on: `image -> tensor`.

Training, calibration, parity checks, benchmarks and the device all call this code, in pure NumPy,
so no two of them can disagree. The algorithm is fixed by the manifest's schema number and pinned
by golden vectors:

1. gray by Rec. 601 (0.299 R + 0.587 G + 0.114 B),
2. an antialiased triangle-filter resize to `height`, by one scale both ways, as two small matrix
   products (`A_h @ image @ A_w.T`; libraries disagree about "bilinear" by up to 130 gray levels
   when they shrink, so the filter is written out here), less the fraction of a column that is left
   over at the right; a picture that would be narrower than `min_width` is stretched to it, since a
   condensed or steeply turned word needs time steps for its letters (2 points of accuracy on 1,295
   scene words, where two in five are that narrow),
3. standardization by the picture's own mean and standard deviation, which makes a dim label and
   a glaring one alike and lets INT8 spend its levels on the text,
4. zeros (the mean, by now) on the right, up to the next width of the bucket grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.errors import ImageError
from crnn_edge.view import IDENTITY, FloatArray, Look, level

_REC601 = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BLOCKS = ((2.0, 64), (8.0, 32), (32.0, 16))
"""Up to which scale how many output pixels a matrix computes: each looks at few input pixels, so it
stays below 75 kB. Filters of larger scales are not kept."""

_HIGH = 512  # rows of a picture for which the matrix that resizes them is still worth keeping
_BAND, _LEAST_BAND = 0.8, 0.4
"""A line across a picture of height H and width W that slopes by s is taken to be H - 0.8 s W high,
and no less than 0.4 H: its ends may be cut off, but what is above and below would hide it."""

_CHUNK = 1 << 20  # input pixels converted to gray at a time; bounds memory for huge pictures


Filter = tuple[int, FloatArray, FloatArray]
"""The first input pixel looked at, triangle weights `(K, count)` whose columns sum to 1, and what
the columns sum to until each input pixel."""


def _filter(scale: float, start: int, count: int, n_in: float = math.inf) -> Filter:
    """The filter of `count` output pixels from `start` on, of input that ends after `n_in`."""
    support = max(scale, 1.0)  # enlarging interpolates, shrinking averages: no aliasing
    centers = (np.arange(start, start + count) + 0.5) * scale - 0.5
    lo = max(0, math.floor(centers[0] - support))
    inputs = np.arange(lo, math.ceil(centers[-1] + support) + 1)
    weights = np.maximum(1 - np.abs(np.subtract.outer(inputs, centers)) / support, 0)
    weights /= weights.sum(axis=0)
    if n_in < inputs[-1]:
        weights = weights[: int(n_in) - lo].copy()
    kept = weights.astype(np.float32)
    return lo, kept, weights.cumsum(axis=0, out=weights).astype(np.float32)


@lru_cache(maxsize=256)
def _kept(scale: float, start: int, count: int) -> Filter:
    """The filter of `count` output pixels from `start` on, of input without a right end.

    Building them would be most of what preprocessing costs. But a picture's rows and columns share
    one scale, its height's, and heights are few: so they are nearly always here already.
    """
    return _filter(scale, start, count)


def _block(scale: float) -> tuple[int, bool]:
    """How many output pixels a matrix computes, and whether it is kept."""
    for most, count in _BLOCKS:
        if scale <= most:
            return count, True
    return max(1, math.isqrt(int(_CHUNK / 4 / scale))), False  # few, so that weights are few


def _resize_columns(
    image: npt.NDArray[Any], n_out: int, scale: float, out: FloatArray | None = None
) -> FloatArray:
    """Resize axis 1 of `(H, n_in)` to `n_out` columns, `scale` columns of the input apart."""
    height, n_in = image.shape
    if out is None:
        out = np.empty((height, n_out), dtype=np.float32)
    beyond = math.floor((n_in + 0.5 - max(scale, 1.0)) / scale - 0.5)
    block, keep = _block(scale)
    for start in range(0, n_out, block):
        stop = min(n_out, start + block)
        found = _kept(scale, start, block) if keep else _filter(scale, start, stop - start, n_in)
        lo, weights, sums = found
        weights = weights[: n_in - lo, : stop - start]
        seen = len(weights)
        np.matmul(image[:, lo : lo + seen], weights, out[:, start:stop])
        # What lies beyond the input's end, those columns miss: usually one, and so done one by one.
        for x in range(max(start, beyond), stop):
            column = out[:, x]
            np.divide(column, sums[seen - 1, x - start], column)
    return out


@lru_cache(maxsize=64)
def _rows(n_in: int, n_out: int) -> FloatArray:
    """The matrix `(n_out, n_in) float32` that resizes all rows at once."""
    turned = _resize_columns(np.eye(n_in, dtype=np.float32), n_out, n_in / n_out)
    return np.ascontiguousarray(turned.T)


def check_image(image: npt.NDArray[np.uint8]) -> None:
    """Refuse what is not an image `uint8 (H, W)`, `(H, W, 1)` or RGB `(H, W, 3)`.

    Raises:
        ImageError: With what to do about it.
    """
    if not isinstance(image, np.ndarray) or hasattr(image, "mask"):  # np.ma is slow to import
        raise ImageError(
            f"expected an image as an unmasked NumPy array, got {type(image).__name__} (a file is "
            "opened by `read_image`)"
        )
    if image.dtype != np.uint8:
        raise ImageError(
            f"expected a uint8 image, got {image.dtype}: scale it to 0…255 first, for example "
            "(image / image.max() * 255).astype('uint8')"
        )
    channels = 1 if image.ndim == 2 else image.shape[-1] if image.ndim == 3 else 0
    if channels not in (1, 3):
        raise ImageError(
            f"expected shape (H, W) or (H, W, 3) RGB, got {image.shape}"
            + ("; blend or drop the alpha channel first" if channels == 4 else "")
        )
    if image.size == 0:
        raise ImageError(f"the image is empty: shape {image.shape}")


def to_gray(image: npt.NDArray[np.uint8]) -> FloatArray:
    """Gray levels `(H, W) float32` in 0…255 of an image that `check_image` lets pass."""
    if image.shape[2:] == (3,):
        flat: FloatArray = np.dot(image.reshape(-1, 3), _REC601)
        return flat.reshape(image.shape[:2])
    return image.reshape(image.shape[:2]).astype(np.float32)


def _gray_rows(image: npt.NDArray[np.uint8], n_out: int) -> FloatArray:
    """The image in gray, resized to `n_out` rows, a stripe of its columns at a time."""
    height, width = image.shape[:2]
    step = max(1, _CHUNK // height)
    if height <= _HIGH and width <= step:
        return _rows(height, n_out) @ to_gray(image)
    stripes = [
        _resize_columns(to_gray(image[:, x : x + step]).T, n_out, height / n_out).T
        for x in range(0, width, step)
    ]
    return np.concatenate(stripes, axis=1)


@dataclass(frozen=True)
class Preprocess:
    """The frozen settings of `image -> tensor`; a manifest carries them.

    Attributes:
        height: Rows of the tensor, in pixels.
        width_multiple: Widths are rounded up to a multiple of this many pixels.
        min_width: The least columns that content fills, in pixels; narrower is stretched.
        max_width: The widest tensor, in pixels. A longer line is refused, never squeezed.
        min_std: The least standard deviation, in gray levels, that a picture is divided by, so
            that the noise of a blank wall is not blown up into strokes.
    """

    height: int = 32
    width_multiple: int = 16
    min_width: int = 64
    max_width: int = 2048
    min_std: float = 4.0

    def __post_init__(self) -> None:
        """Validate."""
        pixels = (self.height, self.width_multiple, self.min_width, self.max_width)
        if any(type(value) is not int for value in pixels):
            raise ValueError(f"height, width_multiple and widths must be whole numbers: {self}")
        if not (8 <= self.height <= 512 and 1 <= self.width_multiple <= self.max_width <= 16384):
            raise ValueError(f"impossible preprocessing: {self}")
        if self.max_width % self.width_multiple or not 1 <= self.min_width <= self.max_width:
            raise ValueError(
                f"max_width must be a multiple of width_multiple, min_width within it: {self}"
            )
        if not 0 < self.min_std < 256:
            raise ValueError(f"min_std must be a positive number of gray levels: {self}")

    def rows(self, image_height: int, image_width: int, look: Look = IDENTITY) -> int:
        """Rows that a whole image is resized to, of which a sloping line fills `height`."""
        if not look.slope:
            return self.height
        band = max(_LEAST_BAND, 1 - _BAND * abs(look.slope) * image_width / image_height)
        return self.height * math.ceil(4 / band) // 4  # in quarters: few kinds of filters

    def width(self, image_height: int, image_width: int, look: Look = IDENTITY) -> int:
        """Columns that an image's content fills in the tensor, in pixels, before padding."""
        rows = self.rows(image_height, image_width, look)
        return max(1, int(look.stretch * max(self.min_width, image_width * rows // image_height)))

    def scale(self, image_height: int, image_width: int, look: Look = IDENTITY) -> float:
        """Pixels of an image from one column of its tensor to the next."""
        rows = self.rows(image_height, image_width, look)
        return min(image_height / rows, image_width / self.min_width) / look.stretch

    def fits(self, image_height: int, image_width: int, look: Look = IDENTITY) -> bool:
        """Whether an image of this size is no longer a line than `max_width` allows."""
        return self.width(image_height, image_width, look) <= self.max_width

    def bucket(self, image_height: int, image_width: int, look: Look = IDENTITY) -> int:
        """The tensor width that an image of this size gets.

        Raises:
            ImageError: If the line is longer than `max_width` allows.
        """
        width = self.width(image_height, image_width, look)
        if width > self.max_width:
            raise ImageError(
                f"an image of {image_width}×{image_height} px becomes {width} px wide at height "
                f"{self.height}, and this model reads at most {self.max_width}: cut it into lines "
                "or shorter pieces"
            )
        return -(-width // self.width_multiple) * self.width_multiple

    def __call__(self, image: npt.NDArray[np.uint8], look: Look = IDENTITY) -> FloatArray:
        """One image as `(1, height, bucket) float32`, standardized and right-padded with zeros.

        Args:
            image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
            look: How its line is looked at.

        Raises:
            ImageError: If it is not such an image, or too wide.
        """
        check_image(image)
        image_height, image_width = image.shape[:2]
        width = self.width(image_height, image_width, look)
        bucket = self.bucket(image_height, image_width, look)
        tensor = np.zeros((1, self.height, bucket), dtype=np.float32)
        content, count = tensor[0, :, :width], self.height * width
        rows = self.rows(image_height, image_width, look)
        gray = _gray_rows(image, rows)
        if look.slope:
            gray = level(gray, self.height, look.slope * rows / image_height)
        scale = self.scale(image_height, image_width, look)
        _resize_columns(gray, width, scale, out=content)
        # In one piece with its padding, which is zero, a tensor is summed and scaled sooner.
        content -= float(np.add.reduce(tensor, axis=None)) / count
        variance = float(np.vdot(tensor, tensor)) / count
        tensor /= max(math.sqrt(variance), self.min_std)
        return tensor
