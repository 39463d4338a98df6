"""The model files to measure, and their names in tables."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from crnn_edge.backends import FORMAT_BY_SUFFIX, find_model
from crnn_edge.errors import ModelFileError
from examples.benchmarks.child import ROOT


def models(given: Sequence[str] | None) -> list[tuple[Path, str]]:
    """Model files and the names of their backends, each pair once.

    Args:
        given: `FILE` or `FILE=BACKEND`, where FILE may be the name of a bundled model; None for
            all bundled models, all in build/, and the shipped checkpoints if torch is installed.

    Raises:
        ModelFileError: If there are none.
    """
    if given is None:
        found = [
            (path, FORMAT_BY_SUFFIX[path.suffix])
            for folder in ("runtime/crnn_edge/models", "build")
            for path in sorted((ROOT / folder).glob("*"))
            if path.suffix in FORMAT_BY_SUFFIX
        ]
        if importlib.util.find_spec("torch"):
            weights = sorted((ROOT / "model" / "weights").glob("*.safetensors"))
            found += [(path, "model.network.backend") for path in weights]
        if not found:
            raise ModelFileError(
                "no model files in runtime/crnn_edge/models and build: pass --models, or create a "
                "file with `python -m export.onnx --int8`"
            )
        return found
    pairs = []
    for text in given:
        path, backend = file_and_backend(text, "--models")
        backend = backend or FORMAT_BY_SUFFIX.get(path.suffix, "")
        if not backend:
            raise ModelFileError(
                f"--models {text}: unknown file suffix (known: {', '.join(FORMAT_BY_SUFFIX)}): add "
                f"a backend, for example {text.removesuffix('=')}=model.network.backend"
            )
        pairs.append((path.resolve(), backend))
    return list(dict.fromkeys(pairs))


def file_and_backend(text: str, option: str) -> tuple[Path, str]:
    """The file and the backend of `FILE` or `FILE=BACKEND`; without a backend, `""`.

    The whole text is tried as a path first, because a path may contain `=`, as in
    `runs/lr=0.1/m.onnx`.

    Args:
        text: As given on the command line.
        option: The option's name, for the error message.

    Raises:
        ModelFileError: If there is no such file.
    """
    name, equals, backend = text.rpartition("=")
    named = (text, ""), *([(name, backend)] if equals else [])
    for path, engine in ((find_model(file), engine) for file, engine in named):
        if path.is_file():
            return path, engine
    raise ModelFileError(f"{option} {text}: no such file")


def titles(paths: Iterable[Path]) -> dict[Path, str]:
    """The name of each file in tables.

    A file of the project is named by its path from the root, so that runs can be compared; any
    other file by its name and as many parent folders as distinguish it from the others.
    """
    unique = dict.fromkeys(paths)
    others = {path for path in unique if not path.is_relative_to(ROOT)}
    return {
        path: (
            _tail(path, others - {path}) if path in others else path.relative_to(ROOT)
        ).as_posix()
        for path in unique
    }


def _tail(path: Path, others: set[Path]) -> Path:
    """The shortest end of a path that no other path has."""
    for k in range(1, len(path.parts)):
        if not any(other.parts[-k:] == path.parts[-k:] for other in others):
            return Path(*path.parts[-k:])
    return path
