"""Room around crops: the crop stays whole, what is made up says nothing, `--pad` measures it."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import Recognizer
from model.data.augment.padding import RandomPadding, pad_image
from model.data.datasets import Mixture, WeightedSource
from model.evaluate import main

DRAWS = 600


@pytest.fixture
def crop() -> np.ndarray:
    """Gray at its ends, with strokes between."""
    picture = np.full((30, 90), 120, np.uint8)
    picture[5:25, 20:70:10] = 250
    picture[5:25, 21:70:10] = 10
    return picture


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_room_is_as_bright_as_the_ends(crop: np.ndarray, channels: tuple[int, ...]) -> None:
    image = np.broadcast_to(crop.reshape(30, 90, *(1 for _ in channels)), (30, 90, *channels))
    larger = pad_image(np.ascontiguousarray(image), 0.5, 0.2)
    assert larger.shape[:2] == (42, 120)
    assert (larger.reshape(42, 120, -1)[6:36, 15:105, 0] == crop).all()
    larger.reshape(42, 120, -1)[6:36, 15:105] = 120
    assert (larger == 120).all()


def test_no_room_changes_nothing(crop: np.ndarray) -> None:
    assert (pad_image(crop, 0.0) == crop).all()


def test_a_tall_picture_stays_as_it_is(crop: np.ndarray) -> None:
    upright = np.ascontiguousarray(crop.T)
    assert pad_image(upright, 0.5) is upright
    rng = np.random.default_rng(1)
    assert all(RandomPadding(2.0)(upright, rng) is upright for _ in range(DRAWS))


@pytest.mark.parametrize(("strength", "share"), [(0.0, 0.0), (1.0, 0.2), (2.0, 0.4)])
def test_as_many_crops_get_room_as_the_strength_says(
    crop: np.ndarray, strength: float, share: float
) -> None:
    margins, rng = RandomPadding(strength), np.random.default_rng(2)
    changed = sum(margins(crop, rng) is not crop for _ in range(DRAWS))
    assert abs(changed / DRAWS - share) < 0.05


def test_the_crop_stays_whole_and_what_is_around_it_says_nothing(crop: np.ndarray) -> None:
    margins, rng = RandomPadding(1.0), np.random.default_rng(3)
    margins.probability = 1.0
    beside, above, fills = [], [], set()
    for _ in range(DRAWS):
        larger = margins(crop, rng)
        found = [
            (top, left)
            for top in range(larger.shape[0] - 29)
            for left in range(larger.shape[1] - 89)
            if (larger[top + 5, left : left + 90] == crop[5]).all()
            and (larger[top : top + 30, left : left + 90] == crop).all()
        ]
        assert len(found) >= 1
        above.append(larger.shape[0] - 30)
        beside.append(larger.shape[1] - 90)
        outside = np.ones(larger.shape, bool)
        outside[found[0][0] : found[0][0] + 30, found[0][1] : found[0][1] + 90] = False
        levels = larger[outside]
        if levels.size:
            # A mirrored stroke would still be 240 levels from its neighbor.
            steps = np.abs(np.diff(larger.astype(int), axis=1))[outside[:, 1:] & outside[:, :-1]]
            assert steps.size == 0 or steps.max() < 120
            fills.add("even" if np.ptp(levels) == 0 else "other")
    assert 0 == min(beside) < 30 < max(beside) <= 2 * 1.2 * 30
    assert 0.6 < np.mean(np.array(above) == 0) < 0.8
    assert max(above) <= 2 * 0.25 * 30
    assert fills == {"even", "other"}


def test_the_same_number_gives_the_same_picture(crop: np.ndarray) -> None:
    mixture = Mixture([WeightedSource([(crop, "a")], augment=(RandomPadding(2.0),))], seed=5)
    sizes = [mixture[i][0].shape for i in range(50)]
    assert sizes == [mixture[i][0].shape for i in range(50)]
    assert len(set(sizes)) > 5


@pytest.mark.parametrize("room", [(0.0,), (0.3,), (0.5, 0.1)])
def test_a_network_is_measured_with_room(
    room: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, read = Recognizer.batch, []

    def watched(self: Recognizer, images: list[np.ndarray]) -> list:
        read.extend(images)
        return batch(self, images)

    monkeypatch.setattr(Recognizer, "batch", watched)
    model = "runtime/crnn_edge/models/crnn-lite.onnx"
    assert main([model, "examples/images", "--pad", *map(str, room)]) == 0
    crops = [image for image, _ in LabelledFolder("examples/images")]
    assert len(read) == len(crops) > 0
    for image, crop in zip(read, crops, strict=True):
        assert (image == pad_image(crop, *room)).all()


@pytest.mark.parametrize(
    ("room", "message"),
    [(["-1"], "from 0 to 10"), (["nan"], "from 0 to 10"), (["1", "2", "3"], "one or two numbers")],
)
def test_room_that_means_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], room: list[str], message: str
) -> None:
    try:
        code = main(["runtime/crnn_edge/models/crnn-lite.onnx", "examples/images", "--pad", *room])
    except SystemExit as stop:
        code = stop.code
    assert code == 2 if len(room) == 1 else code != 0
    assert message in capsys.readouterr().err
