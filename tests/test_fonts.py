"""Fonts: what a face cannot draw is noticed before it becomes a wrong label."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools import fontBuilder as fontbuilder

from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError, EngineError
from model.data import fonts, fontsource
from model.data.fonts import PRINTABLE, SYSTEM_FOLDERS, Face, covered, find_faces, main
from model.data.synth import Synth
from model.data.text.text_source import TextSource


def draw(path: Path, widths: dict[str, int], same: str = "") -> Path:
    """Write a font whose glyphs are bars of given widths, blank for 0; `same` map to `A`'s."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    names = {char: f"g{ord(char)}" for char in widths}
    glyphs = {}
    for name, width in [(".notdef", 990), *((names[c], w) for c, w in widths.items())]:
        pen = TTGlyphPen(None)
        if width:
            pen.moveTo((0, 0))
            for point in ((0, 700), (width, 700), (width, 0)):
                pen.lineTo(point)
            pen.closePath()
        glyphs[name] = pen.glyph()
    builder = fontbuilder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    mapping = {ord(char): names[char] for char in widths}
    builder.setupCharacterMap({**mapping, **{ord(char): names["A"] for char in same}})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (1000, 0) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def bars(characters: str) -> dict[str, int]:
    """A width of its own for each character; none for the space."""
    return {char: 0 if char == " " else 50 + 40 * at % 900 for at, char in enumerate(characters)}


def ordinary() -> Path:
    return next(face.path for face in find_faces() if face.covers == set(PRINTABLE))


def test_an_ordinary_face_covers_printable_ascii() -> None:
    assert any(face.covers == set(PRINTABLE) for face in find_faces())


def test_faces_are_found_in_one_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        draw(tmp_path / f"{name}.ttf", bars(" 0123456789ABC"))
    assert [face.path.stem for face in find_faces([tmp_path])] == ["a", "b", "c"]


def test_blank_and_absent_glyphs_are_not_covered(tmp_path: Path) -> None:
    widths = bars(" 0123456789ABCX") | {"X": 0}
    covers = covered(draw(tmp_path / "a.ttf", widths))
    assert covers == set(" 0123456789ABC")


def test_capitals_for_lower_case_are_not_covered(tmp_path: Path) -> None:
    face = Face(tmp_path / "caps.ttf", frozenset("ABC"), "caps")
    assert face.spell("cab") == "CAB"
    assert face.spell("dab") is None


def test_known_faces_of_small_capitals_have_no_lower_case(tmp_path: Path) -> None:
    named = tmp_path / "Amatic-SC-700.ttf"
    named.write_bytes(ordinary().read_bytes())
    assert not covered(named) & set("az")
    assert covered(named) >= set("AZ09")


def test_a_mark_that_looks_like_another_character_is_not_covered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, glyph = ordinary(), fonts._glyph
    monkeypatch.setattr(fonts, "_glyph", lambda font, c: glyph(font, "=" if c == "^" else c))
    found = covered(path)
    assert not found & {"^", "="}
    assert found >= set("-+azAZ09")


def test_a_font_that_draws_one_form_for_all_letters_is_refused(tmp_path: Path) -> None:
    path = draw(tmp_path / "same.ttf", bars(" 0123456789A"), same="BCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert covered(path) == frozenset()


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font at all")
    draw(tmp_path / "good.ttf", bars(" 0123456789ABC"))
    assert [face.path.stem for face in find_faces([tmp_path])] == ["good"]


def test_an_empty_folder_says_how_to_get_fonts(tmp_path: Path) -> None:
    with pytest.raises(CrnnError, match="--fetch"):
        find_faces([tmp_path])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CrnnError, match="gone"):
        find_faces([tmp_path / "gone"])


def test_a_text_that_no_face_can_draw_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "a.ttf", bars(" 0123456789ABC"))
    synth = Synth(find_faces([tmp_path], "é"), TextSource([], Charset(("é",))), seed=0)
    with pytest.raises(CrnnError, match="é"):
        synth[0]


def test_faces_without_letters_write_numbers_only(tmp_path: Path) -> None:
    draw(tmp_path / "letters.ttf", bars(PRINTABLE))
    draw(tmp_path / "DSEG7.ttf", bars(PRINTABLE))
    faces = find_faces([tmp_path])
    assert [face.numeric for face in faces] == [True, False]
    assert faces[0].covers <= set(" 0123456789:.-")
    synth = Synth(faces, TextSource(None, Charset.ascii()), seed=0)
    assert {face.path.stem for family in synth.families for face in family} == {"letters"}
    with pytest.raises(CrnnError, match="letters"):
        Synth(faces[:1], TextSource(None, Charset.ascii()), seed=0)


def test_the_list_names_each_face(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(find_faces())
    assert main(["/nonexistent"]) == 1
    assert "error: no such font folder" in capsys.readouterr().err


def test_the_curated_families_are_npm_names() -> None:
    names = list(fontsource.families())
    assert len(names) == len(set(names)) > 250
    assert all(name.replace("-", "").isalnum() and name.islower() for name in names)
    assert 0 < sum(fontsource.families().values()) < len(names)


def test_system_folders_are_absolute_where_they_exist() -> None:
    assert any(folder.is_dir() for folder in SYSTEM_FOLDERS)


def test_fonts_are_not_fetched_into_a_file(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        fonts.main(["--fetch", str(tmp_path / "file")])
    assert f"--fetch {tmp_path / 'file'} is a file: name a folder" in capsys.readouterr().err


def test_a_font_file_is_no_folder_of_fonts(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").touch()
    with pytest.raises(CrnnError, match="a file: name its folder"):
        find_faces([tmp_path / "a.ttf"])


def test_npm_is_given_up_when_nothing_of_the_first_call_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(fontsource.shutil, "which", lambda _: "npm")
    monkeypatch.setattr(fontsource, "_install", lambda batch, _: bool(calls.append(batch)))
    with pytest.raises(EngineError, match="is the registry reachable"):
        list(fontsource.fetch(tmp_path, [f"f{i}" for i in range(90)]))
    assert len(calls) == 1 + fontsource._AT_ONCE
