"""Checkpoints: torch weights with everything that is needed to use them, in a safetensors file.

The header contains the network's config and its manifest as JSON, the body the weights, by default
as fp16, which halves the file and does not change what the network reads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import Manifest
from model.json_config import ConfigError
from model.network.bundled import DEFAULT_CHECKPOINT, find_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors, write_safetensors


@dataclass(frozen=True)
class Checkpoint:
    """A model as loaded from disk, in evaluation mode, fp32 on the CPU."""

    model: CRNN
    manifest: Manifest
    path: Path

    @property
    def config(self) -> NetworkConfig:
        """The network's architecture."""
        return self.model.config

    def exported(self, tool: str) -> Manifest:
        """The manifest of an FP32 file that is exported from this checkpoint.

        Args:
            tool: The exporting tool with its version.
        """
        provenance = {
            **self.manifest.provenance,
            "exporter": f"torch {torch.__version__}, {tool}",
        }
        return self.manifest.replace(precision="fp32", provenance=provenance)


def difference(first: Manifest, second: Manifest) -> str:
    """How the input or output of two networks differs: `its stride is 8, not 4`; empty if equal."""
    for name in ("charset", "stride", "preprocess"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            detail = _charset_difference(one, other) if name == "charset" else f"{one}, not {other}"
            return f"its {name} is {detail}"
    return ""


def _charset_difference(one: Charset, other: Charset) -> str:
    """How two charsets differ, in short: a charset may have thousands of tokens."""
    extra, missing = (
        [t for t in a.tokens if t not in b.tokens] for a, b in ((one, other), (other, one))
    )
    sizes = f"of {len(one.tokens)} tokens, not the other's {len(other.tokens)}"
    if not extra and not missing:
        kind = "another separator" if one.tokens == other.tokens else "another order"
        return f"{sizes}: the same tokens with {kind}"
    parts = (
        f"{verb} {tokens[:5]}" for verb, tokens in (("has", extra), ("lacks", missing)) if tokens
    )
    return f"{sizes}: it {' and '.join(parts)}"


def save_checkpoint(path: Path, model: CRNN, manifest: Manifest, *, half: bool = True) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file to write.
        model: The network; its training mode and device do not matter.
        manifest: Its charset, preprocessing and origin.
        half: Store floating-point weights as fp16.

    Raises:
        CrnnError: If the file cannot be written.
    """
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu().contiguous()
        small = value.half() if half and value.is_floating_point() else value
        # A variance may exceed the range of fp16.
        tensors[name] = small if torch.isfinite(small).all() else value
    metadata = {"config": model.config.to_json(), "manifest": manifest.to_json()}
    write_safetensors(path, tensors, metadata)


def load_checkpoint(name: str | Path = DEFAULT_CHECKPOINT) -> Checkpoint:
    """Read a checkpoint.

    Args:
        name: Its path, or the name of a bundled one, such as `crnn-lite`.

    Raises:
        ModelFileError: If it is missing, damaged or not a checkpoint, or if its weights do not fit
            its config.
    """
    path = find_checkpoint(name)
    tensors, metadata = read_safetensors(path)
    if "settings" in metadata:
        raise ModelFileError(
            f"{path} is a training state, not a checkpoint: use best.safetensors or "
            "final.safetensors in the same folder, or continue the run with --resume"
        )
    if "config" not in metadata or "manifest" not in metadata:
        raise ModelFileError(f"{path} is not a checkpoint: it contains no config or no manifest")
    try:
        config = NetworkConfig.from_json(metadata["config"], f"the network config in {path}")
    except ConfigError as error:
        raise ModelFileError(str(error)) from None
    manifest = Manifest.from_json(metadata["manifest"], str(path))
    if manifest.charset.num_classes != config.num_classes:
        raise ModelFileError(
            f"{path}: its charset has {manifest.charset.num_classes} classes with the blank, its "
            f"network {config.num_classes}"
        )
    shape = (manifest.preprocess.height, manifest.stride)
    if shape != (config.height, config.stride):
        raise ModelFileError(
            f"{path}: height and stride are {shape} in its manifest, but "
            f"{(config.height, config.stride)} in its network config"
        )
    try:
        model = CRNN(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"cannot build a network from the config in {path}: {error}") from None
    try:
        model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        )
    except RuntimeError as error:
        raise ModelFileError(f"the weights in {path} do not fit its config: {error}") from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    provenance = {**manifest.provenance, "checkpoint_sha256": digest}
    return Checkpoint(model.eval(), manifest.replace(provenance=provenance), path)
