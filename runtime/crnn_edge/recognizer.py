"""Preprocess, backend and decoder as one call: an image in, a recognition out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from crnn_edge.backends import MODELS, Backend, open_backend
from crnn_edge.decoders import ctc, make_decoder
from crnn_edge.decoders.base import Decoder, Hypothesis
from crnn_edge.errors import DecodeError, ImageError, ModelFileError
from crnn_edge.manifest import Manifest, check_probability
from crnn_edge.preprocess import IDENTITY, Geometry, View, check_image
from crnn_edge.recognition import Recognition
from crnn_edge.tta import VIEWS, TestTimeAugmentation
from crnn_edge.types import FloatArray, Image

DEFAULT_MODEL = MODELS / "crnn-lite.onnx"
"""The model that is used where none is named."""

_CHANNELS = (), (1,), (3,), (4,)  # of an array that is one image, or was before it was converted
_MAX_BATCH = 64  # images per call of the network; bounds memory, throughput is flat long before


class Recognizer:
    """Reads a line of text in an image.

    An image whose text is uncertain may be read in several views: see `crnn_edge.tta`.

    Several threads may share one recognizer.

    Args:
        backend: The network; see `crnn_edge.backends.open_backend`.
        decoder: A decoder, or the name of one; see `crnn_edge.decoders.make_decoder`. None for what
            the model file recommends.
        decoder_settings: Settings of a decoder that is named, or of the recommended one:
            `{"pattern": "[0-9]+"}`.
        tta_threshold: A text that is less probable is read in further views, 0…1; 0 for never,
            which is the fastest. None for what the model file recommends.

    Attributes:
        manifest: The model file's manifest.
        preprocess: Makes the tensor of an image, as the manifest says.
        backend: The network.
        decoder: Finds texts in log-probabilities.
        tta_threshold: A text that is less probable is read in further views.
    """

    def __init__(
        self,
        backend: Backend,
        decoder: str | Decoder | None = None,
        *,
        decoder_settings: Mapping[str, Any] | None = None,
        tta_threshold: float | None = None,
    ) -> None:
        """Join the parts.

        Raises:
            TypeError: If the backend is a path: `load` opens one.
            UnknownNameError: If there is no such decoder.
            DecodeError: If the decoder has no such setting, or is an instance, which takes none; or
                if `tta_threshold` is not a probability.
        """
        if isinstance(backend, str | os.PathLike):
            raise TypeError("expected a backend, got a path: use Recognizer.load(path)")
        self.manifest: Manifest = backend.manifest
        self.preprocess: Callable[[Image, Geometry], FloatArray] = self.manifest.preprocess
        self.backend: Callable[[FloatArray], FloatArray] = backend
        self.decoder = _decoder(self.manifest, decoder, dict(decoder_settings or {}))
        self.tta_threshold = _threshold(self.manifest, tta_threshold)
        views = self.manifest.tta.views
        self._tta = TestTimeAugmentation(
            self.manifest.preprocess,
            self.tta_threshold,
            self.decoder.strict,
            VIEWS if views is None else tuple(View(*view) for view in views),
        )

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        backend: str | None = None,
        decoder: str | Decoder | None = None,
        decoder_settings: Mapping[str, Any] | None = None,
        tta_threshold: float | None = None,
        threads: int | None = 1,
        device: str = "cpu",
    ) -> Recognizer:
        """A recognizer of a model file.

        Args:
            model: The model file, or the name of a bundled model, such as `crnn-medium`; None for
                `crnn-lite`.
            backend: Name of the backend; None to go by the file's suffix.
            decoder: A decoder, or the name of one; None for what the file recommends.
            decoder_settings: Settings of a decoder that is named, or of the recommended one:
                `{"words": ["yes", "no"]}`.
            tta_threshold: A text that is less probable is read in further views, 0…1; None for
                what the file recommends.
            threads: Processor cores to use; None for all.
            device: `cpu`, or an accelerator that the backend knows, such as `cuda:0`.

        Raises:
            ModelFileError: If the file is missing, damaged, foreign, or contradicts itself.
            EngineError: If the engine or the device is not installed here.
            UnknownNameError: If there is no such backend or decoder.
            DecodeError: If the decoder has no such setting, or refuses its value; or if
                `tta_threshold` is not a probability.
        """
        model = DEFAULT_MODEL if model is None else model
        opened = open_backend(model, backend, threads=threads, device=device)
        return cls(opened, decoder, decoder_settings=decoder_settings, tta_threshold=tta_threshold)

    def __call__(self, image: Image) -> Recognition:
        """Read one image, `uint8 (H, W)` gray or `(H, W, 3)` RGB.

        Raises:
            ImageError: If the image is invalid, or too long a line.
        """
        tensor, geometry = self._prepare(image, IDENTITY)
        (hypotheses,) = self.decode(self._logits(tensor[None]))
        return self._augmented([image], [self._recognition(hypotheses, image, geometry)])[0]

    def batch(self, images: Sequence[Image]) -> list[Recognition]:
        """Read several images. Each result is that of reading the image alone.

        INT8 models of ONNX and all of TFLite give exactly the same numbers, others the same within
        rounding.

        Args:
            images: A list; or an array `(N, H, W)` or `(N, H, W, 3)`, if they are of one size. An
                array of three axes, the last of which is 1, 3 or 4, is taken for a single image
                with channels, and refused: no line of text is so few pixels wide.

        Raises:
            ImageError: If one is invalid or too long a line, in which case the message has its
                number; or if `images` is a single image.
        """
        return self._augmented(images, self._read(images))

    def log_probs(self, images: Sequence[Image]) -> list[FloatArray]:
        """The `(T, C) float32` log-probabilities of each image's identity view, T by its width.

        Raises:
            ImageError: As `batch` does.
        """
        rows: list[Any] = [None] * len(images)
        for members, _, logits in self._groups(images):
            for i, log_probs in zip(members, ctc.log_softmax(logits), strict=True):
                rows[i] = log_probs
        return rows

    def decode(self, logits: FloatArray) -> list[list[Hypothesis]]:
        """The decoder's hypotheses for logits `(N, T, C) float32`, best first.

        Raises:
            DecodeError: If the logits do not have the charset's classes, or are not finite.
        """
        return self.decoder(ctc.log_softmax(logits))

    def _augmented(
        self, images: Sequence[Image], recognitions: list[Recognition]
    ) -> list[Recognition]:
        """The best recognitions after all views that test-time augmentation proposes."""
        for view, rotations in self._tta.propose(images, recognitions):
            rotated = [np.rot90(images[i], degrees // 90) for i, degrees in rotations.items()]
            results = self._read(rotated, view, list(rotations.values()))
            for i, result in zip(rotations, results, strict=True):
                recognitions[i] = self._tta.better(recognitions[i], result)
        return recognitions

    def _read(
        self, images: Sequence[Image], view: View = IDENTITY, rotations: Sequence[int] = ()
    ) -> list[Recognition]:
        """One recognition of each image in one view."""
        recognitions: list[Any] = [None] * len(images)
        for members, geometries, logits in self._groups(images, view):
            decoded = zip(members, geometries, self.decode(logits), strict=True)
            for i, geometry, hypotheses in decoded:
                rotation = rotations[i] if rotations else 0
                recognitions[i] = self._recognition(hypotheses, images[i], geometry, rotation)
        return recognitions

    def _groups(
        self, images: Sequence[Image], view: View = IDENTITY
    ) -> Iterator[tuple[list[int], list[Geometry], FloatArray]]:
        """Indices, geometries and logits of images that share a tensor width."""
        # Rows of a single image would pass for images.
        if isinstance(images, np.ndarray) and images.ndim > 1 and images.shape[2:] in _CHANNELS:
            raise ImageError(f"expected a list of images, got one image of shape {images.shape}")
        buckets: dict[int, list[tuple[int, Geometry, FloatArray]]] = {}
        for i, image in enumerate(images):
            try:
                tensor, geometry = self._prepare(image, view)
            except ImageError as error:
                raise ImageError(f"image {i} of {len(images)}: {error}") from None
            buckets.setdefault(geometry.bucket, []).append((i, geometry, tensor))
        for bucket in buckets.values():
            for start in range(0, len(bucket), _MAX_BATCH):
                members, geometries, tensors = zip(*bucket[start : start + _MAX_BATCH], strict=True)
                yield list(members), list(geometries), self._logits(np.stack(tensors))

    def _prepare(self, image: Image, view: View) -> tuple[FloatArray, Geometry]:
        """The tensor `(1, H, W) float32` of an image, and its sizes, which are computed once."""
        check_image(image)
        geometry = self.manifest.preprocess.geometry(image.shape[0], image.shape[1], view)
        return self.preprocess(image, geometry), geometry

    def _logits(self, tensor: FloatArray) -> FloatArray:
        """The network's output for a tensor, checked against the tensor and the manifest."""
        logits = self.backend(tensor)
        n, width, stride = len(tensor), tensor.shape[3], self.manifest.stride
        steps, classes = width // stride, self.manifest.charset.num_classes
        # The paper's last convolution, 2x2 without padding, loses one step.
        if logits.shape not in ((n, steps, classes), (n, steps - 1, classes)):
            raise ModelFileError(
                f"model {self.manifest.name!r} gave logits of shape {logits.shape} for {n} images "
                f"{width} px wide, expected {(n, steps, classes)}: a time step per {stride} px, "
                f"{classes - 1} tokens plus the CTC blank"
            )
        # A sum of squares is finite if all are, unless they are huge, and takes a third of that.
        if not np.vdot(logits, logits) < np.inf and not np.isfinite(logits).all():
            raise DecodeError(
                f"model {self.manifest.name!r} gave logits that are not all finite: the model file "
                "is damaged"
            )
        return logits

    def _recognition(
        self,
        hypotheses: Sequence[Hypothesis],
        image: Image,
        geometry: Geometry,
        rotation: int = 0,
    ) -> Recognition:
        """A decoder's hypotheses for an image as a recognition, in pixels of that image."""
        step_px = self.manifest.stride * geometry.scale
        width_px = float(image.shape[1])
        return Recognition.of(self.manifest.charset, hypotheses, step_px, width_px, rotation)


def _decoder(
    manifest: Manifest, decoder: str | Decoder | None, settings: dict[str, Any]
) -> Decoder:
    """The decoder that a caller wants, or else the model file's; either ignores what it says."""
    ignore = {"ignore": manifest.ignore} if manifest.ignore else {}
    if decoder is None:
        settings = ignore | manifest.decoder.settings | settings
        return make_decoder(manifest.decoder.name, manifest.charset, **settings)
    if isinstance(decoder, str):
        return make_decoder(decoder, manifest.charset, **(ignore | settings))
    if settings:
        raise DecodeError(
            f"decoder settings {sorted(settings)} need a decoder name; got a Decoder instance. "
            "Pass them to its constructor"
        )
    return decoder


def _threshold(manifest: Manifest, threshold: float | None) -> float:
    """The threshold of test-time augmentation that a caller wants, or else the model file's."""
    if threshold is None:
        return manifest.tta.threshold
    value = float(threshold) if isinstance(threshold, np.number) else threshold
    try:
        check_probability("tta_threshold", value)
    except ValueError as error:
        raise DecodeError(str(error)) from None
    return value
