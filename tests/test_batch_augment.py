"""Degradation of whole batches: repeatable, within bounds, and each fault what its name says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training import copy_of

from crnn_edge.charset import Charset
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess
from model.data import batch_lens, batch_light, batch_sensor
from model.data.batch_augment import BatchAugment
from model.data.batch_pictures import Fault, Pictures
from model.data.batching import Batch, Chunks
from model.data.datasets import Mixture, Part
from model.network.checkpoint import read_safetensors, write_safetensors
from model.train import Trainer, main
from model.training.config import LAST, parse
from model.training.job import augment_place

WIDTH = 128
LENS = (batch_lens.jitter, batch_lens.gaussian, batch_lens.defocus, batch_lens.motion)
LIGHT = (
    batch_light.curve,
    batch_light.gradient,
    batch_light.texture,
    batch_light.shadow,
    batch_light.glare,
)
SENSOR = (batch_sensor.even, batch_sensor.growing, batch_sensor.coarse, batch_sensor.dead)
FAULTS = (
    *LENS,
    *LIGHT,
    *SENSOR,
    batch_lens.shrink,
    batch_lens.sharpen,
    batch_sensor.jpeg,
    batch_sensor.invert,
)


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Words of many widths as `Preprocess` makes them, and the columns that they fill."""
    preprocess = Preprocess()
    tensor, widths = torch.zeros(24, 1, preprocess.height, WIDTH), []
    for row in range(len(tensor)):
        image = np.full((40, 90 + 3 * row), 60 + 7 * row, np.uint8)
        cv2.putText(image, "Word"[: 2 + row % 3], (9, 29), cv2.FONT_HERSHEY_SIMPLEX, 1, 20, 3)
        made = preprocess(image)
        tensor[row, ..., : made.shape[-1]] = torch.from_numpy(made)
        widths.append(preprocess.width(*image.shape))
    assert len(set(widths)) > 9
    return tensor, torch.tensor(widths)


@pytest.fixture
def pictures(batch) -> Pictures:
    tensor, widths = batch
    levels = (tensor[:, 0] * 40 + 128).clamp(0, 255)
    return Pictures(levels, widths, torch.ones(len(levels)), seeded())


def augmented(batch, strength: float = 1.0, seed: int = 0) -> torch.Tensor:
    tensor, widths = batch
    strengths = torch.full((len(tensor),), strength)
    return BatchAugment(Preprocess())(tensor, widths, strengths, seeded(seed))


def detail(levels: torch.Tensor) -> torch.Tensor:
    """The energy of differences between neighbors, `(n,)`."""
    return levels.diff(dim=1).square().mean((1, 2)) + levels.diff(dim=2).square().mean((1, 2))


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_batches_come_back_standardized_and_padded(batch, strength) -> None:
    before = batch[0].clone()
    for seed in range(8):
        for row, width in zip(augmented(batch, strength, seed)[:, 0], batch[1], strict=True):
            assert not row[:, width:].any()
            assert row[:, :width].isfinite().all()
            assert float(row[:, :width].mean()) == pytest.approx(0, abs=1e-3)
            assert float(row[:, :width].std(correction=0)) <= 1.001
    torch.testing.assert_close(batch[0], before, rtol=0, atol=0)


def test_a_strength_of_nothing_changes_nothing(batch) -> None:
    torch.testing.assert_close(augmented(batch, 0.0), batch[0], rtol=0, atol=0)


def test_each_picture_has_its_own_strength(batch) -> None:
    tensor, widths = batch
    strengths = torch.arange(len(tensor)).remainder(2).float()
    worse = BatchAugment(Preprocess())(tensor, widths, strengths, seeded())
    torch.testing.assert_close(worse[::2], tensor[::2], rtol=0, atol=0)
    changed = (worse - tensor).abs().amax((1, 2, 3)) > 0.1
    assert changed[1::2].sum() > 6


def test_a_seed_tells_all(batch) -> None:
    one, again, other = (augmented(batch, seed=seed) for seed in (3, 3, 4))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert ((one - other).abs().amax((1, 2, 3)) > 0.1).sum() > 12


def test_equal_pictures_meet_different_faults(batch) -> None:
    same = batch[0][:1].repeat(16, 1, 1, 1)
    worse = augmented((same, batch[1][:1].repeat(16)))
    differences = (worse[:, None] - worse[None]).abs().amax((2, 3, 4))
    assert (differences > 0.1).float().mean() > 0.8


def test_a_blank_wall_does_not_turn_into_strokes() -> None:
    blank = 0.02 * torch.randn(64, 1, 32, 64, generator=seeded())  # which the runtime left faint
    worse = augmented((blank, torch.full((64,), 64)))
    assert worse.std((1, 2, 3)).median() < 0.3


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_keeps_to_the_levels_and_strikes(fault: Fault, pictures) -> None:
    before = pictures.levels.clone()
    after = fault(pictures)
    assert after.shape == before.shape
    assert after.isfinite().all()
    assert after.min() >= -0.01
    assert after.max() <= 255.01
    changed = (after - before).abs().amax((1, 2)) > 0.5
    assert changed.float().mean() > 0.75
    torch.testing.assert_close(pictures.levels, before, rtol=0, atol=0)


@pytest.mark.parametrize("fault", [*LENS[1:], batch_lens.shrink], ids=lambda f: f.__name__)
def test_blurring_and_shrinking_take_detail(fault: Fault, pictures) -> None:
    assert (detail(fault(pictures)) < detail(pictures.levels)).float().mean() > 0.9


@pytest.mark.parametrize(
    "fault", [batch_lens.sharpen, *SENSOR[:2]], ids=lambda fault: fault.__name__
)
def test_sharpening_and_noise_bring_detail(fault: Fault, pictures) -> None:
    assert (detail(fault(pictures)) > detail(pictures.levels)).all()


@pytest.mark.parametrize("fault", [*LENS, batch_lens.shrink], ids=lambda fault: fault.__name__)
def test_what_is_even_stays_even(fault: Fault, pictures) -> None:
    pictures.levels.fill_(77.0)
    torch.testing.assert_close(
        fault(pictures), torch.full_like(pictures.levels, 77.0), atol=0.01, rtol=0
    )


def test_a_picture_whose_corners_stay_is_not_moved(pictures) -> None:
    still = Pictures(pictures.levels, pictures.widths, torch.zeros(24), seeded())
    inside = pictures.inside
    torch.testing.assert_close(
        batch_lens.jitter(still) * inside, pictures.levels * inside, atol=0.1, rtol=0
    )


def test_gaussian_blur_is_opencvs(pictures) -> None:
    sigma = torch.linspace(0.4, 2.5, len(pictures.levels))
    soft = batch_lens.soften(pictures.levels, sigma)[:, 9:-9, 9:-9].numpy()
    for row, levels in enumerate(pictures.levels.numpy()):
        expected = cv2.GaussianBlur(levels, (0, 0), float(sigma[row]))[9:-9, 9:-9]
        np.testing.assert_allclose(soft[row], expected, atol=0.5)


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_jpeg_is_that_of_opencv(quality: int) -> None:
    y, x = np.mgrid[:32, :64]
    smooth = (120 + 70 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    data = cv2.imencode(".jpg", smooth, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32)
    levels = torch.from_numpy(smooth).float()[None]
    found = batch_sensor.through_jpeg(levels, torch.tensor([float(quality)]))[0].numpy()
    difference = np.abs(found - expected)
    assert difference.mean() < 0.6
    assert (difference > 2).mean() < 0.05  # where a coefficient is rounded the other way


def test_jpeg_of_full_quality_leaves_pictures_of_any_size() -> None:
    levels = 255 * torch.rand(2, 30, 50, generator=seeded())
    same = batch_sensor.through_jpeg(levels, torch.full((2,), 100.0))
    torch.testing.assert_close(same, levels, atol=4, rtol=0)


def test_inversion_mirrors_about_the_middle(pictures) -> None:
    torch.testing.assert_close(batch_sensor.invert(pictures) - 127.5, 127.5 - pictures.levels)


def test_chunks_tell_what_each_picture_is_still_to_suffer(numbers) -> None:
    parts = [Part(LabelledFolder(numbers), strength=strength) for strength in (0.0, 1.3)]
    preprocess = Preprocess()
    chunks = Chunks(Mixture(parts), preprocess, Charset(tuple("0123456789")), 8, 2)
    made = chunks[0]
    assert {round(s, 3) for b in made for s in b.strengths.tolist()} == {0.0, 1.3}
    for tensor, _, _, widths, strengths in made:
        assert tensor.dtype == strengths.dtype == torch.float32
        for picture, width in zip(tensor[:, 0], widths.tolist(), strict=True):
            assert picture[:, width - 1].any()
            assert not picture[:, width:].any()


class Stopping(Trainer):
    """One that is interrupted in its third step, and looks at what it is given."""

    def train_step(self, batch: Batch) -> dict[str, float]:
        self.stopping = self.state.step == 2
        once, twice = self.pictures(batch), self.pictures(batch)
        assert torch.equal(once, twice)
        assert not torch.equal(once, batch.tensor)
        return super().train_step(batch)


def options(numbers: Path, out: Path, place: str) -> list[str]:
    data = f"--data {numbers} --synth 0 --eval {copy_of(numbers)} --augment-on {place}"
    rest = f"--out {out} --batch 4 --steps 6 --workers 0 --precision fp32 --threads 1 --device cpu"
    return [*data.split(), "--charset", "0123456789", *rest.split()]


def test_a_run_that_degrades_on_its_device_goes_on_exactly(numbers, tmp_path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(options(numbers, whole, "device")) == 0
    assert main(options(numbers, cut, "device"), kind=Stopping) == 130
    assert main(["--out", str(cut), "--resume"]) == 0
    one, other = (read_safetensors(run / LAST)[0] for run in (whole, cut))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize(
    ("name", "device", "place"),
    [
        ("auto", "cpu", "workers"),
        ("auto", "cuda", "device"),
        ("workers", "cuda", "workers"),
        ("device", "cpu", "device"),
    ],
)
def test_only_a_gpu_degrades_by_itself(name, device, place) -> None:
    assert augment_place(name, torch.device(device)) == place


def test_a_run_of_before_there_was_a_choice_goes_on_as_it_was(numbers, tmp_path) -> None:
    assert main([*options(numbers, tmp_path, "auto"), "--steps", "1"]) == 0
    tensors, metadata = read_safetensors(tmp_path / LAST)
    saved = json.loads(metadata["settings"])
    assert saved.pop("augment_on") == "workers"  # what `auto` meant is what is kept
    write_safetensors(tmp_path / LAST, tensors, {**metadata, "settings": json.dumps(saved)})
    assert parse(["--out", str(tmp_path), "--resume"]).augment_on == "workers"


def test_a_strength_beyond_the_scale_is_refused(numbers, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([*options(numbers, tmp_path / "run", "device"), "--augment", "3"])
    assert "--augment is a strength from 0 to 2" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_degrades_alike_and_repeats_itself(batch) -> None:
    tensor, widths = (value.cuda() for value in batch)
    augment, strengths = BatchAugment(Preprocess()), torch.ones(len(tensor), device="cuda")
    one, again = (augment(tensor, widths, strengths, seeded(5, "cuda")) for _ in range(2))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert one.is_cuda
    assert one.isfinite().all()
    for fault in FAULTS:  # each of which draws no number that the CPU draws alike
        levels = (tensor[:, 0] * 40 + 128).clamp(0, 255)
        after = fault(Pictures(levels, widths, strengths, seeded(1, "cuda")))
        assert after.is_cuda
        assert after.isfinite().all()


def test_a_texture_is_as_coarse_in_a_batch_of_wider_pictures() -> None:
    narrow = torch.full((6, 32, 64), 128.0)
    wide = torch.full((6, 32, 256), 128.0)
    widths = torch.full((6,), 64)
    found = [
        batch_light.texture(Pictures(levels, widths, torch.ones(6), seeded()))[:, :, :64]
        for levels in (narrow, wide)
    ]
    torch.testing.assert_close(found[0], found[1], atol=0.05, rtol=0)
    assert found[0].std() > 0.5
