"""How well a network reads labelled crops: `evaluate(...) -> Evaluation`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crnn_edge.backends import Backend
from crnn_edge.charset import Charset
from crnn_edge.errors import ImageError
from crnn_edge.labels import LabelledFolder
from crnn_edge.manifest import Manifest
from crnn_edge.metrics import Score, edit_distance, score
from crnn_edge.preprocess import Preprocess
from crnn_edge.progress import Progress
from crnn_edge.recognizer import Recognizer
from model.analysis import breakdown
from model.data.augment.padding import pad_image
from model.data.datasets import Image, Lmdb, Sample, open_dataset

log = logging.getLogger("crnn_edge")

CHECKPOINT_BACKEND = "model.network.backend"
"""The backend that opens checkpoints."""

_BATCH = 256


@dataclass(frozen=True)
class Reading:
    """One crop, its label, and the recognized text.

    Attributes:
        image: `uint8 (H, W)` gray or `(H, W, 3)` RGB.
        label: The expected text.
        text: The recognized text.
        confidence: That of the text, 0…1.
    """

    image: Image
    label: str
    text: str
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """The result on one dataset.

    Attributes:
        data: The dataset's name.
        manifest: That of the evaluated model.
        score: Accuracy, exact match, 1 - NED and CER, with intervals.
        readings: Every crop with its label and text, in order.
    """

    data: str
    manifest: Manifest
    score: Score
    readings: tuple[Reading, ...]

    @property
    def groups(self) -> list[breakdown.Group]:
        """Scores by length, by pixels per character, by kind of text and by image shape.

        Empty for charsets of symbols, which have no such kinds.
        """
        if self.manifest.charset.separator:
            return []
        return breakdown.groups(self._cases, self.manifest.preprocess.height)

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """`(label token, recognized token, count)`, the most frequent first; see `breakdown`."""
        return breakdown.confusions(self._cases, self.manifest.charset.split)

    @property
    def misread(self) -> list[Reading]:
        """The crops whose text is not exactly the label, those with the most edits first."""
        split = self.manifest.charset.split
        wrong = [reading for reading in self.readings if reading.text != reading.label]
        return sorted(wrong, key=lambda r: -edit_distance(split(r.label), split(r.text)))

    @property
    def _cases(self) -> list[breakdown.Case]:
        sizes = [reading.image.shape for reading in self.readings]
        return [
            breakdown.Case(size[0], size[1], reading.label, reading.text)
            for size, reading in zip(sizes, self.readings, strict=True)
        ]

    def to_dict(self, *, details: bool = False) -> dict[str, Any]:
        """The score as JSON-ready values; with `details` the groups and confusions, too."""
        values: dict[str, Any] = {"data": self.data, **self.score.to_dict()}
        if details:
            values["groups"] = [group.to_dict() for group in self.groups]
            values["confusions"] = self.confusions
        return values


def evaluate(
    recognizer: Recognizer, data: str | Path, *, pad: tuple[float, float] = (0.0, 0.0)
) -> Evaluation:
    """Read all crops of a dataset and compare them with their labels.

    Args:
        recognizer: The reader.
        data: A folder with `labels.tsv` or `labels.csv`, or an LMDB.
        pad: Context padding added to each crop: at either end of the line, and above and below, in
            heights of the crop.

    Raises:
        CrnnError: If the dataset is missing, damaged or empty, or a crop cannot be read.
    """
    dataset = open_dataset(Path(data))
    samples = []
    with Progress(f"loading {data}", len(dataset), unit="crops") as progress:
        for index in range(len(dataset)):
            image, label = dataset[index]
            samples.append((pad_image(image, *pad), label))
            progress.update()
    charset = recognizer.manifest.charset
    _warn_of_unreadable_labels(data, [label for _, label in samples], charset)
    found = _read(recognizer, samples, _sample_names(dataset), progress=True)
    labels = [label for _, label in samples]
    return Evaluation(
        str(data),
        recognizer.manifest,
        score(labels, [text for text, _ in found], charset),
        tuple(
            Reading(image, label, text, confidence)
            for (image, label), (text, confidence) in zip(samples, found, strict=True)
        ),
    )


def score_greedily(backend: Backend, samples: Sequence[Sample]) -> Score:
    """The score of a network on labelled samples, with the greedy decoder and without TTA."""
    found = _read(Recognizer(backend, "greedy", tta_threshold=0), samples)
    labels = [samples[i][1] for i in range(len(samples))]
    return score(labels, [text for text, _ in found], backend.manifest.charset)


def _read(
    recognizer: Recognizer,
    samples: Sequence[Sample],
    names: Sequence[str] = (),
    *,
    progress: bool = False,
) -> list[tuple[str, float]]:
    """The text and the confidence of each sample's image.

    Args:
        recognizer: The reader.
        samples: Images with their labels.
        names: A name of each sample for error messages; by default its number, from 1.
        progress: Show a bar.

    Raises:
        ImageError: If an image cannot be read, for example because it is too wide.
    """
    found: list[tuple[str, float]] = []
    with Progress("reading", len(samples), unit="crops", disable=not progress) as bar:
        for start in range(0, len(samples), _BATCH):
            members = range(start, min(start + _BATCH, len(samples)))
            images = [samples[i][0] for i in members]
            try:
                found += [(r.text, r.confidence) for r in recognizer.batch(images)]
            except ImageError:
                called = names[start:] or [f"number {i + 1}" for i in members]
                _raise_for_first(recognizer.manifest.preprocess, images, called)
                raise
            bar.update(len(members))
    return found


def _raise_for_first(preprocess: Preprocess, images: Sequence[Image], names: Sequence[str]) -> None:
    """Name the image that cannot be read: the recognizer only knows the batch.

    Raises:
        ImageError: If there is one.
    """
    for image, name in zip(images, names, strict=False):
        try:
            preprocess(image)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None


def _sample_names(dataset: LabelledFolder | Lmdb) -> list[str]:
    """A name of each sample: that of its file, if it has one."""
    if isinstance(dataset, LabelledFolder):
        return [str(path) for path in dataset.paths]
    return [f"{dataset.path}, number {i + 1}" for i in range(len(dataset))]


def _warn_of_unreadable_labels(data: str | Path, labels: Sequence[str], charset: Charset) -> None:
    """Warn of labels that cannot, or hardly, be read exactly; they count nevertheless."""
    foreign = [label for label in labels if label not in charset]
    empty = sum(not label for label in labels)
    parts = [f"{empty} are empty"] if empty else []
    if spaced := sum(label != label.strip() for label in labels):
        parts.append(f"{spaced} begin or end with a space")
    if foreign:
        parts.append(f"{len(foreign)} contain characters outside the charset ({foreign[0]!r})")
    if parts:
        log.warning("%s: of %d labels %s; they count, too", data, len(labels), " and ".join(parts))
