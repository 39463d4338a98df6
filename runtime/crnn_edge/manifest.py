"""All that is needed to use the weights: one JSON text under one key in the model file.

ONNX keeps it in its metadata, OpenVINO in its runtime info, TFLite in a zip entry, NumPy in an
array. A lone model file copied to a device is therefore enough.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.migrate import migrate
from crnn_edge.preprocess import Preprocess

KEY = "crnn_manifest"
"""The metadata key, the same in every format."""

SCHEMA = 3
"""Fixes what the fields below mean *and* the preprocessing algorithm that they feed."""

PRECISIONS = ("fp32", "int8")
INTERFACES = ("network", "end-to-end")


def check_probability(name: str, value: Any) -> None:
    """Refuse a setting that is not a number from 0 to 1.

    Raises:
        ValueError: Naming it.
    """
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1, got {value!r}")


@dataclass(frozen=True)
class DecoderChoice:
    """The decoder that reads a file best if nothing is known of the texts.

    Attributes:
        name: A module of `crnn_edge.decoders`.
        settings: Its settings; settings that are not named have their defaults.
    """

    name: str = "greedy"
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate."""
        # A file must not name modules of its own to be imported, hence no dots.
        if not (isinstance(self.name, str) and self.name.isidentifier()):
            raise ValueError(f"decoder must be a name without dots, got {self.name!r}")
        if not isinstance(self.settings, dict):
            raise ValueError(f"decoder settings must be an object, got {self.settings!r}")


@dataclass(frozen=True)
class TtaSettings:
    """When test-time augmentation reads further views of an image.

    Attributes:
        threshold: A recognition less probable than this is read again; 0 for never.
        views: `(width_scale, skew)` of each view; None for `crnn_edge.tta.VIEWS`.
    """

    threshold: float = 0.0
    views: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        """Validate."""
        check_probability("tta threshold", self.threshold)
        if self.views is not None:
            numbers = [value for view in self.views for value in view]
            pairs = all(len(view) == 2 for view in self.views)
            if not pairs or any(type(value) not in (int, float) for value in numbers):
                raise ValueError(f"tta views must be pairs of numbers, got {self.views!r}")
            object.__setattr__(self, "views", tuple(map(tuple, self.views)))


@dataclass(frozen=True)
class Parent:
    """A file from which this one was derived.

    Attributes:
        sha256: Of that file, in hexadecimal.
        how: `finetuned`, `grown`, `pruned`, `averaged`.
    """

    sha256: str
    how: str


@dataclass(frozen=True)
class Manifest:
    """Facts about a finished model file.

    Attributes:
        name: The model, such as `crnn-lite`.
        charset: What the classes stand for.
        preprocess: How an image becomes the input tensor.
        stride: Input pixels per time step.
        version: The model's own version.
        precision: `fp32` or `int8`.
        interface: `network`, tensor to logits; or `end-to-end`, image to text in one graph.
        decoder: The recommended decoder.
        tta: The recommended test-time augmentation.
        unlabelled: Characters that the training images show and their labels leave out.
        ignore: Characters that decoders skip by default.
        confidence: The map from raw CTC probability to calibrated confidence; None for the
            identity.
        quantization: Of an INT8 file: `int8_layers`, `method`, `calibration`.
        checksum: SHA-256 of what the engine gets; None where the format keeps its own.
        parents: The files that it was derived from, one step back.
        images_seen: Training images of its last run.
        trained_on: The mixture of its last run, in words.
        provenance: Other facts: checkpoint hash, exporter, seed.
        metrics: Measured figures, each with its set and sample size.
        selftest: Class ids that a fixed picture must give, step by step: `crnn_edge.selftest`.
        schema: `SCHEMA` of the code that wrote it.
    """

    name: str
    charset: Charset
    preprocess: Preprocess = field(default_factory=Preprocess)
    stride: int = 4
    version: str = "0"
    precision: str = "fp32"
    interface: str = "network"
    decoder: DecoderChoice = field(default_factory=DecoderChoice)
    tta: TtaSettings = field(default_factory=TtaSettings)
    unlabelled: str = ""
    ignore: str = ""
    confidence: dict[str, Any] | None = None
    quantization: dict[str, Any] | None = None
    checksum: str | None = None
    parents: tuple[Parent, ...] = ()
    images_seen: int | None = None
    trained_on: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    selftest: tuple[int, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Validate."""
        for name, (kind, optional) in _KINDS.items():
            value = getattr(self, name)
            if not (isinstance(value, kind) or (optional and value is None)):
                raise ValueError(f"{name} must be {kind.__name__}, got {value!r}")
        if type(self.stride) is not int or not 1 <= self.stride <= 1024:
            raise ValueError(f"stride must be a whole number from 1 to 1024, got {self.stride!r}")
        for name, known in (("precision", PRECISIONS), ("interface", INTERFACES)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} {value!r} (known: {', '.join(known)})")
        if self.images_seen is not None and type(self.images_seen) is not int:
            raise ValueError(f"images_seen must be a whole number, got {self.images_seen!r}")
        if any(type(k) is not int or not -1 <= k < self.charset.num_classes for k in self.selftest):
            raise ValueError("selftest has impossible ids")

    def replace(self, **changes: Any) -> Manifest:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """The manifest as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None, source: str) -> Manifest:
        """Read and validate a manifest; one of schema 2 is migrated.

        Args:
            text: The JSON, or None when the file carries none.
            source: The file it came from, for messages.

        Raises:
            ModelFileError: If it is absent, not JSON, of an unknown schema, or has unknown,
                missing or impossible fields.
        """
        if text is None:
            raise ModelFileError(
                f"{source} carries no manifest (key {KEY!r}): it was not written by this toolkit's "
                "exporters. Export it with `python -m export.onnx`"
            )
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"the manifest of {source} is not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise ModelFileError(f"the manifest of {source} is not a JSON object")
        if fields.get("schema") not in (2, SCHEMA):
            raise ModelFileError(
                f"{source} has manifest schema {fields.get('schema')!r}, this version reads 2 and "
                f"{SCHEMA}: use the version that exported it, or export again"
            )
        try:
            fields = migrate(fields)
            known = {f.name for f in dataclasses.fields(cls)}
            required = {"name", "charset", "preprocess", "stride", "precision"}
            if set(fields) - known or required - set(fields):
                raise ValueError(
                    f"unknown fields {sorted(set(fields) - known)}, missing fields "
                    f"{sorted(required - set(fields))}"
                )
            for name, kind in _PARTS.items():
                if name in fields:
                    values, fields[name] = fields[name], kind(**fields[name])
                    if lacking := {f.name for f in dataclasses.fields(kind)} - set(values):
                        raise ValueError(f"its {name} lacks {sorted(lacking)}")
            fields["parents"] = tuple(Parent(**parent) for parent in fields.get("parents", ()))
            fields["selftest"] = tuple(fields.get("selftest", ()))
            return cls(**fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"the manifest of {source} is invalid: {error}") from None


_PARTS: dict[str, Any] = {
    "charset": Charset,
    "preprocess": Preprocess,
    "decoder": DecoderChoice,
    "tta": TtaSettings,
}
_KINDS: dict[str, tuple[type, bool]] = {
    "name": (str, False),
    "version": (str, False),
    "decoder": (DecoderChoice, False),
    "tta": (TtaSettings, False),
    "unlabelled": (str, False),
    "ignore": (str, False),
    "confidence": (dict, True),
    "quantization": (dict, True),
    "checksum": (str, True),
    "trained_on": (str, False),
    "provenance": (dict, False),
    "metrics": (dict, False),
}
"""The type of each field, and whether it may be None."""
