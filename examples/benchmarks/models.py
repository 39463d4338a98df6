"""Which model files are measured, and what tables call them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from crnn_edge.backends import SUFFIXES, find_model
from crnn_edge.errors import ModelFileError
from examples.benchmarks.child import ROOT


def models(given: Sequence[str] | None) -> list[tuple[Path, str]]:
    """Model files and the names of their backends, each pair once.

    Args:
        given: `FILE` or `FILE=BACKEND`, where a name means a file that comes along; None for all
            that ship, all in build/, and the shipped checkpoints where torch is installed.

    Raises:
        ModelFileError: If there are none.
    """
    if given is None:
        found = [
            (path, SUFFIXES[path.suffix])
            for folder in ("runtime/crnn_edge/models", "build")
            for path in sorted((ROOT / folder).glob("*"))
            if path.suffix in SUFFIXES
        ]
        if importlib.util.find_spec("torch"):
            weights = sorted((ROOT / "model" / "weights").glob("*.safetensors"))
            found += [(path, "model.network.backend") for path in weights]
        if not found:
            raise ModelFileError(
                "no model files in runtime/crnn_edge/models and build: name some with --models, or "
                "make one with `python -m export.onnx --int8`"
            )
        return found
    pairs = []
    for text in given:
        path, backend = file_and_backend(text, "--models")
        backend = backend or SUFFIXES.get(path.suffix, "")
        if not backend:
            raise ModelFileError(
                f"--models {text}: its suffix names no engine (known: {', '.join(SUFFIXES)}): "
                f"name one, for example {text.removesuffix('=')}=model.network.backend"
            )
        pairs.append((path.resolve(), backend))
    return list(dict.fromkeys(pairs))


def file_and_backend(text: str, option: str) -> tuple[Path, str]:
    """What `FILE` or `FILE=BACKEND` names; without a backend, `""`.

    The whole is tried first, and else cut at the last `=`, since a path may have some of its own,
    as in `runs/lr=0.1/m.onnx`.

    Args:
        text: As given.
        option: By which, to be named if it is refused.

    Raises:
        ModelFileError: If there is no such file.
    """
    name, equals, backend = text.rpartition("=")
    named = (text, ""), *([(name, backend)] if equals else [])
    for path, engine in ((find_model(file), engine) for file, engine in named):
        if path.is_file():
            return path, engine
    raise ModelFileError(f"{option} {text}: there is no such file")


def titles(paths: Iterable[Path]) -> dict[Path, str]:
    """What a table calls each file.

    A file of the project is called by its place in it, whichever others there are, so that runs
    can be compared; another one by its name and as many folders as tell it from its namesakes.
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
    """The end of a path, as long as it takes to tell it from the others."""
    for k in range(1, len(path.parts)):
        if not any(other.parts[-k:] == path.parts[-k:] for other in others):
            return Path(*path.parts[-k:])
    return path
