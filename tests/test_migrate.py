from __future__ import annotations

import json

import pytest

from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import DecoderChoice, Manifest, Parent, TtaSettings
from crnn_edge.migrate import migrate

SCHEMA_2 = {
    "schema": 2,
    "name": "crnn-lite",
    "version": "1",
    "precision": "int8",
    "charset": {"tokens": ["a", "b"], "separator": ""},
    "preprocess": {
        "height": 32,
        "grid": 16,
        "min_width": 64,
        "max_width": 2048,
        "min_std": 4.0,
    },
    "stride": 4,
    "look_again": 0.7,
    "decoder": "lm",
    "provenance": {
        "seed": 1,
        "images_seen": 64,
        "trained_on": "crops x 1",
        "finetuned_from": "ab12",
        "int8_layers": ["conv2"],
        "calibration": {"n": 250},
    },
    "metrics": {"int8": {"ned": [0.9, 0.8, 1.0], "n": 9, "reference": {"ned": [1, 1, 1]}}},
    "selftest": [0, -1, 2],
}


def test_schema_2_is_read_with_every_fact() -> None:
    manifest = Manifest.from_json(json.dumps(SCHEMA_2), "old.onnx")
    assert manifest.schema == 3
    assert manifest.preprocess.width_multiple == 16
    assert manifest.tta == TtaSettings(0.7)
    assert manifest.decoder == DecoderChoice("lm")
    assert manifest.parents == (Parent("ab12", "finetuned"),)
    assert (manifest.images_seen, manifest.trained_on) == (64, "crops x 1")
    assert manifest.quantization == {
        "int8_layers": ["conv2"],
        "method": "post-training",
        "calibration": {"n": 250},
    }
    assert manifest.provenance == {"seed": 1}
    assert manifest.metrics["int8"]["one_minus_ned"] == [0.9, 0.8, 1.0]
    assert manifest.metrics["int8"]["reference"] == {"one_minus_ned": [1, 1, 1]}
    assert manifest.selftest == (0, -1, 2)
    assert Manifest.from_json(manifest.to_json(), "new.onnx") == manifest


def test_migration_leaves_its_input_and_schema_3_as_they_are() -> None:
    before = json.dumps(SCHEMA_2, sort_keys=True)
    new = migrate(SCHEMA_2)
    assert json.dumps(SCHEMA_2, sort_keys=True) == before
    assert migrate(new) == new


@pytest.mark.parametrize("key", ["provenance", "preprocess", "metrics", "decoder", "look_again"])
@pytest.mark.parametrize("value", [7, "x", None, [1]])
def test_a_wrong_type_in_schema_2_is_one_clear_error(key: str, value: object) -> None:
    fields = SCHEMA_2 | {key: value}
    if key == "decoder" and value == "x":
        return  # a name like any other: whether there is such a decoder shows when it is opened
    with pytest.raises(ModelFileError, match=r"the manifest of old\.onnx"):
        Manifest.from_json(json.dumps(fields), "old.onnx")
