"""Atomic writing of files: at any time there is the old file or the whole new one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crnn_edge.errors import CrnnError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; the file written there becomes `path`.

    It is moved when the block ends. If the block fails, it is deleted and `path` is unchanged.

    Raises:
        CrnnError: If the file cannot be written.
    """
    if not path.name or path.is_dir():
        raise CrnnError(f"cannot write {path}: it is a folder")
    mine = f"{os.getpid()}-{threading.get_ident()}"
    partial = path.with_name(f".{path.stem}.{mine}.partial{path.suffix}")
    try:
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise CrnnError(f"cannot write {path}: {error.strerror or error}") from None


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file; if that fails, the old file is unchanged.

    Raises:
        CrnnError: If the file cannot be written.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(data)


COMPANIONS = {".xml": (".bin",)}
"""Files that belong to a model file, by suffix."""


def model_files(path: Path) -> list[Path]:
    """All files of a model, in the order in which they are put in place: the model file last."""
    return [*(path.with_suffix(suffix) for suffix in COMPANIONS.get(path.suffix, ())), path]


def model_size(path: Path) -> int:
    """Bytes of a model, all its files together."""
    return sum(file.stat().st_size for file in model_files(path))
