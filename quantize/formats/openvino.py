"""Writing OpenVINO IR: an `.xml` with the graph, the manifest and a checksum, and its `.bin`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from crnn_edge.backends.openvino import checksum_line, read_model
from crnn_edge.errors import MissingEngineError
from crnn_edge.files import atomic_path
from crnn_edge.install_hint import install_hint
from crnn_edge.manifest import KEY, Manifest
from quantize.formats.base import ModelFormat


def load_openvino() -> Any:
    """The module `openvino`.

    Raises:
        MissingEngineError: If it is not installed; the message names the extra.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingEngineError(
            f"writing OpenVINO files needs the package openvino ({error}): "
            f"{install_hint('openvino')}"
        ) from None
    return openvino


def write(model: Any, manifest: Manifest, path: Path) -> None:
    """Write an IR with its manifest and checksum.

    Args:
        model: An `openvino.Model`.
        manifest: The manifest to store in the file.
        path: The `.xml`. It is replaced last: until then the checksum in the old one refuses the
            new `.bin`, so two files that do not belong together are never taken for one model.
    """
    openvino = load_openvino()
    for index, node in enumerate(model.get_ordered_ops()):
        # OpenVINO numbers nodes without a name of their own differently in every process.
        node.set_friendly_name(f"{node.get_type_name()}_{index}")
    model.set_rt_info(manifest.to_json(), [KEY])
    with atomic_path(path) as partial, atomic_path(path.with_suffix(".bin")) as weights:
        openvino.save_model(model, partial, compress_to_fp16=False)  # and `weights` beside it
        xml = re.sub(rb"\s*\n\s*", b"\n", partial.read_bytes())  # indented, it is a third larger
        partial.write_bytes(xml + checksum_line(xml, weights.read_bytes()))


def replace_manifest(path: Path, manifest: Manifest) -> None:
    """Write a model file again with another manifest."""
    write(read_model(path).clone(), manifest, path)


FORMAT = ModelFormat("openvino", ".xml", replace_manifest)
