"""Everything a stranger needs to use the weights: one JSON text under one key in the model file.

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
from crnn_edge.preprocess import Preprocess

KEY = "crnn_manifest"
"""The metadata key, the same in every format."""

SCHEMA = 2
"""Fixes what the fields below mean *and* the preprocessing algorithm that they feed."""

PRECISIONS = ("fp32", "int8")


def check_probability(name: str, value: Any) -> None:
    """Refuse a setting that is no number from 0 to 1.

    Raises:
        ValueError: Telling its name.
    """
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1, got {value!r}")


@dataclass(frozen=True)
class Manifest:
    """Facts about a finished model file.

    Attributes:
        name: The model, such as `crnn-lite`.
        version: The model's own version.
        precision: `fp32` or `int8`.
        charset: What the classes stand for.
        preprocess: How an image becomes the input tensor.
        stride: Input pixels per time step.
        look_again: A reading less probable than this is worth a second look; 0 if none is. See
            `crnn_edge.recognizer.Recognizer`.
        decoder: The decoder that reads it best if nothing is known of the texts: the name of a
            file in `runtime/crnn_edge/decoders/`, whose settings are their defaults.
        provenance: Where the file comes from: checkpoint hash, exporter, calibration, data.
        metrics: Measured figures, each with its set and sample size.
        selftest: Class ids that a fixed picture must give, step by step: `crnn_edge.selftest`.
        schema: `SCHEMA` of the code that wrote it.
    """

    name: str
    charset: Charset
    preprocess: Preprocess = field(default_factory=Preprocess)
    stride: int = 4
    look_again: float = 0.0
    decoder: str = "greedy"
    version: str = "0"
    precision: str = "fp32"
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    selftest: tuple[int, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Validate."""
        kinds = {"name": str, "version": str, "decoder": str, "provenance": dict, "metrics": dict}
        for name, kind in kinds.items():
            if not isinstance(value := getattr(self, name), kind):
                raise ValueError(f"{name} must be {kind.__name__}, got {value!r}")
        if type(self.stride) is not int or not 1 <= self.stride <= 1024:
            raise ValueError(f"stride must be a whole number from 1 to 1024, got {self.stride!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} (known: {', '.join(PRECISIONS)})")
        check_probability("look_again", self.look_again)
        if not self.decoder.isidentifier():  # a file shall not name modules to be imported
            raise ValueError(f"decoder must be a name without dots, got {self.decoder!r}")
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
        """Read and validate a manifest.

        Args:
            text: The JSON, or None when the file carries none.
            source: The file it came from, for messages.

        Raises:
            ModelFileError: If it is absent, not JSON, of another schema, or has unknown, missing
                or impossible fields.
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
            raise ModelFileError(f"the manifest of {source} is no JSON object")
        if fields.get("schema") != SCHEMA:
            raise ModelFileError(
                f"{source} has manifest schema {fields.get('schema')!r}, this runtime reads "
                f"{SCHEMA}: use the runtime that came with the exporter, or export again"
            )
        known = {f.name for f in dataclasses.fields(cls)}
        required = {"name", "charset", "preprocess", "stride", "precision"}
        if set(fields) - known or required - set(fields):
            raise ModelFileError(
                f"the manifest of {source} has unknown fields {sorted(set(fields) - known)} "
                f"and lacks {sorted(required - set(fields))}"
            )
        try:
            for name, kind in (("charset", Charset), ("preprocess", Preprocess)):
                given, fields[name] = fields[name], kind(**fields[name])
                if lacking := {f.name for f in dataclasses.fields(kind)} - set(given):
                    raise ValueError(f"its {name} lacks {sorted(lacking)}")
            fields["selftest"] = tuple(fields.get("selftest", ()))
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the manifest of {source} is invalid: {error}") from None
