"""Keeping the lines that foreign libraries write to standard error out of a command's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C libraries write to standard error to nowhere; log nothing meanwhile.

    Inside OpenCV, libjpeg and libpng write there whatever its log level. The whole process is
    affected, so this is for commands alone, never for the library.
    """
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    try:
        with suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
