from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_manifest

from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import DecoderChoice, Manifest, Parent, TtaSettings
from crnn_edge.preprocess import Preprocess

FULL = Manifest(
    name="crnn-lite",
    version="3",
    precision="int8",
    charset=Charset(("clef-G2", "C4_quarter", "日"), separator="\t"),
    preprocess=Preprocess(height=48, width_multiple=16, max_width=1024, min_std=2.0),
    stride=8,
    tta=TtaSettings(0.6, ((1.4, 0.0), (1.0, 0.2))),
    decoder=DecoderChoice("lm", {"beam_size": 20}),
    interface="end-to-end",
    unlabelled="-.",
    ignore="-",
    confidence={"method": "isotonic", "raw": [0.1, 0.9], "calibrated": [0.2, 0.8]},
    quantization={"int8_layers": ["conv2"], "method": "post-training", "calibration": None},
    checksum="00ff",
    parents=(Parent("ab12", "finetuned"),),
    images_seen=64,
    trained_on="rendered text x 1",
    provenance={"checkpoint": "ab12", "calibration": {"n": 64}},
    metrics={"dev": {"n": 1295, "accuracy": [0.9, 0.88, 0.92]}},
    selftest=(0, -1, 3),
)


def fields(**changes: object) -> str:
    return json.dumps(json.loads(tiny_manifest().to_json()) | changes)


def test_json_round_trip_keeps_every_field() -> None:
    assert Manifest.from_json(FULL.to_json(), "x.onnx") == FULL


@pytest.mark.host
@given(st.text(st.characters(codec="utf-8"), min_size=1).map(lambda t: "".join(dict.fromkeys(t))))
def test_any_charset_survives(tokens: str) -> None:
    manifest = tiny_manifest(charset=Charset(tuple(tokens)))
    assert Manifest.from_json(manifest.to_json(), "x").charset == manifest.charset


@pytest.mark.parametrize(
    "change",
    [
        {"stride": 0},
        {"precision": "fp16"},
        {"version": 3},
        {"selftest": (True,)},
        {"decoder": "lm"},
        {"tta": 0.7},
        {"interface": "pixels"},
        {"images_seen": 1.5},
    ],
)
def test_an_impossible_manifest_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        FULL.replace(**change)


def test_json_is_one_line() -> None:
    assert "\n" not in tiny_manifest(provenance={"data": "two\nlines"}).to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "carries no manifest (key 'crnn_manifest')"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is not a JSON object"),
        (fields(schema=1), "manifest schema 1, this version reads 2 and 3"),
        (fields(schema=None), "manifest schema None"),
        (fields(color="red"), "unknown fields ['color']"),
        (
            '{"schema": 2, "name": "x"}',
            "missing fields ['charset', 'precision', 'preprocess', 'stride']",
        ),
        (fields(charset={"tokens": ["a", "a"]}), "more than once"),
        (fields(charset={"tokens": [1, 2]}), "at least one token"),
        (fields(charset={"tokens": ["a"], "separator": None}), "separator must be a str"),
        (fields(charset=7), "is invalid"),
        (fields(preprocess={"height": 2}), "impossible preprocessing"),
        (fields(preprocess={"height": 32.5}), "must be whole numbers"),
        (fields(preprocess={"size": 32}), "size"),
        (fields(preprocess={"width_multiple": 30, "max_width": 100}), "multiple of width_multiple"),
        (fields(precision="fp16"), "precision 'fp16' (known: fp32, int8)"),
        (fields(stride=0), "stride must be a whole number from 1 to 1024, got 0"),
        (fields(stride="4"), "stride must be a whole number from 1 to 1024, got '4'"),
        (fields(stride=True), "stride must be a whole number"),
        (fields(stride=10**400), "stride must be a whole number"),
        (fields(charset={"tokens": ["a"]}), "its charset lacks ['separator']"),
        (fields(preprocess={"height": 32}), "its preprocess lacks ['max_width'"),
        (fields(charset={"tokens": ["\ud800"], "separator": ""}), "unpaired surrogate"),
        (fields(name=None), "name must be str"),
        (fields(metrics=[]), "metrics must be dict"),
        (fields(selftest=[11]), "selftest"),
        (fields(selftest=[-2]), "selftest"),
        (fields(selftest=None), "is invalid"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_file_and_the_reason(
    text: str | None, message: str
) -> None:
    with pytest.raises(ModelFileError) as caught:
        Manifest.from_json(text, "some/file.onnx")
    assert message in str(caught.value)
    assert "some/file.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)
