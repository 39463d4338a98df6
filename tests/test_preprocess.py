from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import FOLDER, SLOPING, pictures
from make_golden import PREPROCESS as PINNED
from PIL import Image

from crnn_edge.errors import ImageError
from crnn_edge.preprocess import Preprocess, View

PREPROCESS = Preprocess()
GOLDEN = sorted(FOLDER.glob("*.png"))


def random_image(height: int, width: int, *more: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, *more), dtype=np.uint8)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_pairs_hold(path: Path) -> None:
    image = np.asarray(Image.open(path))
    np.testing.assert_allclose(PINNED(image), np.load(path.with_suffix(".npy")), atol=2e-5)


def test_a_look_along_a_slope_has_a_golden_pair_too() -> None:
    name, view = SLOPING
    image = pictures()[name]
    expected = np.load(FOLDER / f"{name}-sloping.npy")
    np.testing.assert_allclose(
        PINNED(image, PINNED.geometry(*image.shape[:2], view)), expected, atol=2e-5
    )


def test_golden_pictures_are_those_that_the_script_draws() -> None:
    drawn = pictures()
    assert [path.stem for path in GOLDEN] == sorted(drawn)
    for path in GOLDEN:
        np.testing.assert_array_equal(np.asarray(Image.open(path)), drawn[path.stem])


@settings(max_examples=60)
@given(st.integers(1, 150), st.integers(1, 300), st.booleans(), st.integers(0, 99))
def test_equals_pillow_in_floating_point(height: int, width: int, rgb: bool, seed: int) -> None:
    image = random_image(height, width, *((3,) if rgb else ()), seed=seed)
    try:
        tensor = PREPROCESS(image)[0]
    except ImageError:
        assert width * 32 > 2048 * height
        return
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    gray = (image.astype(np.float32) @ weights) if rgb else image.astype(np.float32)
    columns = PREPROCESS.width(height, width)
    seen = min(width, columns * height / 32)  # the fraction of a column left over is not
    resize = Image.fromarray(gray).resize(
        (columns, 32), Image.Resampling.BILINEAR, box=(0, 0, seen, height)
    )
    levels = np.asarray(resize, dtype=np.float64)
    std = max(levels.std(), PREPROCESS.min_std)
    np.testing.assert_allclose(tensor[:, :columns] * std + levels.mean(), levels, atol=1e-3)


@given(st.integers(1, 90), st.integers(1, 200), st.integers(0, 99))
def test_content_is_standardized_and_padding_is_zero(height: int, width: int, seed: int) -> None:
    width = min(width, 40 * height)
    tensor = PREPROCESS(random_image(height, width, seed=seed))
    columns = PREPROCESS.width(height, width)
    content = tensor[0, :, :columns]
    assert tensor.shape == (1, 32, PREPROCESS.geometry(height, width).bucket)
    assert tensor.dtype == np.float32
    assert abs(content.mean()) < 1e-5
    assert content.std() <= 1.0001
    assert not tensor[0, :, columns:].any()


def test_contrast_and_brightness_do_not_matter() -> None:
    image = random_image(40, 90) // 2
    np.testing.assert_allclose(PREPROCESS(image + 100), PREPROCESS(image), atol=1e-5)
    np.testing.assert_allclose(PREPROCESS(image * 2), PREPROCESS(image), atol=1e-5)


def test_a_flat_picture_becomes_zeros() -> None:
    np.testing.assert_allclose(PREPROCESS(np.full((50, 120, 3), 77, np.uint8)), 0, atol=1e-4)


def test_the_noise_of_a_blank_wall_is_not_blown_up() -> None:
    image = np.full((32, 64), 100, np.uint8)
    image[::2] += 1  # a standard deviation of half a gray level
    assert np.abs(PREPROCESS(image)).max() == pytest.approx(0.5 / 4.0)


def test_gray_and_equal_channels_are_the_same() -> None:
    gray = random_image(37, 80)
    np.testing.assert_allclose(
        PREPROCESS(np.repeat(gray[..., None], 3, axis=2)), PREPROCESS(gray), atol=1e-5
    )
    np.testing.assert_array_equal(PREPROCESS(gray[..., None]), PREPROCESS(gray))


def test_views_and_read_only_arrays_are_read_and_left_alone() -> None:
    image = random_image(64, 200, 3)
    view = image[::2, ::-1, ::-1]
    view.flags.writeable = False
    before = view.copy()
    np.testing.assert_array_equal(PREPROCESS(view), PREPROCESS(view.copy()))
    np.testing.assert_array_equal(view, before)


@pytest.mark.parametrize(
    ("size", "width"),
    [((32, 100), 100), ((64, 161), 80), ((64, 163), 81), ((32, 64), 64)],
)
def test_width_keeps_the_aspect_in_whole_columns(size: tuple[int, int], width: int) -> None:
    assert PREPROCESS.width(*size) == width


@pytest.mark.parametrize("size", [(32, 63), (64, 29), (500, 1)])
def test_narrow_pictures_are_stretched_to_the_least_width(size: tuple[int, int]) -> None:
    assert PREPROCESS.width(*size) == PREPROCESS.min_width == 64
    stripes = np.zeros(size, np.uint8)
    stripes[: size[0] // 2] = 200
    assert PREPROCESS(stripes).shape == (1, 32, 64)
    assert PREPROCESS(stripes)[..., -1].any(), "content reaches the last column"


def test_buckets_are_the_next_multiple_of_the_grid() -> None:
    assert [PREPROCESS.geometry(32, w).bucket for w in (1, 64, 65, 2048)] == [64, 64, 80, 2048]


def test_a_line_too_long_is_refused_with_both_widths() -> None:
    with pytest.raises(ImageError, match=r"becomes 2049 px wide at height 32.* at most 2048"):
        PREPROCESS(np.zeros((32, 2049), np.uint8))


@pytest.mark.parametrize(
    "shape", [(400, 20_000, 3), (20_000, 400, 3), (20_000, 2), (320, 20_000), (200_000, 50)]
)
def test_huge_pictures_take_bounded_memory(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape, np.uint8)
    image[::3] = 200
    PREPROCESS(image[:64, :64])
    tracemalloc.start()
    try:
        tensor = PREPROCESS(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000  # the largest picture has 24 MB, in floats 96
    assert np.isfinite(tensor).all()


@pytest.mark.host
def test_what_is_kept_for_the_next_picture_is_bounded() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for height in range(20, 2000, 12):
            PREPROCESS(np.zeros((height, 600), np.uint8))
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 25_000_000


def test_chunks_of_a_huge_picture_leave_no_seams() -> None:
    image = random_image(3000, 1000, 3)  # converted to gray in three chunks
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    gray = Image.fromarray(image.astype(np.float32) @ weights)
    levels = np.asarray(gray.resize((64, 32), Image.Resampling.BILINEAR), dtype=np.float64)
    expected = (levels - levels.mean()) / max(levels.std(), 4.0)
    np.testing.assert_allclose(PREPROCESS(image)[0], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 8), np.float32), "expected a uint8 image, got float32"),
        (np.zeros((8, 8), bool), "got bool"),
        (np.zeros((8, 8, 4), np.uint8), "alpha channel"),
        (np.zeros((8, 8, 2), np.uint8), r"got \(8, 8, 2\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"got \(2, 8, 8, 3\)"),
        (np.zeros(8, np.uint8), r"got \(8,\)"),
        (np.zeros((0, 8), np.uint8), "the image is empty"),
        (np.zeros((8, 0, 3), np.uint8), "the image is empty"),
        ("word.png", "got str"),
        (None, "got NoneType"),
        (
            np.ma.masked_array(np.zeros((8, 8), np.uint8), True),
            "an unmasked NumPy array, got MaskedArray",
        ),
    ],
)
def test_what_is_no_image_is_refused(image: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        PREPROCESS(image)


@pytest.mark.parametrize(
    "settings_",
    [
        {"height": 4},
        {"height": 1000},
        {"width_multiple": 0},
        {"width_multiple": 48},
        {"max_width": 0},
        {"min_std": 0.0},
        {"min_std": float("nan")},
        {"height": 32.5},
        {"width_multiple": True},
    ],
)
def test_impossible_settings_are_refused(settings_: dict) -> None:
    with pytest.raises(ValueError, match=r"impossible|must be"):
        Preprocess(**settings_)


@pytest.mark.parametrize("slope", [0.2, -0.2, 0.35])
@pytest.mark.parametrize(("height", "width"), [(60, 100), (90, 300), (700, 900)])
def test_a_look_along_a_slope_makes_the_line_level(slope: float, height: int, width: int) -> None:
    # A bright line through the middle, whose brightness changes along it.
    y, x = np.mgrid[:height, :width]
    off = y - (height - 1) / 2 - slope * (x - (width - 1) / 2)
    bright = 120 + 80 * np.sin(12 * x / width)
    image = (bright * np.exp(-((off / (height / 16)) ** 2))).astype(np.uint8)
    view = View(skew=slope)
    columns = PREPROCESS.width(height, width, view)
    tensor = PREPROCESS(image, PREPROCESS.geometry(*image.shape[:2], view))[0, :, :columns]
    inside = slice(columns // 6, -columns // 6)  # at the ends the band may leave the picture
    assert set(tensor[:, inside].argmax(axis=0)) <= {15, 16}
    usual = PREPROCESS(image)[0, :, : PREPROCESS.width(height, width)]
    assert len(set(usual.argmax(axis=0))) > 8
    # Columns stay where they were: spans in pixels hold.
    centers = (np.arange(columns) + 0.5) * PREPROCESS.geometry(height, width, view).scale
    seen = bright[0][centers.astype(int)]
    assert np.corrcoef(tensor.max(axis=0)[inside], seen[inside])[0, 1] > 0.99


def test_the_band_of_a_skewed_line_is_as_high_as_a_line_across_the_image() -> None:
    view = View(skew=0.2)
    # 100 - 0.8 * 0.2 * 250 is 60 of 100 rows, so 32 rows are of 53⅓, rounded up to quarters of 32.
    assert PREPROCESS.geometry(100, 250, view).rows == 56
    assert PREPROCESS.geometry(100, 250, View(skew=-0.2)).rows == 56
    assert PREPROCESS.geometry(100, 2500, view).rows == 80  # at most 2.5 times as many
    assert PREPROCESS.geometry(100, 1, view).rows == 40
    assert PREPROCESS.geometry(100, 250, View(width_scale=1.4)).rows == 32
    assert PREPROCESS.width(100, 250, View(0.5, 0.2)) == 250 * 56 // 100 // 2
    assert PREPROCESS.geometry(100, 250, View(0.5, 0.2)).scale == 100 / 56 / 0.5
    assert PREPROCESS.fits(32, 800, view)
    assert not PREPROCESS.fits(32, 900, view)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 1), (9, 2000), (64, 3)])
def test_any_picture_may_be_looked_at_along_a_slope(size: tuple[int, int]) -> None:
    image = random_image(*size)
    for slope in (0.2, -0.2, 3.0):
        view = View(skew=slope)
        if PREPROCESS.fits(*size, view):
            tensor = PREPROCESS(image, PREPROCESS.geometry(*image.shape[:2], view))
            assert tensor.shape == (1, 32, PREPROCESS.geometry(*size, view).bucket)
            assert np.isfinite(tensor).all()
        else:
            with pytest.raises(ImageError, match="cut it into lines"):
                PREPROCESS(image, PREPROCESS.geometry(*image.shape[:2], view))
