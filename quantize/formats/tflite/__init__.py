"""Writing `.tflite` files: a graph, and behind it an archive with manifest and checksum."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from crnn_edge.backends.tflite import CHECKSUM, graph_checksum, read_parts
from crnn_edge.files import atomic_write
from crnn_edge.manifest import KEY, Manifest
from quantize.formats.base import ModelFormat


def write(flatbuffer: bytes, manifest: Manifest, path: Path) -> None:
    """Write a graph with its manifest and checksum.

    Args:
        flatbuffer: The graph.
        manifest: The manifest to store in the file.
        path: The file. It is replaced atomically.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for name, text in ((KEY, manifest.to_json()), (CHECKSUM, graph_checksum(flatbuffer))):
            entries.writestr(zipfile.ZipInfo(name), text)  # a ZipInfo without a date
    atomic_write(path, flatbuffer + archive.getvalue())


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Write a model file again with another manifest."""
    write(read_parts(path)[0], manifest, path)


FORMAT = ModelFormat("tflite", ".tflite", replace_manifest)
