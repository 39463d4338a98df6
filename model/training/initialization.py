"""The network that a run starts from: new, or a checkpoint's, perhaps resized, grown or pruned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from crnn_edge.charset import Charset
from crnn_edge.manifest import DecoderChoice, Manifest, Parent
from crnn_edge.preprocess import Preprocess
from model.network.checkpoint import load_checkpoint
from model.network.config import CONFIGS, NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import with_reparam, without_reparam
from model.network.net2net import grow
from model.network.pruning import prune
from model.training.charset import parse_charset
from model.training.config import DEFAULT_NETWORK, DataConfig, InitConfig, TrainConfig


class InitialModel(NamedTuple):
    """What a run starts from.

    Attributes:
        model: The network to train.
        manifest: Its manifest.
        reader: The most accurate network at this point: the start checkpoint's where there is one.
    """

    model: CRNN
    manifest: Manifest
    reader: CRNN


def initial_model(config: TrainConfig) -> InitialModel:
    """The network to train, and its manifest.

    Raises:
        CrnnError: If the checkpoint or the charset is missing, damaged or incompatible.
    """
    init = config.init
    wanted = parse_charset(init.charset) if init.charset is not None else None
    facts: dict[str, Any] = {
        "trained_on": _trained_on(config.data),
        "provenance": {"seed": config.seed},
        "images_seen": None,
        "parents": (),
    }
    if init.checkpoint is None:
        charset = wanted or Charset.ascii()
        architecture = dataclasses.replace(
            _architecture(init), num_classes=charset.num_classes, reparam=bool(init.reparam)
        )
        model = CRNN(architecture)
        manifest = Manifest(
            name=architecture.name,
            charset=charset,
            preprocess=Preprocess(height=architecture.height),
            stride=architecture.stride,
            **facts,
        )
        return InitialModel(model, manifest, model)
    start, reader = _load_start(config, init.checkpoint, wanted)
    how = "finetuned" if init.finetune else "grown" if init.grow else "pruned"
    facts["parents"] = (Parent(start.provenance["checkpoint_sha256"], how),)
    model = reader
    if init.finetune:
        if init.reparam is not None:
            model = reader = with_reparam(model) if init.reparam else without_reparam(model)
    else:
        reparam = bool(init.reparam) or (bool(init.grow) and reader.config.reparam)
        architecture = dataclasses.replace(
            _architecture(init), num_classes=start.charset.num_classes, reparam=reparam
        )
        model = grow(reader, architecture) if init.grow else prune(reader, architecture)
        facts["name"] = architecture.name
    return InitialModel(model, start.replace(**facts, metrics={}), reader)


def resize_head(model: CRNN, old: Charset, new: Charset) -> CRNN:
    """The network with a final layer for another charset; shared tokens keep their weights."""
    if old == new:
        return model
    resized = CRNN(dataclasses.replace(model.config, num_classes=new.num_classes))
    weights = model.state_dict()
    last = f"linears.{model.config.lstm_layers - 1}."
    shared = [(0, 0)] + [
        (k + 1, old.encode(token)[0]) for k, token in enumerate(new.tokens) if token in old.tokens
    ]
    rows_new, rows_old = (list(rows) for rows in zip(*shared, strict=True))
    for name in (last + "weight", last + "bias"):
        head = resized.state_dict()[name].clone()
        head[rows_new] = weights[name][rows_old]
        weights[name] = head
    resized.load_state_dict(weights)
    return resized


def _architecture(init: InitConfig) -> NetworkConfig:
    config = CONFIGS[init.model or DEFAULT_NETWORK].scaled(init.width_mult or 1.0)
    return dataclasses.replace(config, backbone=init.backbone) if init.backbone else config


def _load_start(config: TrainConfig, path: Path, wanted: Charset | None) -> tuple[Manifest, CRNN]:
    """A checkpoint's manifest and network, with a head for the wanted charset.

    A model for another charset, or trained without rendered words, is a different model: it gets
    the name of its run, and no decoder that was recommended for other texts.
    """
    start = load_checkpoint(path)
    old = start.manifest
    charset = wanted or old.charset
    different = charset != old.charset or not config.data.synth
    manifest = old.replace(
        name=config.out.resolve().name if different else old.name,
        version=Manifest.version,
        charset=charset,
        decoder=DecoderChoice() if different else old.decoder,
    )
    return manifest, resize_head(start.model, old.charset, charset)


def _trained_on(data: DataConfig) -> str:
    """The mixture in words; folders without the rest of their path, which is private."""
    parts = [("rendered words", data.synth)] if data.synth else []
    parts += [(f"style {style.name}", style.weight) for style in data.style]
    parts += [(source.path.resolve().name, source.weight) for source in data.data]
    parts += [("spliced crops", data.splice)] if data.splice else []
    return ", ".join(f"{name} x {weight:g}" for name, weight in parts)
