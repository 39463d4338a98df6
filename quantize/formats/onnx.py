"""Writing `.onnx` files: the manifest is an entry of the graph's metadata."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from crnn_edge import onnx_file
from crnn_edge.errors import MissingEngineError, ModelFileError
from crnn_edge.files import atomic_write
from crnn_edge.install_hint import install_hint
from crnn_edge.manifest import KEY, Manifest
from quantize.formats.base import ModelFormat


def load_onnx() -> ModuleType:
    """The module `onnx`.

    Raises:
        MissingEngineError: If it is not installed; the message names the extra.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingEngineError(
            f"writing ONNX files needs the package onnx ({error}): {install_hint('quantize')}"
        ) from None
    module: ModuleType = onnx
    return module


def write(model: Any, manifest: Manifest, path: Path) -> None:
    """Write an ONNX graph with its manifest and checksum, without what inference does not need.

    Args:
        model: An `onnx.ModelProto`; its metadata is replaced.
        manifest: The manifest to store in the file.
        path: The file. It is replaced atomically.

    Raises:
        ModelFileError: If the graph has contents that runtimes refuse.
    """
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
    data = _with_manifest(model, manifest.replace(checksum=None))
    try:
        checksum = onnx_file.parse(data).checksum()
    except ValueError as error:
        raise ModelFileError(f"cannot write {path}, runtimes refuse such files: {error}") from None
    atomic_write(path, _with_manifest(model, manifest.replace(checksum=checksum)))


def _with_manifest(model: Any, manifest: Manifest) -> bytes:
    load_onnx().helper.set_model_props(model, {KEY: manifest.to_json()})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Write a model file again with another manifest."""
    write(load_onnx().load(path), manifest, path)


FORMAT = ModelFormat("onnx", ".onnx", replace_manifest)
