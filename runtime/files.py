"""Files that are whole at any time: the old one or the new one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import CrnnError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A passing name beside `path`, with its suffix: what is written there becomes `path`.

    That happens when the block is over. If it fails, `path` is as it was and nothing is left.

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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave the old one as it was.

    Raises:
        CrnnError: If it cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)
