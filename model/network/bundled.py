"""The checkpoints in `model/weights/`, by name; light, because command-line parsers import it."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "weights"
DEFAULT_CHECKPOINT = WEIGHTS / "crnn-lite.safetensors"
"""The checkpoint that commands use by default."""


def find_checkpoint(name: str | Path) -> Path:
    """The path of a checkpoint: a bundled name such as `crnn-lite`, or a path, returned unchanged.

    An existing file takes precedence over a bundled name.
    """
    path = Path(name)
    bundled = WEIGHTS / f"{path}.safetensors"
    return bundled if path.name == str(path) and not path.exists() and bundled.is_file() else path
