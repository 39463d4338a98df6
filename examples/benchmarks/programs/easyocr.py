"""EasyOCR's English recognizer as its `Reader` uses it on a processor, quantized."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch

from examples.benchmarks.programs.timing import timed


class _ToTensor:
    """`torchvision.transforms.ToTensor` for a gray image."""

    def __call__(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(image, dtype=np.float32)[None] / 255)


def _without_torchvision() -> None:
    """Stand in for torchvision, whose build must match torch's to the letter.

    The recognizer uses one function of it; the detector, which is not used, the rest.
    """
    vision, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
    vars(transforms)["ToTensor"] = _ToTensor
    vars(vision).update(transforms=transforms, models=None, __version__="0.13")
    sys.modules.update({"torchvision": vision, "torchvision.transforms": transforms})


def start() -> dict[str, Callable[..., Any]]:
    """Open the recognizer; the weights' checksum is compared by EasyOCR itself."""
    _without_torchvision()
    import easyocr  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = find_spec("easyocr_en_models")
    assert found
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "models"
    reader = easyocr.Reader(
        ["en"],
        gpu=False,
        detector=False,
        download_enabled=False,
        model_storage_directory=str(folder),
        verbose=False,
    )

    def read(image: Any) -> str:
        height, width = image.shape
        found = reader.recognize(
            image, horizontal_list=[[0, width, 0, height]], free_list=[], detail=0
        )
        return "".join(found)

    def read_all(paths: Sequence[str]) -> dict[str, Any]:
        return timed(read, [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in paths])

    about = {
        "engine": {"easyocr": easyocr.__version__, "torch": torch.__version__},
        "size_bytes": (folder / "english_g2.pth").stat().st_size,
    }
    return {"about": lambda: about, "read": read_all}
