"""What a run starts from: a fresh network, or a checkpoint's, respelled, grown or shrunk."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError
from crnn_edge.manifest import DecoderChoice, Manifest, Parent
from crnn_edge.preprocess import Preprocess
from model.network.checkpoint import load_checkpoint
from model.network.config import CONFIGS
from model.network.crnn import CRNN
from model.network.fusion import with_reparam, without_reparam
from model.network.net2net import grow
from model.network.pruning import prune
from model.training.arguments import MODEL, split_weight


def parse_charset(text: str) -> Charset:
    """The charset that `--charset` names: its characters, or `@FILE` with one token a line.

    Raises:
        CharsetError: If there is no token, the file cannot be read, or the tokens contradict
            themselves.
    """
    if not text:
        raise CharsetError("an empty charset reads nothing: give its characters, or name none")
    if not text.startswith("@") or len(text) == 1:
        return Charset(tuple(text))
    try:
        # With a byte order mark or without: it is no token.
        lines = Path(text[1:]).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CharsetError(f"cannot read the charset {text[1:]}: {reason}") from None
    tokens = tuple(line for line in lines if line)
    if not tokens:
        raise CharsetError(f"no token in {text[1:]}: expected one a line")
    return Charset(tokens, separator="" if all(len(t) == 1 for t in tokens) else " ")


def first_network(settings: argparse.Namespace) -> tuple[CRNN, Manifest, CRNN]:
    """What is to be trained, its manifest, and what reads best before that.

    Raises:
        CrnnError: If the checkpoint or the charset is missing or damaged, or does not fit.
    """
    wanted = parse_charset(settings.charset) if settings.charset is not None else None
    made = {"rendered words": settings.synth, "pieces of these": settings.pieces}
    rendered, pieces = (f"{name} x {weight:g}" if weight else "" for name, weight in made.items())
    facts: dict[str, Any] = {
        "trained_on": ", ".join(filter(None, [rendered, *map(_told, settings.data), pieces])),
        "provenance": {"seed": settings.seed},
        "images_seen": None,
        "parents": (),
    }
    if settings.finetune:
        start, network = _start(settings, settings.finetune, wanted)
        if settings.reparam is not None:
            network = with_reparam(network) if settings.reparam else without_reparam(network)
        facts["parents"] = (Parent(start.provenance["checkpoint_sha256"], "finetuned"),)
        return network, start.replace(**facts, metrics={}), network
    config = CONFIGS[settings.model or MODEL].scaled(settings.width_mult or 1.0)
    if settings.grow or settings.prune:
        start, network = _start(settings, settings.grow or settings.prune, wanted)
        how = "grown" if settings.grow else "pruned"
        facts["parents"] = (Parent(start.provenance["checkpoint_sha256"], how),)
        branches = bool(settings.reparam) or (bool(settings.grow) and network.config.reparam)
        config = dataclasses.replace(
            config, num_classes=start.charset.num_classes, reparam=branches
        )
        reshaped = grow(network, config) if settings.grow else prune(network, config)
        manifest = start.replace(name=config.name, **facts, metrics={})
        return reshaped, manifest, network
    charset = wanted or Charset.ascii()
    config = dataclasses.replace(
        config, num_classes=charset.num_classes, reparam=bool(settings.reparam)
    )
    manifest = Manifest(
        name=config.name,
        charset=charset,
        preprocess=Preprocess(height=config.height),
        stride=config.stride,
        **facts,
    )
    fresh = CRNN(config)
    return fresh, manifest, fresh


def _start(
    settings: argparse.Namespace, path: Path, wanted: Charset | None
) -> tuple[Manifest, CRNN]:
    """A checkpoint's manifest and network, with a last layer for the charset that is wanted.

    What comes of it is another version, and where it reads something else, no rendered words or
    another charset, another model: it is called as its run is.
    """
    start = load_checkpoint(path)
    old = start.manifest
    charset = wanted or old.charset
    other = charset != old.charset or not settings.synth
    name = settings.out.resolve().name if other else old.name
    decoder = DecoderChoice() if other else old.decoder  # that was advised for other texts
    manifest = old.replace(name=name, version=Manifest.version, charset=charset, decoder=decoder)
    return manifest, _respell(start.model, old.charset, charset)


def _told(item: str) -> str:
    """A `--data DIR=WEIGHT` for the manifest, without the rest of the path: that is private."""
    path, weight = split_weight(item)
    return f"{path.resolve().name} x {weight:g}"


def _respell(model: CRNN, old: Charset, new: Charset) -> CRNN:
    """The same network with a last layer for `new`; tokens that both have keep their weights."""
    if old == new:
        return model
    fresh = CRNN(dataclasses.replace(model.config, num_classes=new.num_classes))
    weights = model.state_dict()
    last = f"linears.{model.config.lstm_layers - 1}."
    kept = [(0, 0)] + [
        (k + 1, old.encode(token)[0]) for k, token in enumerate(new.tokens) if token in old.tokens
    ]
    rows_new, rows_old = (list(rows) for rows in zip(*kept, strict=True))
    for name in (last + "weight", last + "bias"):
        head = fresh.state_dict()[name].clone()
        head[rows_new] = weights[name][rows_old]
        weights[name] = head
    fresh.load_state_dict(weights)
    return fresh
