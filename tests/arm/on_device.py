"""Model files on a board: run there by `device.py`, never by `make test`.

`CRNN_MODELS` names the files, separated by colons; beside each stands `FILE.expected.npz`, which
has the texts and logits of the example images on the machine that exported it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from crnn_edge import selftest
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import DEFAULT_MODEL, Recognizer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [image for image, _ in LabelledFolder(ROOT / "examples" / "images")]
MODELS = [Path(path) for path in os.environ["CRNN_MODELS"].split(":")]

# float32 sums in another order; a level of INT8 may round to its neighbor.
ATOL = {"fp32": 1e-3, "int8": 0.5}


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: path.name)
def model(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return Recognizer.load(model, threads=1, tta_threshold=0)  # as `write_expected` does


@pytest.fixture(scope="module")
def chosen(recognizer: Recognizer) -> list[int]:
    """Numbers of the examples that are read.

    The emulator computes floats in software, some ten million a second: a large network gets one.
    """
    default = recognizer.manifest.name == DEFAULT_MODEL.stem
    return list(range(len(EXAMPLES))) if default else [0]


@pytest.fixture(scope="module")
def expected(model: Path) -> dict[str, np.ndarray]:
    with np.load(f"{model}.expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def logits(recognizer: Recognizer, chosen: list[int]) -> dict[int, np.ndarray]:
    """Of each chosen example, read alone."""
    preprocess = recognizer.manifest.preprocess
    return {k: recognizer.backend(preprocess(EXAMPLES[k])[None])[0] for k in chosen}


def text_of(recognizer: Recognizer, logits: np.ndarray) -> str:
    """The text of logits `(T, C)`."""
    return recognizer.manifest.charset.decode(recognizer.decode(logits[None])[0][0].classes)


def test_it_passes_its_self_test(recognizer: Recognizer) -> None:
    assert selftest.run_selftest(recognizer.backend).ok


def test_it_reads_the_examples_as_where_it_was_exported(
    recognizer: Recognizer, logits: dict[int, np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    for k, steps in logits.items():
        assert text_of(recognizer, steps) == expected["texts"][k]


def test_its_logits_are_those_of_where_it_was_exported(
    recognizer: Recognizer, logits: dict[int, np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    pairs = [(here, expected[str(k)]) for k, here in logits.items()]
    difference = max(float(np.abs(here - there).max()) for here, there in pairs)
    print(f"largest difference of a logit: {difference:.2g}")
    assert difference <= ATOL[recognizer.manifest.precision]


def test_a_batch_reads_as_its_members(
    recognizer: Recognizer, logits: dict[int, np.ndarray]
) -> None:
    if len(logits) == 1:
        pytest.skip("a large network reads one image here")
    few = list(logits)[:3]
    texts = [reading.text for reading in recognizer.batch([EXAMPLES[k] for k in few])]
    assert texts == [text_of(recognizer, logits[k]) for k in few]
