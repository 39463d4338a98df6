"""Reading whole files that somebody else may have put there: regular files, of a bounded size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from crnn_edge.errors import CrnnError


def read_regular(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """The contents of a regular file.

    A FIFO would be waited for, and `/dev/zero` read until the memory is full.

    Raises:
        CrnnError: If the path is a FIFO, a device or a socket, or has more than `max_bytes`.
        OSError: If it cannot be read, such as a folder.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder's error comes from opening
        raise CrnnError(
            f"it is {_kind(mode)}, expected a regular file (images can also come from standard "
            "input, as `-`)"
        )
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise CrnnError(f"the file has more than {max_bytes:,} bytes, the most that are read")
    return data


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
