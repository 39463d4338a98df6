"""Manifests of schema 2 as schema 3, so that files written before still open.

The preprocessing algorithm of both schemas is the same; only names and places of facts differ.
"""

from __future__ import annotations

from typing import Any

_PARENTS = {"finetuned_from": "finetuned", "grown_from": "grown", "shrunk_from": "pruned"}
_METRICS = {"ned": "one_minus_ned", "same_text": "text_agreement"}


def migrate(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a manifest as schema 3 has them; those of schema 3 are returned as they are.

    Args:
        fields: The JSON object of a manifest of schema 2 or 3. It is not changed.

    Raises:
        AttributeError, TypeError, ValueError: If a field of schema 2 has an impossible type.
    """
    if fields.get("schema") != 2:
        return dict(fields)
    old = dict(fields)
    provenance = dict(old.pop("provenance", {}))
    new: dict[str, Any] = {
        "schema": 3,
        "tta": {"threshold": old.pop("look_again", 0.0), "views": None},
        "decoder": {"name": old.pop("decoder", "greedy"), "settings": {}},
        "metrics": _renamed(old.pop("metrics", {})),
        "parents": [
            {"sha256": provenance.pop(key), "how": how}
            for key, how in _PARENTS.items()
            if key in provenance
        ],
    }
    if "preprocess" in old:
        preprocess = dict(old["preprocess"])
        if "grid" in preprocess:
            preprocess["width_multiple"] = preprocess.pop("grid")
        new["preprocess"] = preprocess
    if "int8_layers" in provenance:
        new["quantization"] = {
            "int8_layers": provenance.pop("int8_layers"),
            "method": "post-training",
            "calibration": provenance.pop("calibration", None),
        }
    for key in ("images_seen", "trained_on"):
        if key in provenance:
            new[key] = provenance.pop(key)
    return old | new | {"provenance": provenance}


def _renamed(value: Any) -> Any:
    """Metrics with the keys of schema 3, at any depth."""
    if not isinstance(value, dict):
        return value
    return {_METRICS.get(key, key): _renamed(part) for key, part in value.items()}
