"""What tests of several benchmarks share: images of noise, a run, and the cells it prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples import benchmark

IMAGES = 20


def write_crops(folder: Path) -> Path:
    """Fill a folder with images of noise, and labels."""
    from PIL import Image

    rng = np.random.default_rng(1)
    for k in range(IMAGES):
        noise = rng.integers(0, 256, (32, 64 + 32 * (k % 2)), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{k}.png")
    lines = (f"{k}.png\tword{k}\n" for k in range(IMAGES))
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    code = benchmark.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table, head and rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
