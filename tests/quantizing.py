"""What tests of quantization share: crops with other labels, a network that has been spoilt."""

from __future__ import annotations

from pathlib import Path

import onnx

from crnn_edge.backends import open_backend
from quantize.formats.onnx import write


def relabelled(crops_folder: Path, folder: Path, encodable: int) -> Path:
    """A copy of the crops; labels but the last `encodable` are outside the network's charset."""
    folder.mkdir()
    lines = (crops_folder / "labels.tsv").read_text().splitlines()
    for index, line in enumerate(lines):
        name, _, text = line.partition("\t")
        (folder / name).write_bytes((crops_folder / name).read_bytes())
        lines[index] = f"{name}\t{text if index >= len(lines) - encodable else 'Ω'}\n"
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


def broken(model: Path, target: Path) -> Path:
    """The same network, except that it prefers one class everywhere."""
    graph = onnx.load(model)
    for tensor in graph.graph.initializer:
        if tensor.name == "head":
            values = onnx.numpy_helper.to_array(tensor)[:, ::-1].copy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, "head"))
    write(graph, open_backend(model).manifest, target)
    return target
