"""Exporting a checkpoint to one format and verifying the result, as functions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crnn_edge import plugins
from export.config import BUILD_FOLDER, ExportConfig
from export.reference import torch_reference
from model.network.bundled import find_checkpoint
from model.network.checkpoint import Checkpoint, load_checkpoint
from quantize.comparison import Comparison
from quantize.formats.base import ModelFormat
from quantize.full_integer import check_width, configured
from quantize.pipeline import (
    encodable_crops,
    load_crops,
    load_quantizer,
    move_into_place,
    quantize_and_verify,
    temporary_folder,
)
from quantize.quantizer import Quantizer
from quantize.verify import TOLERANCE, verify_and_finalize

Convert = Callable[[Checkpoint, Path], None]
"""Writes a checkpoint as an FP32 file of one format, unverified."""

log = logging.getLogger("crnn_edge")


@dataclass(frozen=True)
class ExportResult:
    """An exported and verified model file.

    Attributes:
        path: The file.
        comparisons: The FP32 file against the checkpoint and, with `int8`, the INT8 file against
            the FP32 file.
        float_layers: The layers of an INT8 file that stay float because of `mixed_precision`.
    """

    path: Path
    comparisons: tuple[Comparison, ...]
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exporter:
    """What one format needs to be exported.

    Attributes:
        fmt: The format.
        convert: Writes a checkpoint as an FP32 file of the format, unverified.
        quantizer: Makes an INT8 file of that.
    """

    fmt: ModelFormat
    convert: Convert
    quantizer: Quantizer


def load_exporter(name: str) -> Exporter:
    """The exporter of format X: `export.X.convert`, `quantize.formats.X` and `quantize.X`.

    Raises:
        UnknownNameError: If there is no such format.
    """
    convert: Convert = plugins.load("export", name, "convert")
    quantizer = load_quantizer(name)
    return Exporter(quantizer.fmt, convert, quantizer)


def export(
    checkpoint: str | Path | Checkpoint = "crnn-lite",
    fmt: str | Exporter = "onnx",
    config: ExportConfig | None = None,
) -> ExportResult:
    """Export a checkpoint to one format and verify the file.

    Args:
        checkpoint: A checkpoint, its file, or the name of a shipped one.
        fmt: The name of a format, or its exporter.
        config: The settings; None for the defaults.

    Raises:
        VerificationError: If the file is not as good as the checkpoint. No file is written then.
        CrnnError: If the checkpoint, the crops or `config.out` cannot be used.
    """
    config = config or ExportConfig()
    exporter = load_exporter(fmt) if isinstance(fmt, str) else fmt
    quantizer = configured(exporter.quantizer, config)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(find_checkpoint(checkpoint))
    check_width(config.width_px, checkpoint.manifest.preprocess)
    suffix = exporter.fmt.suffix
    out = config.out or BUILD_FOLDER / file_name(checkpoint.path, quantizer, int8=config.int8)
    calibration, validation = load_crops(config)
    validation = encodable_crops(validation, checkpoint.manifest.charset, int8=config.int8)
    with temporary_folder(out) as folder:
        finished = fp32 = folder / f"fp32{suffix}"
        log.info("exporting %s", checkpoint.path)
        exporter.convert(checkpoint, fp32)
        log.info("comparing on %s", validation)
        comparisons = [
            verify_and_finalize(
                fp32,
                torch_reference(checkpoint),
                validation,
                exporter.fmt,
                max_drop=config.max_drop,
                tolerance=TOLERANCE,
            )
        ]
        float_layers: tuple[str, ...] = ()
        if config.int8:
            finished = folder / f"int8{suffix}"
            result = quantize_and_verify(quantizer, fp32, finished, calibration, validation, config)
            comparisons.append(result.comparison)
            float_layers = result.float_layers
        move_into_place(finished, out)
    return ExportResult(out, tuple(comparisons), float_layers)


def file_name(checkpoint: Path, quantizer: Quantizer, *, int8: bool) -> str:
    """The default name of a checkpoint's model file."""
    ending = quantizer.name_ending if int8 else ""
    return f"{checkpoint.stem}{ending}{quantizer.fmt.suffix}"
