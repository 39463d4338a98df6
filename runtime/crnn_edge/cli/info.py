"""Print a model file's manifest: charset, preprocessing, origin, figures.

Examples:
  python -m crnn_edge info crnn-medium
  python -m crnn_edge info model.onnx --json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from crnn_edge.backends import open_backend
from crnn_edge.cli.arguments import add_backend, add_json, add_model_positional
from crnn_edge.escape import escape_json, escape_line
from crnn_edge.files import model_size
from crnn_edge.manifest import Manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `info`."""
    add_model_positional(parser)
    add_backend(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the manifest."""
    manifest = open_backend(options.model, options.backend, threads=1).manifest
    if options.json:
        print(escape_json(manifest.to_json()))
        return 0
    table = _rows(options.model, manifest)
    rows = {escape_line(name): escape_line(value) for name, value in table.items()}
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")
    return 0


def _rows(path: Path, manifest: Manifest) -> dict[str, str]:
    """Names and values, as a table for people."""
    charset, tta = manifest.charset, manifest.tta
    preprocess = dataclasses.asdict(manifest.preprocess)
    settings = "".join(f", {key}={value}" for key, value in manifest.decoder.settings.items())
    rows = {
        "file": f"{path} ({model_size(path):,} bytes)",
        "model": f"{manifest.name}, version {manifest.version}, {manifest.precision}",
        "charset": f"{len(charset.tokens)} tokens: {charset.join(charset.tokens)}",
        "preprocess": ", ".join(f"{key} {value}" for key, value in preprocess.items()),
        "stride": f"{manifest.stride} px of the tensor per time step",
        "decoder": manifest.decoder.name + settings,
        "tta threshold": f"p = {tta.threshold:g}" if tta.threshold else "0 (off)",
        "self-test": f"{sum(k >= 0 for k in manifest.selftest)} checked time steps",
    }
    if manifest.trained_on:
        rows["trained on"] = manifest.trained_on
    if manifest.images_seen is not None:
        rows["images seen"] = f"{manifest.images_seen:,}"
    for parent in manifest.parents:
        rows[f"parent: {parent.how}"] = parent.sha256
    for part in ("quantization", "provenance", "metrics"):
        for key, value in sorted((getattr(manifest, part) or {}).items()):
            rows[f"{part}: {key}"] = value if isinstance(value, str) else json.dumps(value)
    return rows
