"""Model files on a board: run there by `device.py`, never by `make test`.

`CRNN_MODELS` names the files, separated by colons; beside each stands `FILE.expected.npz`, which
has what the machine that exported it reads in the example pictures, and the logits.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from runtime import selftest
from runtime.images import LabelledFolder
from runtime.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = LabelledFolder(ROOT / "examples" / "images")
MODELS = [Path(path) for path in os.environ["CRNN_MODELS"].split(":")]

# float32 sums in another order; a level of INT8 may round to its neighbour.
ATOL = {"fp32": 1e-3, "int8": 0.5}


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: path.name)
def model(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return Recognizer.load(model, threads=1, look_again=0)  # as `write_expected` does


@pytest.fixture(scope="module")
def expected(model: Path) -> dict[str, np.ndarray]:
    with np.load(f"{model}.expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def logits(recognizer: Recognizer) -> list[np.ndarray]:
    """Of each example, read alone."""
    preprocess = recognizer.manifest.preprocess
    return [recognizer.backend(preprocess(image)[None])[0] for image, _ in EXAMPLES]


def test_it_passes_its_self_test(recognizer: Recognizer) -> None:
    assert selftest.check(recognizer.backend).ok


def test_it_reads_the_examples_as_where_it_was_exported(
    recognizer: Recognizer, logits: list[np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    texts = [recognizer.decode(steps[None])[0].text for steps in logits]
    assert texts == expected["texts"].tolist()


def test_its_logits_are_those_of_where_it_was_exported(
    recognizer: Recognizer, logits: list[np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    pairs = [(here, expected[str(k)]) for k, here in enumerate(logits)]
    difference = max(float(np.abs(here - there).max()) for here, there in pairs)
    print(f"largest difference of a logit: {difference:.2g}")
    assert difference <= ATOL[recognizer.manifest.precision]


def test_a_batch_reads_as_its_members(recognizer: Recognizer, logits: list[np.ndarray]) -> None:
    few = [image for image, _ in EXAMPLES][:3]
    texts = [reading.text for reading in recognizer.batch(few)]
    assert texts == [recognizer.decode(steps[None])[0].text for steps in logits[:3]]
