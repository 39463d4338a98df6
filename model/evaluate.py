"""How well a checkpoint or a model file reads labelled crops: `python -m model.evaluate --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from crnn_edge.backends import Backend, open_backend
from crnn_edge.charset import Charset
from crnn_edge.cli.run import run_command
from crnn_edge.decoders.settings import parse_settings
from crnn_edge.errors import CrnnError, ImageError
from crnn_edge.labels import LabelledFolder
from crnn_edge.manifest import Manifest
from crnn_edge.metrics import Score, edit_distance, score
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognizer import Recognizer
from model.analysis import breakdown
from model.analysis.contact_sheet import check_sheet, contact_sheet
from model.data.augment.padding import add_room
from model.data.datasets import Image, Lmdb, Sample, open_dataset

EXAMPLES = """
examples:
  python -m model.evaluate model/weights/crnn-lite.safetensors crops/dev
  python -m model.evaluate crnn-medium crops/dev --errors errors.png
  python -m model.evaluate runtime/crnn_edge/models/crnn-lite.onnx crops/dev --breakdown
  python -m model.evaluate runtime/crnn_edge/models/crnn-lite.onnx crops/dev --room 0.5 0.2
  python -m model.evaluate meter.onnx meters/dev --decoder beam --set 'pattern=\\d{6}'
"""

_BATCH = 256


def read_all(
    recognizer: Recognizer,
    samples: Sequence[Sample],
    *,
    names: Sequence[str] = (),
    progress: bool = False,
) -> list[str]:
    """What a recognizer reads in each sample's image.

    Args:
        recognizer: Who reads.
        samples: Images with their texts.
        names: What to call each sample where it cannot be read; its number, from 1, if not given.
        progress: Show a bar.

    Raises:
        ImageError: If an image cannot be read, because it is too wide, say.
    """
    readings: list[str] = []
    for start in tqdm(range(0, len(samples), _BATCH), unit="batch", disable=not progress):
        members = range(start, min(start + _BATCH, len(samples)))
        images = [samples[i][0] for i in members]
        try:
            readings += [r.text for r in recognizer.batch(images)]
        except ImageError:
            called = names[start:] or [f"number {i + 1}" for i in members]
            _refuse_first(recognizer.manifest.preprocess, images, called)
            raise
    return readings


def _refuse_first(preprocess: Preprocess, images: Sequence[Image], names: Sequence[str]) -> None:
    """Tell which image it is that cannot be read: the recognizer knows only its batch.

    Raises:
        ImageError: If there is one.
    """
    for image, name in zip(images, names, strict=False):
        try:
            preprocess(image)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None


def evaluate(backend: Backend, samples: Sequence[Sample]) -> Score:
    """The score of a network on labelled samples, read greedily, without test-time augmentation."""
    texts = [samples[i][1] for i in range(len(samples))]
    readings = read_all(Recognizer(backend, "greedy", tta_threshold=0), samples)
    return score(texts, readings, backend.manifest.charset)


def open_any(path: Path, *, threads: int | None = None, device: str = "cpu") -> Backend:
    """A checkpoint (`.safetensors`) or a model file of any format as a backend."""
    name = "model.network.backend" if path.suffix == ".safetensors" else None
    return open_backend(path, name, threads=threads, device=device)


def build_parser() -> argparse.ArgumentParser:
    """The parser, whose help teaches."""
    parser = argparse.ArgumentParser(
        prog="python -m model.evaluate",
        description="Measure a checkpoint or model file on labelled crops: accuracy by the "
        "scene-text protocol (lower-case, only a-z and 0-9), exact match, 1-NED and CER, each "
        "with its 95 % interval and the sample size.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", type=Path, help="a checkpoint (.safetensors) or a model file of any format")
    add("data", type=Path, nargs="+", help="folders with labels.tsv or labels.csv, or LMDBs")
    add("--decoder", metavar="NAME", help="such as greedy or lm (default: as the file says)")
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the decoder, such as beam_size=20; repeatable",
    )
    add(
        "--tta-threshold",
        type=float,
        metavar="P",
        help="read again what is less probable than this, 0 for one look (default: as the file "
        "says)",
    )
    add("--threads", type=int, help="(default: the engine's own)")
    add("--device", default="cpu", help="(default: %(default)s)")
    add(
        "--room",
        type=_heights,
        nargs="+",
        default=[0.0],
        metavar="HEIGHTS",
        help="add room to the crops, as of a looser box: so many heights of the crop at either end "
        "of the line and, with a second number, above and below",
    )
    add(
        "--breakdown",
        action="store_true",
        help="also by length, by room for a character and by kind of text, and what is most often "
        "taken for what",
    )
    add("--errors", type=Path, metavar="PNG", help="draw the worst misreadings")
    add("--json", action="store_true", help="print one JSON object a dataset")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point of `python -m model.evaluate`."""
    args = build_parser().parse_args(argv)
    return run_command(lambda: _evaluate(args))


def _heights(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= 10:
            return float(text)
    raise argparse.ArgumentTypeError(
        f"expected one number or two, from 0 to 10, got {text!r}: the model and the data go before"
    )


def _evaluate(args: argparse.Namespace) -> None:
    if len(args.room) > 2:
        raise CrnnError(
            f"--room takes one number or two, beside the line and above it, got {args.room}: name "
            "the model and the data before it"
        )
    if args.model.is_dir():
        raise CrnnError(f"{args.model} is a folder: the model is named first, then the data")
    if args.errors:
        check_sheet(args.errors)
    settings = parse_settings(args.decoder, args.settings)
    backend = open_any(args.model, threads=args.threads, device=args.device)
    recognizer = Recognizer(
        backend,
        args.decoder,
        decoder_settings=settings,
        tta_threshold=args.tta_threshold,
    )
    misread: list[tuple[int, Sample, str]] = []
    for path in args.data:
        dataset = open_dataset(path)
        samples = [dataset[i] for i in tqdm(range(len(dataset)), desc=str(path), leave=False)]
        samples = [(add_room(image, *args.room), text) for image, text in samples]
        charset = recognizer.manifest.charset
        _remark(path, [text for _, text in samples], charset)
        readings = read_all(recognizer, samples, names=_names(dataset), progress=True)
        result = score([text for _, text in samples], readings, charset)
        cases = [
            breakdown.Case(image.shape[0], image.shape[1], text, reading)
            for (image, text), reading in zip(samples, readings, strict=True)
        ]
        _print(args, path, result, cases, recognizer.manifest)
        misread += [
            (edit_distance(charset.split(sample[1]), charset.split(reading)), sample, reading)
            for sample, reading in zip(samples, readings, strict=True)
            if sample[1] != reading
        ]
    if args.errors:
        if not misread:
            print(f"nothing was misread: {args.errors} is a blank picture", file=sys.stderr)
        _draw_errors(misread, args.errors)


def _names(dataset: LabelledFolder | Lmdb) -> list[str]:
    """What to call each sample: by its file, if it has one of its own."""
    if isinstance(dataset, LabelledFolder):
        return [str(path) for path in dataset.paths]
    return [f"{dataset.path}, number {i + 1}" for i in range(len(dataset))]


def _remark(path: Path, texts: Sequence[str], charset: Charset) -> None:
    """Say how many labels there are that hardly any reading can equal: these count, too."""
    foreign = [text for text in texts if text not in charset]
    empty = sum(not text for text in texts)
    told = [f"{empty} are empty"] if empty else []
    if spaced := sum(text != text.strip() for text in texts):
        told.append(f"{spaced} begin or end with a space")
    if foreign:
        told.append(f"{len(foreign)} have characters that the model does not read ({foreign[0]!r})")
    if told:
        print(
            f"{path}: of {len(texts)} labels {' and '.join(told)}: these count, too",
            file=sys.stderr,
        )


def _print(
    args: argparse.Namespace,
    path: Path,
    result: Score,
    cases: list[breakdown.Case],
    about: Manifest,
) -> None:
    groups: list[breakdown.Group] = []
    confusions: list[tuple[str, str, int]] = []
    if args.breakdown:
        confusions = breakdown.confusions(cases, about.charset.split)
        if not about.charset.separator:  # of other symbols there are no such kinds
            groups = breakdown.groups(cases, about.preprocess.height)
    if args.json:
        told: dict[str, Any] = {"model": str(args.model), "data": str(path), **result.to_dict()}
        if args.breakdown:
            told["groups"] = [group.to_dict() for group in groups]
            told["confusions"] = confusions
        print(json.dumps(told))
        return
    print(f"{path}: n = {result.n}")
    rows = {
        "accuracy (STR)": result.accuracy,
        "exact": result.exact,
        "1-NED": result.one_minus_ned,
        "CER": result.cer,
    }
    for name, value in rows.items():
        low, high = 100 * value.low, 100 * value.high
        print(f"  {name:<15} {100 * value:6.2f} %   [{low:.2f}, {high:.2f}]")
    if args.breakdown:
        print("\n".join(breakdown.lines(groups, confusions)))


def _draw_errors(misread: list[tuple[int, Sample, str]], path: Path) -> None:
    """A contact sheet of the worst misreadings, truth above reading."""
    worst = sorted(misread, key=lambda item: -item[0])[:120]
    contact_sheet(
        [image for _, (image, _), _ in worst],
        [f"{truth}\n{reading}" for _, (_, truth), reading in worst],
        path,
    )


if __name__ == "__main__":
    sys.exit(main())
