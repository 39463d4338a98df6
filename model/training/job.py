"""From a training command's settings to a network, its losses, its data and its device."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.errors import EngineError, ImageError
from crnn_edge.manifest import DecoderChoice, Manifest, TtaSettings
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognizer import Recognizer
from model.data.augment.corruptions import Augment
from model.data.augment.padding import Margins
from model.data.augment.splice import Pieces
from model.data.batching import Chunks
from model.data.datasets import EncodableSubset, Mixture, Part, Sample, open_dataset
from model.data.fonts import find_faces
from model.data.synth import Synth
from model.data.text.text_source import TextSource, read_words
from model.network.backend import TorchBackend
from model.network.crnn import CRNN
from model.training.arguments import split_weight
from model.training.distill import Teacher
from model.training.initialization import first_network
from model.training.losses import Losses

EVAL_SEED = 2**31  # beyond any `--seed`: pictures to measure on are never trained on
EVAL_COUNT = 500
_LOOKED_AT = 200  # crops of a dataset whose widths are looked at before training begins

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What a network computes in under autocast, by `--precision`; None for no autocast."""


@dataclass(frozen=True)
class Job:
    """What a run trains, on what, and what it measures on."""

    model: CRNN
    manifest: Manifest
    chunks: Chunks
    eval_set: Sequence[Sample]


def pick_precision(name: str, device: torch.device) -> str:
    """What `--precision` names: one of `DTYPES`.

    Raises:
        EngineError: If fp16 is asked for on a CPU, where nothing would scale the gradients.
    """
    if name == "fp16" and device.type != "cuda":
        raise EngineError("--precision fp16 needs a CUDA device: use bf16 or fp32")
    if name == "auto":
        native = (
            torch.cuda.is_bf16_supported()
            if device.type == "cuda"
            else torch.cpu._is_avx512_bf16_supported()
        )
        return "bf16" if native else "fp32"
    return name


def make_job(settings: argparse.Namespace) -> Job:
    """Network, manifest, batches and evaluation set of a run.

    Raises:
        CrnnError: If a file is missing or damaged, a label cannot be spelt, or nothing is left.
    """
    model, manifest, reader = first_network(settings)
    if settings.tta_threshold is not None:
        manifest = manifest.replace(tta=TtaSettings(settings.tta_threshold))
    if settings.decoder is not None:
        make_decoder(settings.decoder, manifest.charset)
        manifest = manifest.replace(decoder=DecoderChoice(settings.decoder))
    charset = manifest.charset
    chunks = Chunks(
        _mixture(settings, reader, manifest),
        manifest.preprocess,
        charset,
        settings.batch,
        stride=manifest.stride,
        max_width=settings.max_width,
    )
    if settings.eval:
        eval_set: Sequence[Sample] = _eval_set(settings, manifest)
    else:
        synth = _synth(settings, charset, EVAL_SEED)
        eval_set = [synth[i] for i in range(EVAL_COUNT)]
    return Job(model, manifest, chunks, eval_set)


def make_losses(
    settings: argparse.Namespace,
    job: Job,
    view: nn.Module,
    device: torch.device,
    dtype: torch.dtype | None,
) -> Losses:
    """What `view` of a job's network, on `device` already, is trained by.

    Raises:
        CrnnError: If `--teacher` is damaged, or does not see or say the same.
    """
    teacher = Teacher(settings.teacher, job.manifest, device, dtype) if settings.teacher else None
    return Losses(view, teacher, dtype)


def make_optimizer(
    settings: argparse.Namespace, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer that `--optimizer` names."""
    if settings.optimizer == "adadelta":
        return torch.optim.Adadelta(parameters, settings.lr, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(parameters, settings.lr, weight_decay=settings.weight_decay)


def _synth(settings: argparse.Namespace, charset: Charset, seed: int) -> Synth:
    words = read_words(settings.words) if settings.words else None
    faces = find_faces(settings.fonts, "".join(charset.tokens))
    return Synth(faces, TextSource(words, charset), seed)


def _eval_set(settings: argparse.Namespace, manifest: Manifest) -> list[Sample]:
    """The crops of `--eval`: all fit, or a run would end when it first measures."""
    skip = settings.unknown == "skip"
    dataset = EncodableSubset(open_dataset(settings.eval), manifest.charset, skip=skip)
    samples = [dataset[i] for i in range(len(dataset))]
    for index, (image, text) in zip(dataset.indices, samples, strict=True):
        try:
            manifest.preprocess.geometry(*image.shape[:2])
        except ImageError as error:
            raise ImageError(
                f"--eval {settings.eval}: number {index + 1}, {text!r}: {error}"
            ) from None
    return samples


def _tell_what_is_left_out(
    path: Path, dataset: EncodableSubset, preprocess: Preprocess, max_width: int
) -> None:
    """Remark on crops that are never trained on.

    Raises:
        ImageError: If these are all.
    """
    if dataset.skipped:
        tqdm.write(f"{path}: {dataset.skipped} crops cannot be spelt and are left out", sys.stderr)
    looked_at = range(0, len(dataset), -(-len(dataset) // _LOOKED_AT))
    shapes = [dataset[i][0].shape[:2] for i in looked_at]
    wide = sum(preprocess.width(*shape) > max_width for shape in shapes)
    if wide:
        told = (
            f"{path}: {wide} of {len(shapes)} crops looked at are wider than --max-width "
            f"{max_width} px at height {preprocess.height}"
        )
        if wide == len(shapes):
            raise ImageError(f"{told}: give a larger one")
        tqdm.write(f"{told} and are left out", sys.stderr)


def _mixture(settings: argparse.Namespace, reader: CRNN, manifest: Manifest) -> Mixture:
    charset, skip = manifest.charset, settings.unknown == "skip"
    parts = []
    if settings.synth:
        synth = _synth(settings, charset, settings.seed)
        parts.append(Part(synth, settings.synth))
    strength = settings.augment
    augment = (Margins(strength), Augment(strength)) if strength else ()
    datasets = []
    for item in settings.data:
        path, weight = split_weight(item)
        datasets.append(EncodableSubset(open_dataset(path), charset, skip=skip))
        _tell_what_is_left_out(path, datasets[-1], manifest.preprocess, settings.max_width)
        parts.append(Part(datasets[-1], weight, augment))
    if settings.pieces:
        recognizer = Recognizer(TorchBackend(reader, manifest), "greedy")
        pieces = Pieces(datasets, recognizer, settings.seed)
        parts.append(Part(pieces, settings.pieces, augment))
    return Mixture(parts, settings.seed)
