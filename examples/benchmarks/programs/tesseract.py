"""Tesseract 5 for single words (`--psm 8`), its LSTM alone, through tesserocr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tesserocr  # type: ignore[import-not-found]
from PIL import Image

from examples.benchmarks.programs.timing import timed


def start(folder: str) -> dict[str, Callable[..., Any]]:
    """Open the English model in a folder."""
    engine = tesserocr.PyTessBaseAPI(
        path=folder, lang="eng", psm=tesserocr.PSM.SINGLE_WORD, oem=tesserocr.OEM.LSTM_ONLY
    )

    def read(image: Any) -> str:
        engine.SetImage(image)
        text: str = engine.GetUTF8Text()
        return text.strip()

    def read_all(paths: Sequence[str]) -> dict[str, Any]:
        return timed(read, [Image.open(path).convert("RGB") for path in paths])

    about = {
        "engine": {"tesseract": tesserocr.tesseract_version().split()[1]},
        "size_bytes": (Path(folder) / "eng.traineddata").stat().st_size,
    }
    return {"about": lambda: about, "read": read_all}
