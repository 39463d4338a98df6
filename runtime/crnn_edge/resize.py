"""Resizing and deskewing in pure NumPy, the same on every processor.

Libraries disagree about "bilinear" by up to 130 gray values when they downscale, so the filter is
written out here: an antialiased triangle filter, as small matrix products.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.types import FloatArray, Image

_REC601 = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BLOCKS = ((2.0, 64), (8.0, 32), (32.0, 16))
"""Up to which scale how many output pixels a matrix computes: each depends on few input pixels, so
a matrix stays below 75 kB. Filters of larger scales are not cached."""

_MAX_CACHED_ROWS = 512  # rows of an image for which the matrix that resizes them is cached
_CHUNK = 1 << 20  # input pixels converted to gray at a time; bounds memory for huge images

Filter = tuple[int, FloatArray, FloatArray]
"""The first input pixel, triangle weights `(K, count)` whose columns sum to 1, and the cumulative
sums of the columns."""


def _filter(scale: float, start: int, count: int, n_in: float = math.inf) -> Filter:
    """The filter of `count` output pixels from `start` on, of input that ends after `n_in`."""
    support = max(scale, 1.0)  # enlarging interpolates, downscaling averages: no aliasing
    centers = (np.arange(start, start + count) + 0.5) * scale - 0.5
    lo = max(0, math.floor(centers[0] - support))
    inputs = np.arange(lo, math.ceil(centers[-1] + support) + 1)
    weights = np.maximum(1 - np.abs(np.subtract.outer(inputs, centers)) / support, 0)
    weights /= weights.sum(axis=0)
    if n_in < inputs[-1]:
        weights = weights[: int(n_in) - lo].copy()
    narrow = weights.astype(np.float32)
    return lo, narrow, weights.cumsum(axis=0, out=weights).astype(np.float32)


@lru_cache(maxsize=256)
def _cached_filter(scale: float, start: int, count: int) -> Filter:
    """The filter of `count` output pixels from `start` on, of input without a right end.

    Building filters would be most of what preprocessing costs. But rows and columns share one
    scale, that of the image's height, and heights are few: so they are nearly always cached.
    """
    return _filter(scale, start, count)


def _block(scale: float) -> tuple[int, bool]:
    """How many output pixels a matrix computes, and whether it is cached."""
    for max_scale, count in _BLOCKS:
        if scale <= max_scale:
            return count, True
    return max(1, math.isqrt(int(_CHUNK / 4 / scale))), False  # few, so that weights are few


def resize_columns(
    image: npt.NDArray[Any], n_out: int, scale: float, out: FloatArray | None = None
) -> FloatArray:
    """Resize axis 1 of `(H, n_in)` to `n_out` columns.

    Args:
        image: The input.
        n_out: Output columns.
        scale: Input columns from one output column to the next.
        out: Where the result is written, `(H, n_out) float32`; None for a new array.
    """
    height, n_in = image.shape
    if out is None:
        out = np.empty((height, n_out), dtype=np.float32)
    beyond = math.floor((n_in + 0.5 - max(scale, 1.0)) / scale - 0.5)
    block, cached = _block(scale)
    for start in range(0, n_out, block):
        stop = min(n_out, start + block)
        lo, weights, sums = (
            _cached_filter(scale, start, block)
            if cached
            else _filter(scale, start, stop - start, n_in)
        )
        weights = weights[: n_in - lo, : stop - start]
        covered = len(weights)
        np.matmul(image[:, lo : lo + covered], weights, out[:, start:stop])
        # Columns near the input's end miss weights beyond it: usually one, so each is scaled alone.
        for x in range(max(start, beyond), stop):
            column = out[:, x]
            np.divide(column, sums[covered - 1, x - start], column)
    return out


@lru_cache(maxsize=64)
def _row_matrix(n_in: int, n_out: int) -> FloatArray:
    """The matrix `(n_out, n_in) float32` that resizes all rows at once."""
    transposed = resize_columns(np.eye(n_in, dtype=np.float32), n_out, n_in / n_out)
    return np.ascontiguousarray(transposed.T)


def to_gray(image: Image) -> FloatArray:
    """Gray values `(H, W) float32` in 0…255 of an image, by Rec. 601."""
    if image.shape[2:] == (3,):
        flat: FloatArray = np.dot(image.reshape(-1, 3), _REC601)
        return flat.reshape(image.shape[:2])
    return image.reshape(image.shape[:2]).astype(np.float32)


def gray_rows(image: Image, n_out: int) -> FloatArray:
    """The image in gray, resized to `n_out` rows, a stripe of its columns at a time."""
    height, width = image.shape[:2]
    step = max(1, _CHUNK // height)
    if height <= _MAX_CACHED_ROWS and width <= step:
        return _row_matrix(height, n_out) @ to_gray(image)
    stripes = [
        resize_columns(to_gray(image[:, x : x + step]).T, n_out, height / n_out).T
        for x in range(0, width, step)
    ]
    return np.concatenate(stripes, axis=1)


def deskew(gray: FloatArray, rows: int, skew: float) -> FloatArray:
    """A band of `rows` rows around a skewed line through the middle, made horizontal.

    Args:
        gray: Gray values `(H, W) float32`. Edge values are repeated beyond the edges.
        rows: Rows of the result.
        skew: Rows by which the line falls per column.
    """
    height, width = gray.shape
    top = (height - rows) / 2 + skew * (np.arange(width) - (width - 1) / 2)
    y = np.add.outer(np.arange(rows), top).clip(0, height - 1).astype(np.float32)
    above = y.astype(np.intp)
    upper = np.take_along_axis(gray, above, axis=0)
    lower = np.take_along_axis(gray, np.minimum(above + 1, height - 1), axis=0)
    straight: FloatArray = upper + (lower - upper) * (y - above.astype(np.float32))
    return straight
