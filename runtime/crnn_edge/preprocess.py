"""From any image to the tensor that the network was trained on: `image -> tensor`.

Training, calibration, parity checks, benchmarks and the device all call this code, in pure NumPy,
so no two of them can disagree. The algorithm is fixed by the manifest's schema number and pinned
by golden vectors:

1. gray by Rec. 601 (0.299 R + 0.587 G + 0.114 B),
2. an antialiased triangle-filter resize to `height`, by one scale both ways, as two small matrix
   products (`A_h @ image @ A_w.T`), without the fraction of a column that remains at the right; an
   image that would be narrower than `min_width` is stretched to it, since a condensed or strongly
   foreshortened word needs time steps for its letters (2 points of accuracy on 1,295 scene words,
   two in five of which are that narrow),
3. standardization by the image's own mean and standard deviation, which makes dim and glaring
   labels alike and lets INT8 spend its levels on the text,
4. right-padding with zeros (the mean, by now) to the next multiple of `width_multiple`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crnn_edge.errors import ImageError
from crnn_edge.resize import deskew, gray_rows, resize_columns
from crnn_edge.types import FloatArray, Image

VERTICAL_ASPECT_RATIO = 1.5
"""An image that is at least this many times as high as wide may show vertical text."""

_BAND, _MIN_BAND = 0.8, 0.4
"""A skewed line across an image of height H and width W is taken to be H - 0.8 |skew| W high, and
at least 0.4 H: its ends may be cut off, but what is above and below would hide it."""


class View(NamedTuple):
    """One way to look at a line of text.

    Attributes:
        width_scale: Width of the content in the tensor, relative to the usual one.
        skew: Pixels by which the line falls for each pixel to the right; below 0, it climbs.
    """

    width_scale: float = 1.0
    skew: float = 0.0


IDENTITY = View()


class Geometry(NamedTuple):
    """All sizes of one image's way into a tensor.

    Attributes:
        rows: Rows that the whole image is resized to; a skewed line fills `height` of them.
        width: Columns that the image's content fills in the tensor.
        bucket: Columns of the tensor, padding included.
        scale: Pixels of the image from one column of its tensor to the next.
        view: The view that these sizes are for.
    """

    rows: int
    width: int
    bucket: int
    scale: float
    view: View


def check_image(image: Image) -> None:
    """Refuse anything but an image `uint8 (H, W)`, `(H, W, 1)` or RGB `(H, W, 3)`.

    Raises:
        ImageError: If the type, shape or dtype is another, or the image is empty.
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


@dataclass(frozen=True)
class Preprocess:
    """The frozen settings of `image -> tensor`; a manifest carries them.

    Attributes:
        height: Rows of the tensor, in pixels.
        width_multiple: Tensor widths are rounded up to a multiple of this many pixels.
        min_width: Minimum width of the content, in pixels; narrower content is stretched.
        max_width: Maximum width of the tensor, in pixels. A longer line is refused, never squeezed.
        min_std: Minimum standard deviation, in gray values, that an image is divided by, so that
            the noise of a blank wall is not amplified into strokes.
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
            raise ValueError(f"min_std must be a positive number of gray values: {self}")

    def _rows(self, image_height: int, image_width: int, view: View) -> int:
        if not view.skew:
            return self.height
        band = max(_MIN_BAND, 1 - _BAND * abs(view.skew) * image_width / image_height)
        return self.height * math.ceil(4 / band) // 4  # in quarters: few kinds of filters

    def _content_width(self, rows: int, image_height: int, image_width: int, view: View) -> int:
        width = max(self.min_width, image_width * rows // image_height)
        return max(1, int(view.width_scale * width))

    def width(self, image_height: int, image_width: int, view: View = IDENTITY) -> int:
        """Columns that an image's content fills, however many: `max_width` is not checked."""
        rows = self._rows(image_height, image_width, view)
        return self._content_width(rows, image_height, image_width, view)

    def fits(self, image_height: int, image_width: int, view: View = IDENTITY) -> bool:
        """Whether an image of this size is not longer than `max_width` allows."""
        return self.width(image_height, image_width, view) <= self.max_width

    def geometry(self, image_height: int, image_width: int, view: View = IDENTITY) -> Geometry:
        """The sizes for an image of this size, in pixels.

        Raises:
            ImageError: If the line is longer than `max_width` allows.
        """
        rows = self._rows(image_height, image_width, view)
        width = self._content_width(rows, image_height, image_width, view)
        if width > self.max_width:
            raise ImageError(
                f"an image of {image_width}×{image_height} px becomes {width} px wide at height "
                f"{self.height}, and this model reads at most {self.max_width}: cut it into lines "
                "or shorter pieces"
            )
        bucket = -(-width // self.width_multiple) * self.width_multiple
        scale = min(image_height / rows, image_width / self.min_width) / view.width_scale
        return Geometry(rows, width, bucket, scale, view)

    def __call__(self, image: Image, geometry: Geometry | None = None) -> FloatArray:
        """One image as `(1, height, bucket) float32`, standardized and right-padded with zeros.

        Args:
            image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
            geometry: Its sizes, where the caller has computed them already; None for those of
                the identity view.

        Raises:
            ImageError: If the image is invalid or too wide.
        """
        check_image(image)
        image_height, image_width = image.shape[:2]
        if geometry is None:
            geometry = self.geometry(image_height, image_width)
        rows, width, bucket, scale, view = geometry
        tensor = np.zeros((1, self.height, bucket), dtype=np.float32)
        content, count = tensor[0, :, :width], self.height * width
        gray = gray_rows(image, rows)
        if view.skew:
            gray = deskew(gray, self.height, view.skew * rows / image_height)
        resize_columns(gray, width, scale, out=content)
        # Sums over the whole tensor, whose padding is zero, are faster than over its content.
        content -= float(np.add.reduce(tensor, axis=None)) / count
        variance = float(np.vdot(tensor, tensor)) / count
        tensor /= max(math.sqrt(variance), self.min_std)
        return tensor
