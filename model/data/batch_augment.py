"""What `Augment` does to one picture, done to a batch on the device that trains.

Where a GPU waits for rendering, a process that need not degrade brings a sixth more words. (On a
CPU it is the other way round: there this takes more than twice what `Augment` takes.) Faults,
chances and severities are those of `severity.py`: `crnn-medium` reads 68.7 % of 691 rendered words
degraded here and 68.2 % of them degraded by `Augment`, of 350 real ones 81.4 and 80.9 %. What
differs follows from the tensor that it starts from:

- It has the network's height, where `Augment` sees the picture as it was taken. Half of all
  pictures, rendered or real, have between 0.65 and 1.3 pixels for one of the tensor, so that
  noise and JPEG blocks come out alike on the whole.
- It is standardized, so that how bright and rich in contrast the picture was is drawn anew.
- Its width stays: jitter turns and tilts, but does not stretch.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch

from crnn_edge.preprocess import Preprocess
from model.data.augment import severity
from model.data.batch_lens import blur, jitter, sharpen, shrink
from model.data.batch_light import light
from model.data.batch_pictures import Pictures, mean_and_deviation, per_picture
from model.data.batch_sensor import grain, invert, jpeg

# Gray levels that pictures deviate by: of 500 rendered words and of 400 real ones alike, 5 % lie
# below 14, half below 38 and 95 % below 80 or 84, as if drawn log-normally with these.
_CONTRAST, _SPREAD = 38.0, 0.52


@dataclass(frozen=True)
class BatchAugment:
    """Random degradation of a batch of tensors.

    Attributes:
        preprocess: What made the tensors, and what they are still as if made by.
    """

    preprocess: Preprocess

    @torch.no_grad()
    def __call__(
        self,
        tensor: torch.Tensor,
        widths: torch.Tensor,
        strengths: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Worse pictures of the same texts. The same seed on the same device gives the same ones.

        Args:
            tensor: `(N, 1, H, W) float32` as `Preprocess` makes it; left as it is.
            widths: Columns that content fills, `(N,) int64`, on the same device.
            strengths: `(N,) float32` from 0, which leaves a picture as it is, to 2; likewise.
            generator: The source of chance; likewise.

        Returns:
            `(N, 1, H, W) float32`, standardized over each picture's columns, beyond which it is 0.
        """
        plain = tensor[:, 0]
        pictures = self._pictures(plain, widths, strengths, generator)
        _strike(pictures)
        mean, deviation = mean_and_deviation(pictures.levels, pictures.inside)
        worse = (pictures.levels - mean) / deviation.clamp(min=self.preprocess.min_std)
        touched = per_picture(strengths > 0)
        return torch.where(touched, worse * pictures.inside, plain)[:, None]

    def _pictures(
        self,
        plain: torch.Tensor,
        widths: torch.Tensor,
        strengths: torch.Tensor,
        generator: torch.Generator,
    ) -> Pictures:
        """Gray levels that `plain (N, H, W)` may have been made of."""
        last = (widths - 1)[:, None, None]
        columns = torch.arange(plain.shape[2], device=plain.device)
        columns = torch.minimum(columns, last).expand_as(plain)
        pictures = Pictures(plain.gather(2, columns), widths, strengths, generator)
        low, high = pictures.levels.amin((1, 2)), pictures.levels.amax((1, 2))
        deviation = mean_and_deviation(plain, pictures.inside)[1][:, 0, 0]
        least = self.preprocess.min_std
        contrast = (math.log(_CONTRAST) + _SPREAD * pictures.normal()).exp().clamp(min=least)
        # Where little was there to see, Preprocess has divided by `min_std`, and we know it.
        contrast = torch.where(deviation < 0.99, least, contrast)
        span = (high - low).clamp(min=1e-3)
        contrast = torch.minimum(contrast, 255 / span)
        dark = (255 - contrast * span) * pictures.random()
        levels = (pictures.levels - per_picture(low)) * per_picture(contrast) + per_picture(dark)
        return dataclasses.replace(pictures, levels=levels.clamp(0, 255))


def _strike(pictures: Pictures) -> None:
    """Let each fault strike by chance, in the order in which `Augment` has them."""
    s = pictures.strengths
    draw = pictures.random()
    blurred = draw < severity.BLUR * s
    shrunk = ~blurred & (draw > 1 - severity.SHRINK * s)
    sharpened = ~blurred & ~shrunk & (draw > 1 - severity.SHARPEN * s)
    for struck, fault in (
        (pictures.random() < severity.JITTER * s, jitter),
        (pictures.random() < severity.LIGHT * s, light),
        (blurred, blur),
        (shrunk, shrink),
        (sharpened, sharpen),
        (pictures.random() < severity.GRAIN * s, grain),
        (pictures.random() < severity.JPEG * s, jpeg),
        (pictures.random() < severity.INVERT * s, invert),
    ):
        pictures.strike(struck, fault)
