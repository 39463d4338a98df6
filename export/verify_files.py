"""Verifying finished model files against their checkpoint, as functions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crnn_edge.files import model_files
from export.reference import torch_reference
from model.network.bundled import find_checkpoint
from model.network.checkpoint import Checkpoint, load_checkpoint
from model.network.fusion import num_parameters
from quantize.compare import ModelUnderTest, compare_all
from quantize.comparison import Comparison, VerificationError
from quantize.config import QuantizationConfig
from quantize.pipeline import encodable_crops, load_crops
from quantize.verify import TOLERANCE, check_and_warn

log = logging.getLogger("crnn_edge")


@dataclass(frozen=True)
class VerificationResult:
    """Finished model files compared with their checkpoint.

    Attributes:
        num_parameters: The network's number of parameters.
        comparisons: What was measured of each file.
        faults: For each file that fails, a sentence that says why.
    """

    num_parameters: int
    comparisons: tuple[Comparison, ...]
    faults: tuple[str, ...]


def verify_files(
    files: Sequence[Path],
    checkpoint: str | Path | Checkpoint = "crnn-lite",
    config: QuantizationConfig | None = None,
) -> VerificationResult:
    """Compare model files of any format with the checkpoint that they were exported from.

    Args:
        files: Model files. The `.bin` of an `.xml` among them is left out.
        checkpoint: The checkpoint, its file, or the name of a shipped one.
        config: The validation crops and the allowed drop.

    Raises:
        VerificationError: If a file cannot be compared with the checkpoint.
        CrnnError: If a file, the checkpoint or the crops cannot be used.
    """
    config = config or QuantizationConfig()
    candidates = [ModelUnderTest.open(file) for file in without_companions(files)]
    _, validation = load_crops(config)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(find_checkpoint(checkpoint))
    int8 = any(candidate.backend.manifest.precision == "int8" for candidate in candidates)
    validation = encodable_crops(validation, checkpoint.manifest.charset, int8=int8)
    log.info("comparing on %s", validation)
    comparisons = compare_all(torch_reference(checkpoint), candidates, validation)
    faults = []
    for comparison in comparisons:
        try:
            check_file(comparison, config.max_drop)
        except VerificationError as error:
            faults.append(str(error))
    return VerificationResult(num_parameters(checkpoint.model), tuple(comparisons), tuple(faults))


def check_file(comparison: Comparison, max_drop: float) -> None:
    """Refuse a file that is not as good as its checkpoint; the logits of an FP32 file must agree.

    Raises:
        VerificationError: If it is not as good, or its self-test fails.
    """
    candidate = comparison.candidate
    check_and_warn(comparison, max_drop, TOLERANCE if candidate.precision == "fp32" else None)
    if candidate.selftest and not candidate.selftest.ok:
        raise VerificationError(
            f"{candidate.name} fails its self-test here: `python -m crnn_edge check` shows where"
        )


def without_companions(files: Sequence[Path]) -> list[Path]:
    """The files without those that belong to another of them; a shell's `*` names both."""
    companions = {part for file in files for part in model_files(file)[:-1]}
    return [file for file in files if file not in companions]
