"""From settings to what a run needs: its network, its batches and its validation set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.errors import ImageError
from crnn_edge.manifest import DecoderChoice, Manifest, TtaSettings
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognizer import Recognizer
from model.data.augment.corruptions import Augment
from model.data.augment.padding import RandomPadding
from model.data.augment.splice import SplicedCrops
from model.data.batching import BucketedBatches
from model.data.datasets import EncodableSubset, Mixture, Sample, WeightedSource, open_dataset
from model.data.fonts import find_faces
from model.data.render.styles import StyledText, load_style
from model.data.synth import Synth
from model.data.text.requested import requested_texts
from model.network.backend import TorchBackend
from model.network.crnn import CRNN
from model.training.config import DataConfig, TrainConfig
from model.training.initialization import InitialModel, initial_model

log = logging.getLogger("crnn_edge")

EVAL_SEED = 2**31
"""Seed of the rendered validation words: beyond any `--seed`, so that none is trained on."""

EVAL_COUNT = 500
_CHECKED_CROPS = 200  # of a dataset, whose widths are checked before training begins


@dataclass(frozen=True)
class TrainingJob:
    """What a run trains, on which batches, and its validation set."""

    model: CRNN
    manifest: Manifest
    batches: BucketedBatches
    validation: Sequence[Sample]


def build_job(config: TrainConfig) -> TrainingJob:
    """Network, manifest, batches and validation set of a run.

    Raises:
        CrnnError: If a file is missing or damaged, a label is out of charset, or nothing is left.
    """
    start = initial_model(config)
    manifest = _with_recommendations(config, start.manifest)
    start = start._replace(manifest=manifest)
    batches = BucketedBatches(
        _mixture(config, start),
        manifest.preprocess,
        manifest.charset,
        config.optim.batch,
        stride=manifest.stride,
        max_width=config.data.max_width,
    )
    validation: Sequence[Sample]
    if config.data.eval:
        validation = _validation_crops(config.data, config.data.eval, manifest)
    else:
        synth = _synth(config.data, manifest.charset, EVAL_SEED)
        validation = [synth[i] for i in range(EVAL_COUNT)]
    return TrainingJob(start.model, manifest, batches, validation)


def _with_recommendations(config: TrainConfig, manifest: Manifest) -> Manifest:
    """The manifest with the TTA threshold and the decoder that the run is to recommend."""
    if config.init.tta_threshold is not None:
        manifest = manifest.replace(tta=TtaSettings(config.init.tta_threshold))
    if config.init.decoder is not None:
        make_decoder(config.init.decoder, manifest.charset)  # fails if there is none of that name
        manifest = manifest.replace(decoder=DecoderChoice(config.init.decoder))
    return manifest


def _synth(data: DataConfig, charset: Charset, seed: int) -> Synth:
    texts = requested_texts(charset, data.words, data.text_pattern, data.texts)
    faces = find_faces(list(data.fonts), "".join(charset.tokens))
    return Synth(faces, texts, seed)


def _styles(data: DataConfig, charset: Charset, seed: int) -> list[WeightedSource]:
    """Rendered images of each style; texts that the user asks for replace the style's own."""
    styles = [load_style(source.name) for source in data.style]  # before fonts are looked for
    if not styles:
        return []
    texts = None
    if data.text_pattern is not None or data.texts:
        texts = requested_texts(charset, None, data.text_pattern, data.texts).sample
    faces = find_faces(list(data.fonts), "".join(charset.tokens))
    return [
        WeightedSource(StyledText(style, faces, seed, charset=charset, texts=texts), source.weight)
        for style, source in zip(styles, data.style, strict=True)
    ]


def _validation_crops(data: DataConfig, folder: Path, manifest: Manifest) -> list[Sample]:
    """The crops of `--eval`, checked to be readable before the run reaches its first evaluation."""
    skip = data.out_of_charset == "skip"
    dataset = EncodableSubset(open_dataset(folder), manifest.charset, skip=skip)
    samples = [dataset[i] for i in range(len(dataset))]
    for index, (image, text) in zip(dataset.indices, samples, strict=True):
        try:
            manifest.preprocess.geometry(*image.shape[:2])
        except ImageError as error:
            raise ImageError(f"--eval {folder}: number {index + 1}, {text!r}: {error}") from None
    return samples


def _mixture(config: TrainConfig, start: InitialModel) -> Mixture:
    data, charset = config.data, start.manifest.charset
    sources = []
    if data.synth:
        sources.append(WeightedSource(_synth(data, charset, config.seed), data.synth))
    sources += _styles(data, charset, config.seed)
    strength = data.augment
    augment = (RandomPadding(strength), Augment(strength)) if strength else ()
    fully_labelled = []
    for source in data.data:
        unlabelled = frozenset(charset.split(source.unlabelled))
        dataset = EncodableSubset(
            open_dataset(source.path),
            charset,
            skip=data.out_of_charset == "skip",
            unlabelled=unlabelled,
        )
        _report_skipped(source.path, dataset, start.manifest.preprocess, data.max_width)
        classes = tuple(k for k, token in enumerate(charset.tokens, 1) if token in unlabelled)
        sources.append(WeightedSource(dataset, source.weight, augment, classes))
        if not classes:
            fully_labelled.append(dataset)
    if data.splice:
        recognizer = Recognizer(TorchBackend(start.reader, start.manifest), "greedy")
        spliced = SplicedCrops(fully_labelled, recognizer, config.seed)
        sources.append(WeightedSource(spliced, data.splice, augment))
    return Mixture(sources, config.seed)


def _report_skipped(
    path: Path, dataset: EncodableSubset, preprocess: Preprocess, max_width: int
) -> None:
    """Report crops that are never trained on.

    Raises:
        ImageError: If these seem to be all.
    """
    if dataset.skipped:
        log.warning("%s: %d crops are skipped: out of charset or empty", path, dataset.skipped)
    checked = range(0, len(dataset), -(-len(dataset) // _CHECKED_CROPS))
    shapes = [dataset[i][0].shape[:2] for i in checked]
    wide = sum(preprocess.width(*shape) > max_width for shape in shapes)
    message = (
        f"{path}: {wide} of {len(shapes)} checked crops are wider than --max-width {max_width} px "
        f"at height {preprocess.height}"
    )
    if wide and wide == len(shapes):
        raise ImageError(f"{message}: increase --max-width")
    if wide:
        log.warning("%s and are skipped", message)
