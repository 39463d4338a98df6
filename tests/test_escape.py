r"""Names and texts of strangers reach tables and terminals without control characters."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from runtime_cli import run

from crnn_edge.backends import onnx
from crnn_edge.escape import escape_json, escape_line, escape_lines
from crnn_edge.manifest import Manifest

ODD = (
    "a\nforged.png\tPAID 100\t0.9999",
    "b\x1b[2J\x1b[31mred",
    "c\rover",
    "d\x9b31m",
    "e\u202egnp",
)
CONTROLS = [chr(k) for k in (*range(32), *range(127, 160), 0x2028, 0x202E, 0x2066)]


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_character_is_escaped(control: str) -> None:
    assert escape_line(f"a{control}b").isprintable()
    assert escape_lines(f"a{control}b\n").replace("\n", "").isprintable()
    document = escape_json(json.dumps({"x": control}, ensure_ascii=False))
    assert document.isprintable()
    assert json.loads(document) == {"x": control}


def test_ordinary_texts_stay() -> None:
    text = r"C:\new\table é 日本 'quoted' שלום 🙂" + "\udcff"  # the last: a byte that is not UTF-8
    assert escape_line(text) == escape_json(text) == text


def test_a_name_forges_no_row(
    tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures / "odd"
    folder.mkdir()
    for name in ODD:
        shutil.copy(pictures / "a.png", folder / f"{name}.png")
    code, out, err = run(capsys, "read", "--model", tiny_model, folder)
    rows = out.removesuffix("\n").split("\n")
    assert (code, err, len(rows)) == (0, "", len(ODD))
    assert all(row.count("\t") == 2 for row in rows)
    assert out.replace("\n", "").replace("\t", "").isprintable()
    _, out, _ = run(capsys, "read", "--model", tiny_model, folder, "--json")
    assert out.replace("\n", "").isprintable()
    assert {Path(json.loads(line)["path"]).stem for line in out.splitlines()} == set(ODD)


@pytest.mark.parametrize("name", ODD)
def test_the_name_of_a_refused_image_forges_no_line(
    name: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{name}.png"
    path.write_bytes(b"not an image")
    code, out, err = run(capsys, "read", "--model", tiny_model, path, tmp_path / f"{name}.jpg")
    assert (code, out, err.count("\n")) == (1, "", 2)
    assert err.replace("\n", "").isprintable()


def test_a_manifest_forges_no_line(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hostile(path: Path, *, threads: int | None, device: str) -> onnx.OnnxBackend:
        backend = load(path, threads=threads, device=device)
        backend.manifest = changed(backend.manifest)
        return backend

    def changed(manifest: Manifest) -> Manifest:
        text = "x\x1b[31m\x9b31m\nself-test  all is well"
        return dataclasses.replace(manifest, name=text, trained_on=text, provenance={text: text})

    load = onnx.load
    monkeypatch.setattr(onnx, "load", hostile)
    for flags in ([], ["--json"]):
        code, out, _ = run(capsys, "info", tiny_model, *flags)
        assert code == 0
        assert "\nself-test  all" not in out
        assert out.replace("\n", "").isprintable()
