"""Torch weights with everything needed to use them: safetensors, no pickle from strangers.

The header carries the model's config and its manifest as JSON; the body the weights, as fp16 by
default, which halves the file and moves logits by less than reading can tell.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from crnn_edge.backends import SUFFIXES
from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.files import atomic_write
from crnn_edge.manifest import Manifest
from model.network.config import ModelConfig
from model.network.crnn import CRNN

WEIGHTS = Path(__file__).parents[1] / "weights"
DEFAULT = WEIGHTS / "crnn-lite.safetensors"
"""The checkpoint that commands use when none is named."""


@dataclass(frozen=True)
class Checkpoint:
    """A model as loaded from disk, in evaluation mode, fp32 on the CPU."""

    model: CRNN
    manifest: Manifest
    path: Path

    @property
    def config(self) -> ModelConfig:
        """The model's shape."""
        return self.model.config

    def exported(self, tool: str) -> Manifest:
        """The manifest of an FP32 file that torch and a tool, with its version, made of it."""
        provenance = {
            **self.manifest.provenance,
            "exporter": f"torch {torch.__version__}, {tool}",
        }
        return self.manifest.replace(precision="fp32", provenance=provenance)


def difference(theirs: Manifest, ours: Manifest) -> str:
    """What two networks see or say otherwise: `its stride is 8, not 4`; empty if nothing."""
    for name in ("charset", "stride", "preprocess"):
        one, other = getattr(theirs, name), getattr(ours, name)
        if one != other:
            told = _charsets(one, other) if name == "charset" else f"{one}, not {other}"
            return f"its {name} is {told}"
    return ""


def _charsets(one: Charset, other: Charset) -> str:
    """How two charsets differ, in short: one may have thousands of tokens."""
    has, lacks = (
        [t for t in a.tokens if t not in b.tokens] for a, b in ((one, other), (other, one))
    )
    told = f"of {len(one.tokens)} tokens, not the other's {len(other.tokens)}"
    if not has and not lacks:
        kind = "another separator" if one.tokens == other.tokens else "another order"
        return f"{told}: the same with {kind}"
    parts = (f"{verb} {some[:5]}" for verb, some in (("has", has), ("lacks", lacks)) if some)
    return f"{told}: it {' and '.join(parts)}"


def write_safetensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors and texts so that `path` always holds a whole file, old or new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, save(tensors, metadata))


def save_checkpoint(path: Path, model: CRNN, manifest: Manifest, *, half: bool = True) -> None:
    """Write a checkpoint atomically.

    Args:
        path: Where to.
        model: The network; its training mode and device do not matter.
        manifest: What it reads and how it was made.
        half: Store floating-point weights as fp16.
    """
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu().contiguous()
        small = value.half() if half and value.is_floating_point() else value
        # A variance may be more than fp16 can hold.
        tensors[name] = small if torch.isfinite(small).all() else value
    metadata = {
        "config": json.dumps(model.config.to_dict()),
        "manifest": manifest.to_json(),
    }
    write_safetensors(path, tensors, metadata)


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and texts of a safetensors file.

    Raises:
        ModelFileError: If it is missing, cut, or no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"no checkpoint at {path}: train one with `python -m model.train`, or name another"
        )
    if path.suffix.lower() in SUFFIXES:
        raise ModelFileError(
            f"{path} is a model file: expected the checkpoint that it was exported from, a "
            ".safetensors"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is no whole safetensors file: {error}") from None


def load_checkpoint(path: Path = DEFAULT) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelFileError: If it is missing, cut, foreign, or its weights do not fit its config.
    """
    path = Path(path)
    tensors, metadata = read_safetensors(path)
    if "settings" in metadata:
        raise ModelFileError(
            f"{path} is the state of a run, no checkpoint: name best.safetensors or "
            "final.safetensors beside it, or go on with that run, --resume"
        )
    if "config" not in metadata or "manifest" not in metadata:
        raise ModelFileError(f"{path} has no config or manifest: no checkpoint of this toolkit")
    try:
        config = ModelConfig.from_dict(json.loads(metadata["config"]), str(path))
    except json.JSONDecodeError as error:
        raise ModelFileError(f"the model config in {path} is not JSON: {error}") from None
    manifest = Manifest.from_json(metadata["manifest"], str(path))
    if manifest.charset.num_classes != config.num_classes:
        raise ModelFileError(
            f"{path}: its charset makes {manifest.charset.num_classes} classes with the blank, "
            f"its network {config.num_classes}"
        )
    seen = (manifest.preprocess.height, manifest.stride)
    if seen != (config.height, config.stride):
        raise ModelFileError(
            f"{path}: its manifest tells a height and a stride of {seen}, its network has "
            f"{(config.height, config.stride)}"
        )
    try:
        model = CRNN(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the model config in {path} makes no network: {error}") from None
    try:
        model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        )
    except RuntimeError as error:
        raise ModelFileError(f"the weights in {path} do not fit its config: {error}") from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    provenance = {**manifest.provenance, "checkpoint_sha256": digest}
    return Checkpoint(model.eval(), manifest.replace(provenance=provenance), path)
