"""Preprocess, backend and decoder as one call: an image in, a recognition out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from crnn_edge.backends import MODELS, Backend, open_backend
from crnn_edge.decoders import ctc, make_decoder
from crnn_edge.decoders.base import Decoder, Hypothesis
from crnn_edge.decoders.recognition import Recognition
from crnn_edge.errors import DecodeError, ImageError, ModelFileError
from crnn_edge.images import Image
from crnn_edge.manifest import Manifest, check_probability
from crnn_edge.tta import TestTimeAugmentation
from crnn_edge.view import IDENTITY, FloatArray, Look

DEFAULT_MODEL = MODELS / "crnn-lite.onnx"
"""What is read with unless a model is named."""

_CHANNELS = (), (1,), (3,), (4,)  # of an array that is an image, or was before it was converted
_BATCH = 64  # images a run at most; bounds memory, and throughput is flat long before


class Recognizer:
    """Reads a line of text in an image.

    A picture that one look leaves in doubt may get more: see `crnn_edge.tta`.

    Several threads may share one recognizer.

    Args:
        backend: The network; see `crnn_edge.backends.open_backend`.
        decoder: A decoder, or the name of one; see `crnn_edge.decoders.make_decoder`. None for what
            the model file recommends.
        tta_threshold: The probability from which on one look is enough, 0…1. 0 is the fastest; none
            for what the model file recommends.
        **settings: Of the decoder, if it is named: `nbest=5`.

    Attributes:
        manifest: What the model file says about itself.
        preprocess: What makes a tensor of an image, as the manifest says.
        backend: The network.
        decoder: What reads its log-probabilities.
        tta_threshold: The probability from which on one look is enough.
    """

    def __init__(
        self,
        backend: Backend,
        decoder: str | Decoder | None = None,
        *,
        tta_threshold: float | None = None,
        **settings: Any,
    ) -> None:
        """Join the parts.

        Raises:
            TypeError: If the backend is a path: `load` opens one.
            UnknownNameError: If there is no such decoder.
            DecodeError: If it has no such setting, or is made already and takes none; or if
                `tta_threshold` is no probability.
        """
        if isinstance(backend, str | os.PathLike):
            raise TypeError("expected a backend, got a path: `Recognizer.load(path)` opens one")
        if settings and not isinstance(decoder, str | None):
            raise DecodeError(
                f"a decoder that is made already takes no settings, got {sorted(settings)}: make "
                "it with them, or name it"
            )
        self.manifest: Manifest = backend.manifest
        self.tta_threshold = self.manifest.tta.threshold if tta_threshold is None else tta_threshold
        try:
            if isinstance(self.tta_threshold, np.number):
                self.tta_threshold = float(self.tta_threshold)
            check_probability("tta_threshold", self.tta_threshold)
        except ValueError as error:
            raise DecodeError(str(error)) from None
        self.preprocess: Callable[..., FloatArray] = self.manifest.preprocess
        self.backend: Callable[[FloatArray], FloatArray] = backend
        if decoder is None:
            settings = self.manifest.decoder.settings | settings
        if self.manifest.ignore and isinstance(decoder, str | None):
            settings = {"ignore": self.manifest.ignore} | settings
        name = self.manifest.decoder.name if decoder is None else decoder
        self.decoder: Decoder = (
            make_decoder(name, self.manifest.charset, **settings) if isinstance(name, str) else name
        )
        self._tta = TestTimeAugmentation(self.manifest.preprocess, self.decoder.strict)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        backend: str | None = None,
        decoder: str | Decoder | None = None,
        tta_threshold: float | None = None,
        threads: int | None = None,
        device: str = "cpu",
        **settings: Any,
    ) -> Recognizer:
        """A recognizer of a model file.

        Args:
            path: The model file, or the name of one that comes with the runtime, such as
                `crnn-medium`; none for `crnn-lite`.
            backend: Name of the backend; none to go by the file's suffix.
            decoder: A decoder, or the name of one; None for what the file recommends.
            tta_threshold: The probability from which on one look is enough; none for what the file
                recommends.
            threads: Processor cores to use; None for all.
            device: `cpu`, or what the backend knows, such as `cuda:0`.
            **settings: Of the decoder: `decoder="lexicon", words=["yes", "no"]`.

        Raises:
            ModelFileError: If the file is missing, damaged, foreign, or contradicts itself.
            EngineError: If the engine or the device is not installed here.
            UnknownNameError: If there is no such backend or decoder.
            DecodeError: If the decoder has no such setting, or refuses its value, or if
                `tta_threshold` is no probability.
        """
        path = DEFAULT_MODEL if path is None else path
        opened = open_backend(path, backend, threads=threads, device=device)
        return cls(opened, decoder, tta_threshold=tta_threshold, **settings)

    def __call__(self, image: Image) -> Recognition:
        """Read one image, `uint8 (H, W)` gray or `(H, W, 3)` RGB.

        Raises:
            ImageError: If it is no such image, or too long a line.
        """
        logits = self.backend(self.preprocess(image)[None])
        recognition = self._recognition(self.decode(logits)[0], image)
        return self._tta([image], [recognition], self.tta_threshold, self._look)[0]

    def batch(self, images: Sequence[Image]) -> list[Recognition]:
        """Read several images. Each reading is what reading that image alone gives.

        INT8 models of ONNX and all of TFLite give the very same numbers, others the same within
        rounding.

        Args:
            images: A list; or an array `(N, H, W)` or `(N, H, W, 3)`, if they are of one size. With
                three axes, the last of 1, 3 or 4, it is taken for an image with channels, and
                refused: no line of text is so few pixels wide.

        Raises:
            ImageError: If one is no image or too long a line, in which case the message has its
                number; or if `images` is a single image.
        """
        return self._tta(images, self._look(images), self.tta_threshold, self._look)

    def log_probs(self, images: Sequence[Image]) -> list[FloatArray]:
        """The `(T, C) float32` log-probabilities of each image as it stands, T by its width.

        Raises:
            ImageError: As `batch` does.
        """
        found: list[Any] = [None] * len(images)
        for members, logits in self._groups(images):
            self._check(logits)
            for i, rows in zip(members, ctc.log_softmax(logits), strict=True):
                found[i] = rows
        return found

    def decode(self, logits: FloatArray) -> list[list[Hypothesis]]:
        """The decoder's hypotheses for logits `(N, T, C) float32`.

        Raises:
            ModelFileError: If their shape is not what the manifest says.
            DecodeError: If they are not finite.
        """
        self._check(logits)
        return self.decoder(ctc.log_softmax(logits))

    def _look(
        self, images: Sequence[Image], how: Look = IDENTITY, turned: Sequence[int] = ()
    ) -> list[Recognition]:
        """One reading of each image, looked at in one way."""
        readings: list[Any] = [None] * len(images)
        for members, logits in self._groups(images, how):
            for i, hypotheses in zip(members, self.decode(logits), strict=True):
                degrees = turned[i] if turned else 0
                readings[i] = self._recognition(hypotheses, images[i], how, degrees)
        return readings

    def _groups(
        self, images: Sequence[Image], how: Look = IDENTITY
    ) -> Iterator[tuple[list[int], FloatArray]]:
        """Indices and logits of images that share a tensor width."""
        # Rows of a single image would pass for images.
        if isinstance(images, np.ndarray) and images.ndim > 1 and images.shape[2:] in _CHANNELS:
            raise ImageError(f"expected a list of images, got one image of shape {images.shape}")
        buckets: dict[int, list[tuple[int, FloatArray]]] = {}
        for i, image in enumerate(images):
            try:
                tensor = self.preprocess(image, how)
            except ImageError as error:
                raise ImageError(f"image {i} of {len(images)}: {error}") from None
            buckets.setdefault(tensor.shape[2], []).append((i, tensor))
        for bucket in buckets.values():
            for start in range(0, len(bucket), _BATCH):
                members = bucket[start : start + _BATCH]
                tensors = np.stack([tensor for _, tensor in members])
                yield [i for i, _ in members], self.backend(tensors)

    def _check(self, logits: FloatArray) -> None:
        classes = self.manifest.charset.num_classes
        if logits.ndim != 3 or logits.shape[2] != classes or logits.size == 0:
            raise ModelFileError(
                f"model {self.manifest.name!r} gave logits of shape {logits.shape}, expected (N, "
                f"T, {classes}): its manifest names {classes - 1} tokens, and there is the blank"
            )
        # A sum of squares is finite if all are, unless they are huge, and takes a third of that.
        if not np.vdot(logits, logits) < np.inf and not np.isfinite(logits).all():
            raise DecodeError(
                f"model {self.manifest.name!r} gave logits that are not all finite: the model file "
                "is damaged"
            )

    def _recognition(
        self,
        hypotheses: Sequence[Hypothesis],
        image: Image,
        how: Look = IDENTITY,
        turned: int = 0,
    ) -> Recognition:
        """A decoder's hypotheses for an image as a recognition, in pixels of that image."""
        height, width = image.shape[:2]
        step_px = self.manifest.stride * self.manifest.preprocess.scale(height, width, how)
        return Recognition.of(self.manifest.charset, hypotheses, step_px, float(width), turned)
