"""Preprocess, backend and decoder as one call: an image in, a recognition out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.backends import Backend, open_backend
from runtime.decoders import Decoder, Recognition, make_decoder
from runtime.errors import DecodeError, ImageError, ModelFileError
from runtime.manifest import Manifest

Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

DEFAULT_MODEL = Path(__file__).parent / "models" / "crnn-lite.onnx"
"""The model that comes with the runtime."""

TALL = 1.5
"""A picture that many times as high as wide may show a line that runs up or down."""

_TURNS = (1, 3)  # quarters against the clock
_BATCH = 64  # images a run at most; bounds memory, and throughput is flat long before


class Recognizer:
    """Reads a line of text in an image.

    Args:
        backend: The network; see `runtime.backends.open_backend`.
        decoder: A decoder, or the name of one; see `runtime.decoders.make_decoder`.
        **settings: Of the decoder, if it is named: `width=20`.

    Attributes:
        manifest: What the model file says about itself.
        backend: The network.
        decoder: What reads its log-probabilities.
    """

    def __init__(
        self, backend: Backend, decoder: str | Decoder = "greedy", **settings: Any
    ) -> None:
        """Join the parts.

        Raises:
            UnknownNameError: If there is no such decoder.
            DecodeError: If it has no such setting, or is made already and takes none.
        """
        if settings and not isinstance(decoder, str):
            raise DecodeError(
                f"a decoder that is made already takes no settings, got {sorted(settings)}: make "
                "it with them, or name it"
            )
        self.manifest: Manifest = backend.manifest
        self.backend = backend
        self.decoder: Decoder = (
            make_decoder(decoder, self.manifest.charset, **settings)
            if isinstance(decoder, str)
            else decoder
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        backend: str | None = None,
        decoder: str | Decoder = "greedy",
        threads: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> Recognizer:
        """A recognizer of a model file.

        Args:
            path: The model file; none for the model that comes with the runtime.
            backend: Name of the backend; none to go by the file's suffix.
            decoder: A decoder, or the name of one.
            threads: Processor cores to use; None for all.
            device: `cpu`, or what the backend knows, such as `cuda:0`.
            **settings: Of the decoder: `decoder="lexicon", words=["yes", "no"]`.

        Raises:
            ModelFileError: If the file is missing, damaged, foreign, or contradicts itself.
            EngineError: If the engine or the device is not installed here.
            UnknownNameError: If there is no such backend or decoder.
            DecodeError: If the decoder has no such setting, or refuses its value.
        """
        if path is None:
            path = DEFAULT_MODEL
            if not path.is_file():
                raise ModelFileError(
                    f"the default model {path} is not there: export one with `python -m "
                    "export.onnx`, or name a model file (--model)"
                )
        return cls(open_backend(path, backend, threads=threads, device=device), decoder, **settings)

    def __call__(self, image: Image) -> Recognition:
        """Read one image, `uint8 (H, W)` grey or `(H, W, 3)` RGB.

        Raises:
            ImageError: If it is no such image, or too long a line.
        """
        tensor = self.manifest.preprocess(image)[None]
        reading = self._place(self.decode(self.backend(tensor))[0], image)
        return self._turned([image], [reading])[0]

    def batch(self, images: Sequence[Image]) -> list[Recognition]:
        """Read several images. Each reading is what reading that image alone gives.

        INT8 models of ONNX and all of TFLite give the very same numbers, others the same within
        rounding.

        Raises:
            ImageError: If one is no image or too long a line; the message has its number.
        """
        return self._turned(images, self._upright(images))

    def log_probs(self, images: Sequence[Image]) -> list[FloatArray]:
        """The `(T, C) float32` log-probabilities of each image as it stands, T by its width."""
        found: list[Any] = [None] * len(images)
        for members, logits in self._groups(images):
            for i, rows in zip(members, self._log_probs(logits), strict=True):
                found[i] = rows
        return found

    def decode(self, logits: FloatArray) -> list[Recognition]:
        """Read logits `(N, T, C) float32`; spans are in time steps.

        Raises:
            ModelFileError: If their shape is not what the manifest says.
            DecodeError: If they are not finite.
        """
        return self.decoder(self._log_probs(logits))

    def turns(self, image: Image) -> tuple[int, ...]:
        """The quarter turns against the clock with which an image is tried, besides as it stands.

        A word that runs up or down, squeezed into a line's height, is lost; so a tall picture is
        read turned either way as well, and the most probable reading counts.
        """
        height, width = image.shape[:2]
        tall = height >= TALL * width
        return _TURNS if tall and self.manifest.preprocess.fits(width, height) else ()

    def _turned(self, images: Sequence[Image], readings: list[Recognition]) -> list[Recognition]:
        """Readings of images as they stand, or turned where that is more probable."""
        tall = [i for i, image in enumerate(images) if self.turns(image)]
        for quarters in _TURNS if tall else ():
            turned = [np.rot90(images[i], quarters) for i in tall]
            for i, reading in zip(tall, self._upright(turned), strict=True):
                if reading.log_prob > readings[i].log_prob:
                    readings[i] = replace(reading, turned=90 * quarters)
        return readings

    def _upright(self, images: Sequence[Image]) -> list[Recognition]:
        """Readings of images as they stand."""
        readings: list[Any] = [None] * len(images)
        for members, logits in self._groups(images):
            for i, reading in zip(members, self.decode(logits), strict=True):
                readings[i] = self._place(reading, images[i])
        return readings

    def _groups(self, images: Sequence[Image]) -> Iterator[tuple[list[int], FloatArray]]:
        """Indices and logits of images that share a tensor width."""
        buckets: dict[int, list[tuple[int, FloatArray]]] = {}
        for i, image in enumerate(images):
            try:
                tensor = self.manifest.preprocess(image)
            except ImageError as error:
                raise ImageError(f"image {i} of {len(images)}: {error}") from None
            buckets.setdefault(tensor.shape[2], []).append((i, tensor))
        for bucket in buckets.values():
            for start in range(0, len(bucket), _BATCH):
                members = bucket[start : start + _BATCH]
                tensors = np.stack([tensor for _, tensor in members])
                yield [i for i, _ in members], self.backend(tensors)

    def _log_probs(self, logits: FloatArray) -> FloatArray:
        classes = self.manifest.charset.num_classes
        if logits.ndim != 3 or logits.shape[2] != classes or logits.size == 0:
            raise ModelFileError(
                f"model {self.manifest.name!r} gave logits of shape {logits.shape}, expected (N, "
                f"T, {classes}): its manifest names {classes - 1} tokens, and there is the blank"
            )
        return log_softmax(logits)

    def _place(self, reading: Recognition, image: Image) -> Recognition:
        height, width = image.shape[:2]
        scale = self.manifest.preprocess.scale(height, width)
        return reading.in_pixels(self.manifest.stride * scale, float(width))


def log_softmax(logits: FloatArray) -> FloatArray:
    """Logits `(…, C) float32` as log-probabilities of the same shape."""
    rows = logits.reshape(-1, logits.shape[-1])
    # The index of the highest is found seven times as fast as its value. Each row has a peak of its
    # own: with a common one, a picture's last digits would depend on its company in a batch.
    peak = rows[np.arange(len(rows)), rows.argmax(axis=1)]
    shifted: FloatArray = rows - peak[:, None]
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted.reshape(logits.shape)
