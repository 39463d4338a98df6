"""Quantizing a model file and verifying the result, as functions."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crnn_edge import plugins
from crnn_edge.backends import CHECKPOINT, FORMAT_BY_SUFFIX, find_model, open_backend
from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError, ModelFileError
from crnn_edge.files import model_files
from quantize import mixed_precision
from quantize.calibration import MIN_CROPS, CalibrationError, LabelledCrops
from quantize.compare import ModelUnderTest
from quantize.comparison import Comparison
from quantize.config import QuantizationConfig
from quantize.full_integer import configured
from quantize.quantizer import Quantizer
from quantize.verify import verify_and_finalize

_FEW_CROPS = 100  # with fewer, one crop is more than a point of accuracy

log = logging.getLogger("crnn_edge")


@dataclass(frozen=True)
class QuantizationResult:
    """A quantized and verified model file.

    Attributes:
        path: The file.
        comparison: What was measured of it against the FP32 file.
        float_layers: The layers that stay float because of `mixed_precision`.
    """

    path: Path
    comparison: Comparison
    float_layers: tuple[str, ...] = ()


def load_quantizer(name: str) -> Quantizer:
    """The quantizer of a format, `quantize.X.QUANTIZER` for format X.

    Raises:
        UnknownNameError: If there is no such format.
    """
    quantizer: Quantizer = plugins.load("quantize", name, "QUANTIZER")
    return quantizer


def quantizer_of(path: Path) -> Quantizer:
    """The quantizer for a model file, by its suffix.

    Raises:
        ModelFileError: If no format has that suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMAT_BY_SUFFIX:
        hint = ". Export it first: python -m export.onnx" if suffix == CHECKPOINT else ""
        raise ModelFileError(
            f"{path} is not a model file: expected the suffix {', '.join(FORMAT_BY_SUFFIX)}{hint}"
        )
    return load_quantizer(FORMAT_BY_SUFFIX[suffix])


def quantize_file(
    model: str | os.PathLike[str],
    config: QuantizationConfig | None = None,
    out: str | os.PathLike[str] | None = None,
    quantizer: Quantizer | None = None,
) -> QuantizationResult:
    """Quantize an FP32 model file to INT8 and verify the result against it.

    Args:
        model: The file, or the name of a bundled model.
        config: The settings; None for the defaults.
        out: The file to write; None for `MODEL-int8` with the same suffix, beside the model.
        quantizer: None for that of the file's format.

    Raises:
        VerificationError: If too much accuracy is lost. No file is written then.
        CrnnError: If the model, the crops or `out` cannot be used.
    """
    config = config or QuantizationConfig()
    source = find_model(model)
    quantizer = configured(quantizer or quantizer_of(source), config)
    target = Path(out) if out is not None else int8_path(source, quantizer)
    if target.resolve() == source.resolve():
        raise CrnnError(f"the output {target} is the FP32 model itself, which would be lost")
    calibration, validation = load_crops(config)
    charset = open_backend(source, threads=1).manifest.charset
    validation = encodable_crops(validation, charset, int8=True)
    with temporary_folder(target) as folder:
        result = quantize_and_verify(
            quantizer, source, folder / target.name, calibration, validation, config
        )
        move_into_place(result.path, target)
    return QuantizationResult(target, result.comparison, result.float_layers)


def int8_path(source: Path, quantizer: Quantizer) -> Path:
    """The default path of the INT8 file of a model."""
    return source.with_name(f"{source.stem}{quantizer.name_ending}{quantizer.fmt.suffix}")


def quantize_and_verify(
    quantizer: Quantizer,
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    validation: LabelledCrops,
    config: QuantizationConfig,
) -> QuantizationResult:
    """Quantize a file and verify the result against it.

    Raises:
        VerificationError: If too much is lost; `target` is then not to be used.
    """
    reference = ModelUnderTest.open(source)
    float_layers = write_int8(quantizer, source, target, calibration, validation, config)
    log.info("comparing on %s", validation)
    comparison = verify_and_finalize(
        target, reference, validation, quantizer.fmt, max_drop=config.max_drop
    )
    return QuantizationResult(target, comparison, float_layers)


def write_int8(
    quantizer: Quantizer,
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    validation: LabelledCrops,
    config: QuantizationConfig,
) -> tuple[str, ...]:
    """Quantize a file without verifying the result.

    Returns:
        The layers that stay float because of `mixed_precision`.

    Raises:
        VerificationError: If mixed precision finds no file that is accurate enough.
    """
    log.info("quantizing with %s", calibration)
    if not config.mixed_precision:
        quantizer.quantize(source, target, calibration, config.exclude_layers)
        return ()
    float_layers = mixed_precision.quantize(
        quantizer, source, target, calibration, validation, config.max_drop, config.exclude_layers
    )
    if float_layers:
        log.info("layers that stay in float: %s", ", ".join(float_layers))
    return tuple(float_layers)


def load_crops(config: QuantizationConfig) -> tuple[LabelledCrops, LabelledCrops]:
    """The calibration crops and the validation crops.

    Raises:
        CalibrationError: If there are too few of either.
    """
    calibration, held_out = LabelledCrops.load(config.calibration).split()
    if config.validation is None:
        return calibration, held_out
    if config.validation.resolve() == config.calibration.resolve():
        log.warning(
            "half of the validation crops in %s are the calibration crops: leave the validation "
            "folder out to use the other half",
            config.validation,
        )
    return calibration, LabelledCrops.load(config.validation)


def encodable_crops(validation: LabelledCrops, charset: Charset, *, int8: bool) -> LabelledCrops:
    """The validation crops whose labels a network can read right.

    FP32 files are verified by their logits, for which any image will do: where too few crops are
    left, all are used, with a warning that accuracy says nothing.

    Args:
        validation: Labelled crops.
        charset: The network's.
        int8: Whether an INT8 file is verified, by its accuracy.

    Raises:
        CalibrationError: If fewer than `MIN_CROPS` are left to verify an INT8 file.
    """
    encodable = validation.encodable(charset)
    if len(encodable) >= MIN_CROPS:
        if int8 and len(encodable) < _FEW_CROPS:
            log.warning("only %s verify the result: one is over a point of accuracy", encodable)
        return encodable
    finding = f"{len(encodable)} of {validation} have labels within the network's charset"
    if int8:
        raise CalibrationError(
            f"cannot verify an INT8 file: {finding}, expected at least {MIN_CROPS}. Name labelled "
            "crops of your own with --calibration or --validation"
        )
    log.warning("%s: accuracy says nothing here, only logits are compared", finding)
    return validation


@contextmanager
def temporary_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` for unfinished files, deleted afterwards.

    Raises:
        CrnnError: If it cannot be created.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-")
    except OSError as error:
        raise CrnnError(f"cannot write {out}: {error.strerror}") from None
    with folder as name:
        yield Path(name)


def move_into_place(finished: Path, out: Path) -> None:
    """Move all files of a model to their final names, the model file last."""
    for source, target in zip(model_files(finished), model_files(out), strict=True):
        source.replace(target)
