"""Regenerate the golden pairs of preprocessing: `python tests/make_golden.py`.

Only for a new manifest schema: a change of these arrays means that every model file in the world
would be fed other pixels than it was trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crnn_edge.preprocess import Preprocess, View
from crnn_edge.selftest import selftest_image

FOLDER = Path(__file__).parent / "golden"
PREPROCESS = Preprocess(height=32, width_multiple=32, min_width=64, min_std=4.0)
SLOPING = "word", View(width_scale=0.75, skew=-0.2)
"""A picture, and how it is looked at another time."""


def pictures() -> dict[str, np.ndarray]:
    """Small pictures, from integers alone, each for one way to go wrong."""
    y, x = np.mgrid[0:70, 0:70]
    noise = ((y * 7919 + x * 104729 + y * x * 31) % 256).astype(np.uint8)
    return {
        "dot": noise[3:4, 3:4],  # one pixel
        "enlarged": noise[:8, :20],
        "same": noise[:32, :31],
        "checker": (((x + y) % 2) * 255).astype(np.uint8)[:66, :66],  # aliases without a filter
        "colors": np.stack([noise, noise.T, 255 - noise], axis=2)[:40, :33],
        "tall": noise[:70, :3],
        "faint": (noise[:20, :24] // 128 + 100).astype(np.uint8),  # below min_std
        "word": selftest_image(),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, image in pictures().items():
        Image.fromarray(image).save(FOLDER / f"{name}.png", optimize=True)
        np.save(FOLDER / f"{name}.npy", PREPROCESS(image))
    name, view = SLOPING
    image = pictures()[name]
    np.save(
        FOLDER / f"{name}-sloping.npy",
        PREPROCESS(image, PREPROCESS.geometry(*image.shape[:2], view)),
    )


if __name__ == "__main__":
    main()
