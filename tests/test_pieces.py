from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tiny import tiny_manifest
from training import parse_config

from crnn_edge.charset import Charset
from crnn_edge.recognizer import Recognizer
from model.data.augment.splice import CuttableCrop, Segment, SplicedCrops, _cut, _gaps
from model.data.datasets import DatasetError, Mixture, Sample, WeightedSource

STRIDE, BAR, GAP = 4, 14, 10


class Counter:
    """A backend that tells an `a` where a bar begins, as trained networks like to."""

    def __init__(self, tokens: str = "abcdefghij") -> None:
        self.manifest = tiny_manifest().replace(charset=Charset(tuple(tokens)))

    def __call__(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        lit = tensor.mean(axis=(1, 2)) > 0.5
        begins = lit & ~np.pad(lit, ((0, 0), (1, 0)))[:, :-1]
        told = begins.reshape(len(tensor), -1, STRIDE).any(axis=2)
        logits = np.full((*told.shape, self.manifest.charset.num_classes), -9.0, np.float32)
        logits[..., 0], logits[..., 1] = ~told * 9.0, told * 9.0
        return logits


def bars(count: int, height: int = 32) -> npt.NDArray[np.uint8]:
    """As many bright bars on a dark ground, `(H, W, 3) uint8`."""
    row = [40] * (GAP // 2) + ([220] * BAR + [40] * GAP) * count
    line = np.array(row[: -(GAP // 2)], np.uint8)
    image = np.broadcast_to(line[None, :, None], (height, len(line), 3)).copy()
    image[: height // 8] = image[-height // 8 :] = 40
    return image


def count_bars(image: npt.NDArray[np.uint8]) -> int:
    lit = np.pad(image.mean(axis=0) > 130, 1)
    return int((lit[1:] & ~lit[:-1]).sum())


def test_a_piece_shows_just_the_characters_of_its_text() -> None:
    samples: list[Sample] = [(bars(n), "a" * n) for n in range(2, 9)]
    pieces = SplicedCrops([samples[:3], samples[3:]], Recognizer(Counter()), seed=1)
    assert len(pieces.crops) == len(samples)
    seen = [pieces[i] for i in range(400)]
    assert {len(text) for _, text in seen} >= set(range(1, 10))  # the longest crop has 8
    for image, text in seen:
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert count_bars(image) == len(text)


def test_the_room_behind_a_word_is_not_taken_for_a_gap() -> None:
    image = bars(4, 64)[..., 0]
    image[20:44][image[20:44] == 40] = 60  # gaps are not as clean as what is behind the word
    roomy = np.pad(image, ((0, 0), (0, 40)), constant_values=40)
    middles = (np.arange(4) + 0.5) * (BAR + GAP)
    for late in (-4, 0, 7, 14):  # what the network says is never quite right
        gaps = list(_gaps(roomy, middles + late))
        assert [before for before, _ in gaps] == [1, 2, 3]
        assert [count_bars(roomy[:, :column]) for _, column in gaps] == [1, 2, 3]


def test_pieces_are_parts_and_cut_where_they_are_wanted_so() -> None:
    samples: list[Sample] = [(bars(n), "a" * n) for n in range(1, 6)]
    pieces, rng = SplicedCrops([samples], Recognizer(Counter()), seed=1), np.random.default_rng(1)
    assert len(pieces.crops) == 4  # a single character cannot be cut
    for _ in range(100):
        piece = pieces._segment(rng)
        assert piece.cut_left or piece.cut_right
        for side in (True, False):
            assert pieces._segment(rng, right=side).cut_right is side
            assert pieces._segment(rng, left=side).cut_left is side


def test_most_joined_pieces_are_one_word() -> None:
    samples: list[Sample] = [(bars(n), "a" * n) for n in range(3, 6)]
    pieces = SplicedCrops([samples], Recognizer(Counter("abcdefghi ")), seed=2)
    joined: list[str] = []
    join = pieces._joined

    def watched(*arguments) -> Segment:
        piece = join(*arguments)
        joined.append("".join(piece.tokens))
        return piece

    pieces._joined = watched
    spaced = sum(" " in pieces[i][1] for i in range(1000))
    assert len(joined) == pytest.approx(400, abs=60)
    assert spaced == pytest.approx(120, abs=40)


def test_every_crop_is_cut_as_often_as_any_other_in_a_mixture() -> None:
    samples: list[Sample] = [(bars(n), "a" * n) for n in (2, 4, 6, 8)]
    pieces = SplicedCrops([samples], Recognizer(Counter()), seed=5)
    drawn: list[int] = []
    pieces.crops = Counted(pieces.crops, drawn)
    mixture = Mixture([WeightedSource(samples, 0.85), WeightedSource(pieces, 0.15)], seed=5)
    for index in range(4000):
        before = len(drawn)
        _ = mixture[index]
        del drawn[before + 1 :]  # the second of two pieces was always by chance
    assert np.bincount(drawn, minlength=4) == pytest.approx(len(drawn) / 4, rel=0.25)


class Counted(tuple[CuttableCrop, ...]):
    """Words that note which of them was asked for."""

    def __new__(cls, words: tuple[CuttableCrop, ...], drawn: list[int]) -> Counted:
        made = super().__new__(cls, words)
        made.drawn = drawn
        return made

    def __getitem__(self, index: int) -> CuttableCrop:
        self.drawn.append(index)
        return super().__getitem__(index)


def test_no_piece_is_cut_beside_a_space() -> None:
    image = bars(5)[..., 0]
    centers = (np.arange(5) + 0.5) * (BAR + GAP)
    image[:, int(centers[2]) - BAR : int(centers[2]) + BAR] = 40
    (word,) = _cut([(CuttableCrop(image, tuple("aa aa"), ()), centers)])
    assert [before for before, _ in word.cuts] == [0, 1, 4, 5]


def test_a_number_and_a_seed_always_give_the_same_piece() -> None:
    samples: list[Sample] = [(bars(n), "a" * n) for n in range(2, 6)]
    one, again, other = (SplicedCrops([samples], Recognizer(Counter()), seed) for seed in (1, 1, 2))
    for i in range(20):
        np.testing.assert_array_equal(one[i][0], again[i][0])
        assert one[i][1] == again[i][1]
    assert [one[i][1] for i in range(20)] != [other[i][1] for i in range(20)]


def test_crops_that_the_network_does_not_read_are_left_whole() -> None:
    good, bad, turned = (bars(4), "aaaa"), (bars(3), "bb"), (bars(2)[:, :20], "aaaa")
    pieces = SplicedCrops([[good, bad, turned, (bars(1), "a")]], Recognizer(Counter()), seed=1)
    assert [word.tokens for word in pieces.crops] == [("a",) * 4]
    with pytest.raises(DatasetError, match="no usable cut in 1 crops"):
        SplicedCrops([[bad]], Recognizer(Counter()), seed=1)


def test_words_that_were_not_cut_where_they_meet_are_joined_by_a_space() -> None:
    samples: list[Sample] = [(bars(2), "aa"), (bars(3), "aaa")]
    pieces = SplicedCrops([samples], Recognizer(Counter("abcdefghi ")), seed=2)
    seen = [pieces[i] for i in range(300)]
    joined = [(image, text) for image, text in seen if " " in text]
    assert len(joined) > 30
    for image, text in joined:
        assert count_bars(image) == len(text) - 1
        lit = np.flatnonzero(image.mean(axis=0) > 130)
        gaps = np.diff(lit)[np.diff(lit) > 1]
        assert gaps.argmax() == text.index(" ") - 1


@pytest.mark.parametrize(("right", "text"), [("e", "N"), ("E", "NE")])
def test_small_letters_are_not_put_behind_large_ones(right: str, text: str) -> None:
    pieces = SplicedCrops([[(bars(3), "aaa")]], Recognizer(Counter()), seed=1)
    image = bars(1)[..., 0]
    ends, begins = Segment(image, ("N",), False, True), Segment(image, (right,), True, False)
    assert "".join(pieces._joined(ends, begins, np.random.default_rng(0)).tokens) == text


def test_slivers_of_a_neighbor_are_not_left_at_an_edge() -> None:
    touching = bars(4)
    touching[10:14] = 220  # a stroke through all letters, as in script
    pieces = SplicedCrops([[(touching, "aaaa"), (bars(4), "aaaa")]], Recognizer(Counter()), seed=1)
    assert [len(word.cuts) for word in pieces.crops] == [5]


def test_the_right_piece_takes_the_height_and_the_light_of_the_left_one() -> None:
    dim = (bars(3, 32) // 4 + 10).astype(np.uint8)
    samples: list[Sample] = [(dim, "aaa"), (bars(3, 64), "aaa")]
    pieces = SplicedCrops([samples], Recognizer(Counter("abcdefghi ")), seed=4)
    joined = [image for image, text in (pieces[i] for i in range(300)) if " " in text]
    assert {image.shape[0] for image in joined} == {32, 64}
    # Whatever stands left, both ends of a joined word have one ground and one ink.
    for image in joined:
        thirds = np.array_split(image.astype(float), 3, axis=1)
        assert abs(np.percentile(thirds[0], 95) - np.percentile(thirds[2], 95)) < 40


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--splice", "1"], "--splice needs crops to cut"),
        (["--splice", "1", "--data", "crops"], "--finetune, --grow or --prune"),
    ],
)
def test_pieces_need_crops_and_a_network(
    options: list[str], reason: str, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_config(["--out", str(tmp_path), *options])
    assert reason in capsys.readouterr().err
