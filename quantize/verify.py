"""Verifying a new model file against its reference, and finalizing its manifest if it passes.

Conversion and quantization both end here, and write no file that fails.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from crnn_edge.backends import open_backend
from crnn_edge.files import model_size
from crnn_edge.selftest import LOGIT_MARGIN, run_selftest, selftest_classes
from quantize.calibration import LabelledCrops
from quantize.compare import ModelUnderTest, compare
from quantize.comparison import Comparison, VerificationError
from quantize.formats.base import ModelFormat

TOLERANCE = 1e-3
"""The largest logit difference that float rounding can explain."""

log = logging.getLogger("crnn_edge")


def verify_and_finalize(
    path: Path,
    reference: ModelUnderTest,
    crops: LabelledCrops,
    fmt: ModelFormat,
    *,
    max_drop: float,
    tolerance: float | None = None,
) -> Comparison:
    """Verify a new model file; if it passes, write what was measured into its manifest.

    Args:
        path: The file.
        reference: The model that is trusted.
        crops: Labelled crops that the file was not calibrated with.
        fmt: The file's format.
        max_drop: See `Comparison.check_drop`.
        tolerance: See `Comparison.check_drop`.

    Raises:
        VerificationError: If it does not pass, or `finalize` refuses it.
    """
    comparison = compare(reference, ModelUnderTest.open(path), crops)
    check_and_warn(comparison, max_drop, tolerance)
    return finalize(path, comparison, fmt)


def check_and_warn(comparison: Comparison, max_drop: float, tolerance: float | None) -> None:
    """`Comparison.check_drop`, with a warning where too few crops hide a loss.

    Raises:
        VerificationError: As `check_drop` does.
    """
    comparison.check_drop(max_drop, tolerance)
    for message in comparison.unproven_drops(max_drop):
        log.warning(message)


def finalize(path: Path, comparison: Comparison, fmt: ModelFormat) -> Comparison:
    """Write metrics and self-test into the manifest of a model file.

    Args:
        path: The file, a candidate that passed.
        comparison: What was measured of it.
        fmt: Its format.

    Returns:
        The comparison, with the file's final size and the result of its self-test.

    Raises:
        VerificationError: If the network is too uncertain for a self-test, or the self-test fails
            once the manifest is written.
    """
    backend = open_backend(path, threads=1)
    manifest, classes = backend.manifest, selftest_classes(backend)
    if all(k < 0 for k in classes):
        raise VerificationError(
            f"cannot create a self-test for {path.name}: no time step of the test image has a "
            f"logit margin ≥ {LOGIT_MARGIN:g}. Train longer"
        )
    metrics = {**manifest.metrics, manifest.precision: comparison.metrics()}
    fmt.replace_manifest(path, manifest.replace(metrics=metrics, selftest=classes))
    result = run_selftest(open_backend(path, threads=1))
    if not result.ok:
        raise VerificationError(
            f"{path.name} gives other results once its manifest is written: "
            f"{result.describe(manifest.charset)}"
        )
    candidate = dataclasses.replace(comparison.candidate, bytes=model_size(path), selftest=result)
    return dataclasses.replace(comparison, candidate=candidate)
