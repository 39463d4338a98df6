"""The settings of runs that earlier versions started, as `TrainConfig` has them."""

from __future__ import annotations

from typing import Any

from model.json_config import ConfigError

_RENAMED = {
    "width": "width_mult",
    "shrink": "prune",
    "branches": "reparam",
    "look_again": "tta_threshold",
    "pieces": "splice",
    "unknown": "out_of_charset",
    "teacher_weight": "distill_weight",
    "precision": "amp",
}
_REMOVED = {"guide_weight": 0.0, "augment_on": "workers"}
"""Settings that no longer exist, each with the value that had no effect."""

_SECTIONS = {
    "init": "model width_mult finetune grow prune charset tta_threshold decoder reparam",
    "data": "synth data splice eval out_of_charset fonts words augment max_width",
    "optim": "steps batch optimizer lr schedule weight_decay clip ema",
}


def migrate(values: Any, source: str) -> Any:
    """Settings as `json.loads` returns them, in today's form.

    Args:
        values: Today's nested object, which is returned unchanged, or the flat one of earlier
            versions.
        source: Where they come from, for error messages.

    Raises:
        ConfigError: If a setting that no longer exists had an effect.
    """
    if not isinstance(values, dict) or "optim" in values or "out" not in values:
        return values
    flat = {_RENAMED.get(name, name): value for name, value in values.items() if name != "resume"}
    for name, without_effect in _REMOVED.items():
        if flat.pop(name, without_effect) != without_effect:
            raise ConfigError(
                f"{source}: the run uses --{name.replace('_', '-')}, which no longer exists: start "
                "a new run with --finetune"
            )
    flat["data"] = [_source(item) for item in flat.get("data", [])]
    if not flat["data"]:
        flat["augment"] = None
    if not flat.get("teacher"):
        flat["distill_weight"] = None
    nested = {
        section: {name: flat.pop(name) for name in names.split() if name in flat}
        for section, names in _SECTIONS.items()
    }
    return flat | nested


def _source(item: str) -> dict[str, Any]:
    """A source of earlier versions, which were always saved with their weight."""
    given, _, unlabelled = item.partition(",unlabelled=")
    path, _, weight = given.rpartition("=")
    return {"path": path, "weight": float(weight), "unlabelled": unlabelled}
