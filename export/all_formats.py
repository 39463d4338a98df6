"""Exporting a checkpoint to every format, as a function.

A format is a module of this folder with a function `convert`. One that fails, or whose engine is
not installed, does not keep the others from being written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crnn_edge import plugins
from crnn_edge.errors import MissingEngineError
from export.config import BUILD_FOLDER, ExportConfig
from export.pipeline import Exporter, file_name, load_exporter
from export.reference import torch_reference
from export.verify_files import check_file
from model.network.bundled import find_checkpoint
from model.network.checkpoint import Checkpoint, load_checkpoint
from model.network.fusion import num_parameters
from quantize.calibration import LabelledCrops
from quantize.compare import ModelUnderTest, compare_all
from quantize.comparison import Comparison, VerificationError
from quantize.pipeline import (
    encodable_crops,
    load_crops,
    move_into_place,
    temporary_folder,
    write_int8,
)
from quantize.verify import finalize

log = logging.getLogger("crnn_edge")


@dataclass
class AllFormatsResult:
    """The files of all formats.

    Attributes:
        num_parameters: The network's number of parameters.
        files: The files that were written.
        comparisons: What was measured against the checkpoint, of files that were refused, too.
        absent: For formats whose engine is not installed, why.
        failed: For formats of which a file failed, why.
    """

    num_parameters: int
    files: list[Path] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add_failure(self, name: str, error: Exception) -> None:
        """Note why a format lacks a file; the first reason counts, others follow from it."""
        reasons = self.absent if isinstance(error, MissingEngineError) else self.failed
        message = str(error) or repr(error)
        reasons.setdefault(name, message)
        log.error("%s: %s", name, message)

    def check(self, *, allow_absent: bool) -> None:
        """Refuse a result that lacks a format.

        Args:
            allow_absent: Whether formats whose engine is not installed may lack.

        Raises:
            VerificationError: With the names of the formats.
        """
        reasons = [f"{len(self.failed)} failed ({', '.join(self.failed)})"] if self.failed else []
        if self.absent and not allow_absent:
            reasons.append(f"{len(self.absent)} lack their engine ({', '.join(self.absent)})")
        if reasons:
            raise VerificationError(f"not every format was written: {'; '.join(reasons)}")


def export_all(
    checkpoint: str | Path | Checkpoint = "crnn-lite",
    config: ExportConfig | None = None,
) -> AllFormatsResult:
    """Export a checkpoint to every format and verify each file against the checkpoint.

    Args:
        checkpoint: A checkpoint, its file, or the name of a shipped one.
        config: The settings, `out` being a folder; None for the defaults.

    Raises:
        CrnnError: If the checkpoint, the crops or `config.out` cannot be used. What fails of one
            format is in the result instead.
    """
    config = config or ExportConfig()
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(find_checkpoint(checkpoint))
    calibration, validation = load_crops(config)
    validation = encodable_crops(validation, checkpoint.manifest.charset, int8=config.int8)
    result = AllFormatsResult(num_parameters(checkpoint.model))
    out = config.out or BUILD_FOLDER
    written: list[tuple[Exporter, Path]] = []
    candidates: list[ModelUnderTest] = []
    with temporary_folder(out / checkpoint.path.stem) as folder:
        for name in plugins.available("export", "convert"):
            try:
                exporter = load_exporter(name)
                for path in _write(exporter, checkpoint, folder, calibration, validation, config):
                    candidate = ModelUnderTest.open(path)
                    candidate.probe(validation)
                    candidates.append(candidate)
                    written.append((exporter, path))
            except Exception as error:  # engines and converters raise errors of their own
                result.add_failure(name, error)
        log.info("comparing %d files on %s", len(written), validation)
        comparisons = compare_all(torch_reference(checkpoint), candidates, validation)
        for (exporter, path), comparison in zip(written, comparisons, strict=True):
            try:
                check_file(comparison, config.max_drop)
                if comparison.candidate.precision == "int8" and exporter.fmt.name in result.failed:
                    raise VerificationError(f"{path.name} was made from a file that was refused")
                comparison = finalize(path, comparison, exporter.fmt)
            except VerificationError as error:
                result.add_failure(exporter.fmt.name, error)
            else:
                move_into_place(path, out / path.name)
                result.files.append(out / path.name)
            result.comparisons.append(comparison)
    return result


def _write(
    exporter: Exporter,
    checkpoint: Checkpoint,
    folder: Path,
    calibration: LabelledCrops,
    validation: LabelledCrops,
    config: ExportConfig,
) -> Iterator[Path]:
    """Write the files of one format, unverified, FP32 first."""
    fp32, int8 = (
        folder / file_name(checkpoint.path, exporter.quantizer, int8=quantized)
        for quantized in (False, True)
    )
    log.info("exporting %s", fp32.name)
    exporter.convert(checkpoint, fp32)
    yield fp32
    if config.int8:
        write_int8(exporter.quantizer, fp32, int8, calibration, validation, config)
        yield int8
