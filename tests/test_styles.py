"""Styles: the same picture for the same chance, of the shape that was promised, of their text."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError
from crnn_edge.labels import LabelledFolder
from model.data.fonts import Face, find_faces
from model.data.render.styles import Style, StyledText, load_style, style_names
from model.data.synth import main

# Scenes are of any height and script; tests of their own judge them.
NAMES = [name for name in style_names() if name != "scene"]


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return find_faces()


@pytest.fixture(params=NAMES)
def style(request: pytest.FixtureRequest) -> Style:
    return load_style(request.param)


def test_there_are_styles() -> None:
    assert {"lcd", "counter", "led", "dotmatrix", "screen"} <= set(NAMES)


def test_a_seed_and_an_index_give_one_picture(style: Style, faces: list[Face]) -> None:
    one, again = (StyledText(style, faces, seed=3) for _ in range(2))
    for index in (5, 0, 2**40 + 7, 5):  # whatever was drawn before
        image, text = one[index]
        other, label = again[index]
        assert text == label
        np.testing.assert_array_equal(image, other)


def test_seeds_and_indices_differ(style: Style, faces: list[Face]) -> None:
    sources = [StyledText(style, faces, seed) for seed in (3, 4)]
    assert len({source[i][0].tobytes() for source in sources for i in range(20)}) == 40


def test_another_process_draws_the_same(faces: list[Face]) -> None:
    sources = [StyledText(load_style(name), faces, seed=9) for name in NAMES]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        futures = [pool.submit(source.__getitem__, 4) for source in sources]
        for source, future in zip(sources, futures, strict=True):
            image, text = future.result()
            assert text == source[4][1]
            np.testing.assert_array_equal(image, source[4][0])


def test_pictures_are_gray_and_of_a_height_that_cameras_see(
    style: Style, faces: list[Face]
) -> None:
    source = StyledText(style, faces, seed=1, strength=0)
    for index in range(150):
        image, _ = source[index]
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert 12 <= image.shape[0] <= 90
        assert image.shape[1] >= 8


def test_pictures_show_something(style: Style, faces: list[Face]) -> None:
    source = StyledText(style, faces, seed=2, strength=0)
    spreads = [np.ptp(np.percentile(source[i][0], [1, 99])) for i in range(100)]
    assert min(spreads) >= 4
    assert np.median(spreads) > 50


def test_a_style_draws_the_texts_that_it_gives(style: Style) -> None:
    rng = np.random.default_rng(1)
    texts = [style.sample_text(rng) for _ in range(2000)]
    assert all(style.covers(text) for text in texts)
    assert all(text == text.strip() and text in Charset.ascii() for text in texts)
    assert len(set(texts)) > 400


def test_the_picture_is_of_the_text(style: Style, faces: list[Face]) -> None:
    """The same chance with another text of the same length changes the picture where it stands."""
    for seed in range(10):
        one, other = (
            style.draw(text, np.random.default_rng(seed), faces) for text in ("8888", "1181")
        )
        assert one.shape != other.shape or (one != other).mean() > 0.01


def test_no_style_draws_what_it_does_not_cover(style: Style) -> None:
    assert not style.covers("")
    assert not style.covers("é")


def test_numbers_everywhere(style: Style) -> None:
    assert style.covers("00123")


def test_texts_of_the_user_take_the_place_of_the_styles_own(faces: list[Face]) -> None:
    given = iter(["£5", "12.5", "x" * 3])
    source = StyledText(
        load_style("lcd"), faces, 0, charset=Charset.ascii(), texts=lambda rng: next(given)
    )
    assert [source[i][1] for i in range(2)] == ["12.5", "xxx"]  # what no charset has is left out


def test_texts_that_cannot_be_drawn_are_told(faces: list[Face]) -> None:
    with pytest.raises(CrnnError, match=r"none of 200 texts, such as '1\.5'"):
        StyledText(load_style("counter"), faces, 0, texts=lambda rng: "1.5")[0]
    with pytest.raises(CrnnError, match="none of 200 texts"):
        StyledText(load_style("lcd"), faces, 0, charset=Charset(("a",)))[0]


def test_fonts_that_do_not_suit_are_told(faces: list[Face]) -> None:
    few = [Face(face.path, frozenset("0123456789"), face.family) for face in faces[:1]]
    with pytest.raises(CrnnError, match="none of 1 font faces is upright"):
        StyledText(load_style("counter"), few, 0)[0]


def test_displays_need_no_fonts() -> None:
    for name in ("lcd", "led"):
        image, _ = StyledText(load_style(name), [], 0)[0]
        assert image.size


def test_an_unknown_style_is_told_with_those_there_are() -> None:
    with pytest.raises(CrnnError, match=r"no style 'lcdd': there are .*counter.*lcd"):
        load_style("lcdd")
    with pytest.raises(CrnnError, match=r"no style nobody\.has_this: found no module nobody"):
        load_style("nobody.has_this")
    with pytest.raises(CrnnError, match=r"no style pathlib\.nothing: found no module"):
        load_style("pathlib.nothing")
    with pytest.raises(CrnnError, match=r"no style os\.path: the module has no class Style"):
        load_style("os.path")


def test_a_module_that_lacks_another_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_style("mine.broken")


def test_a_style_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faces: list[Face]
) -> None:
    (tmp_path / "yours").mkdir()
    (tmp_path / "yours" / "gray.py").write_text(
        "import numpy as np\n"
        "class Style:\n"
        "    def sample_text(self, rng): return 'gray'\n"
        "    def covers(self, text): return True\n"
        "    def draw(self, text, rng, faces): return np.full((20, 60), 99, np.uint8)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    image, text = StyledText(load_style("yours.gray"), faces, 0, strength=0)[0]
    assert (text, image.shape, image[0, 0]) == ("gray", (20, 60), 99)


def test_settings_of_a_style_are_its_fields(faces: list[Face]) -> None:
    from model.data.render.styles.lcd import Style as Lcd

    source = StyledText(Lcd(height=(20.0, 20.0), rims=0.0), faces, 0, strength=0)
    assert max(source[i][0].shape[0] for i in range(50)) < 60
    pickle.loads(pickle.dumps(source))


def test_a_folder_of_a_style(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("12.5\n-0.75\n")
    given = ["--style", "lcd", "--count", "6", "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*given, "--texts", str(tmp_path / "texts")]) == 0
    assert set(LabelledFolder(tmp_path / "out").texts) <= {"12.5", "-0.75"}


def test_an_unknown_style_is_told_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--style", "lcdd", "--png", str(tmp_path / "x.png")]) == 1
    assert "no style 'lcdd'" in capsys.readouterr().err
