"""The header of a safetensors file, without torch: command-line parsers read settings from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crnn_edge.errors import ModelFileError

LENGTH_BYTES = 8
"""Size of the header's length at the start of a file, little-endian."""

_ALIGNMENT = 8  # bytes to which the header is padded
_LARGEST = 100_000_000  # bytes of a header, as in the library


def read_metadata(path: Path) -> dict[str, str]:
    """The texts in the header of a safetensors file.

    Raises:
        ModelFileError: If the file is missing, truncated, or not a safetensors file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            data = file.read(min(length, _LARGEST))
        if len(data) < length:
            raise ValueError("it is truncated")
        return dict(json.loads(data).get("__metadata__", {}))
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged or not a safetensors file: {error}") from None


def with_sorted_metadata(data: bytes) -> bytes:
    """The same file with its metadata sorted by key: the library writes them in random order."""
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header: dict[str, Any] = json.loads(data[LENGTH_BYTES:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    packed = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    packed += b" " * (-len(packed) % _ALIGNMENT)
    return len(packed).to_bytes(LENGTH_BYTES, "little") + packed + data[end:]
