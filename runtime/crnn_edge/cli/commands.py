"""What `python -m crnn_edge {read, info, check, bench, lexicon}` does once its options are parsed.

A command is a function that takes the options and returns the exit code; `--help` prints its
docstring.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from crnn_edge import selftest
from crnn_edge.backends import SUFFIXES, open_backend, physical_cores
from crnn_edge.cli import bench as benchmark
from crnn_edge.decoders.lexicon_index import LexiconIndex
from crnn_edge.decoders.settings import parse_settings
from crnn_edge.errors import EngineError, ImageError
from crnn_edge.files import model_size
from crnn_edge.images import Image, list_images, read_image
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognizer import Recognizer


def read(options: argparse.Namespace) -> int:
    r"""Read pictures of one line of text each.

    Writes a line a picture: path, text and p(text | picture), separated by tabs; with --json an
    object a line, with characters, their spans in pixels, and the alternatives that a decoder was
    asked for, which no line without --json has room for. Where a decoder was told what a text
    must be (a pattern, a word list) and this one is not, `not as asked` follows as a fourth field;
    in JSON `matches_constraint` is false, and `optimal` is true where no other text that the
    decoder may choose is more probable. A picture that cannot be read gives a line on standard
    error, the others are still read, and the exit code is 1.

    Examples:
      python -m crnn_edge read word.png
      python -m crnn_edge read --model my.onnx --json crops/ more/*.jpg
      cat word.png | python -m crnn_edge read -
      python -m crnn_edge read plate.png --decoder beam --set 'pattern=[A-Z]{2}\d{4}'
      python -m crnn_edge read crops/ --decoder lexicon --set words=names.txt
      python -m crnn_edge read word.png --decoder beam --set nbest=5 --json
      python -m crnn_edge read hard/ --tta-threshold 0.7
    """
    reader = Recognizer.load(options.model, **_wanted(options))
    pictures = _pictures(options.images, reader.manifest.preprocess)
    code = 0
    while some := list(islice(pictures, options.batch)):
        good = [picture for picture in some if picture is not None]
        readings = reader.batch([image for _, image in good])
        for (path, _), reading in zip(good, readings, strict=True):
            if options.json:
                told = json.dumps({"path": path} | reading.to_dict(), ensure_ascii=False)
                # Bytes of a file name that are no UTF-8 would be none in JSON either.
                print(told.encode(errors="backslashreplace").decode())
            else:
                mark = "\tnot as asked" if reading.matches_constraint is False else ""
                print(f"{path}\t{reading.text}\t{reading.confidence:.4f}{mark}")
        sys.stdout.flush()
        code |= len(good) < len(some)
    return code


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say to `Recognizer.load`."""
    names = "backend", "decoder", "tta_threshold", "threads", "device"
    named = {name: getattr(options, name) for name in names}
    return named | parse_settings(options.decoder, options.settings)


def _pictures(names: Sequence[str], preprocess: Preprocess) -> Iterator[tuple[str, Image] | None]:
    """The pictures that the command line names; for one that cannot be read, an error and None."""
    for name in names:
        try:
            paths = [name] if name == "-" else [str(path) for path in list_images(name)]
        except ImageError as error:
            print(f"error: {error}", file=sys.stderr)
            yield None
        else:
            yield from (_picture(path, preprocess) for path in paths)


def _picture(path: str, preprocess: Preprocess) -> tuple[str, Image] | None:
    place = "standard input: " if path == "-" else ""  # of a file `read_image` tells the name
    try:
        if path == "-" and sys.stdin is None:
            raise ImageError("it is closed")
        with warnings.catch_warnings(action="ignore"):  # Pillow's, of odd notes in pictures
            image = read_image(sys.stdin.buffer.read() if path == "-" else path)
        place = f"{path}: "
        preprocess.bucket(*image.shape[:2])
    except ImageError as error:
        model = " (a model file is named with --model)" if Path(path).suffix in SUFFIXES else ""
        print(f"error: {place}{error}{model}", file=sys.stderr)
        return None
    return path, image


def info(options: argparse.Namespace) -> int:
    """Print what a model file says about itself: charset, preprocessing, origin, figures.

    Examples:
      python -m crnn_edge info model.onnx
      python -m crnn_edge info model.onnx --json
    """
    manifest = open_backend(options.model, options.backend, threads=1).manifest
    if options.json:
        print(manifest.to_json())
        return 0
    charset = manifest.charset
    preprocess = dataclasses.asdict(manifest.preprocess)
    rows = {
        "file": f"{options.model} ({model_size(options.model):,} bytes)",
        "model": f"{manifest.name}, version {manifest.version}, {manifest.precision}",
        "charset": f"{len(charset.tokens)} tokens: {charset.join(charset.tokens)}",
        "preprocess": ", ".join(f"{key} {value}" for key, value in preprocess.items()),
        "time step": f"{manifest.stride} px of the tensor",
        "decoder": manifest.decoder.name,
        "test-time augmentation": f"below p = {manifest.tta.threshold:g}"
        if manifest.tta.threshold
        else "none",
        "self-test": f"{sum(k >= 0 for k in manifest.selftest)} time steps pinned",
    }
    for part in ("provenance", "metrics"):
        for key, value in sorted(getattr(manifest, part).items()):
            rows[f"{part}: {key}"] = value if isinstance(value, str) else json.dumps(value)
    width = max(map(len, rows))
    for key, told in rows.items():
        print(f"{key:<{width}}  {told}")
    return 0


def check(options: argparse.Namespace) -> int:
    """Prove that a model file computes on this machine what it computed where it was exported.

    Reads a built-in picture and compares the classes with those in the file; exit code 1 if they
    differ.

    Examples:
      python -m crnn_edge check model.onnx --threads 1
    """
    backend = open_backend(
        options.model, options.backend, threads=options.threads, device=options.device
    )
    result = selftest.check(backend)
    told = result.describe(backend.manifest.charset)
    if options.json:
        found = {"ok": result.ok, "pinned": result.pinned, "differences": result.differences}
        print(json.dumps({"path": str(options.model), **found}))
    elif result.ok:
        print(f"{options.model}: {told}")
    if not result.ok:
        raise EngineError(
            f"{options.model} computes something else here than where it was exported: {told}"
        )
    return 0


def bench(options: argparse.Namespace) -> int:
    """Time model files on this machine, in turns.

    Quantiles a read and a stage, words a second in batches, cold start of a new process; with
    labelled pictures the accuracy too, with 95 % intervals.

    Examples:
      python -m crnn_edge bench model.onnx --threads 1
      python -m crnn_edge bench fp32.onnx int8.onnx --images crops/ --json
    """
    images: Sequence[Image] = [selftest.selftest_image()]
    names: Sequence[Path] = ()
    texts = None
    if options.images is not None and any(Path(options.images).glob("labels.[ct]sv")):
        folder = LabelledFolder(options.images)
        names = folder.paths
        images, texts = zip(*folder, strict=True)
    elif options.images is not None:
        names = list_images(options.images)
        images = [read_image(path) for path in names]
    reports = benchmark.bench(
        options.models, images, texts, names=names, runs=options.runs, **_wanted(options)
    )
    machine, threads = benchmark.machine(), options.threads or physical_cores()
    if options.json:
        found = [report.to_dict() for report in reports]
        print(json.dumps({"machine": machine, "threads": threads, "models": found}))
        return 0
    print(f"{machine}; threads: {threads}; pictures: {len(images)}")
    for report in reports:
        print(f"\n{report.path}: {report.name}, {report.precision}, {report.size_bytes:,} bytes")
        print(f"  {'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}")
        for stage, quantiles in {"a read": report.read, **report.stages}.items():
            print(f"  {stage:<12}" + "".join(f"{ms:9.3f}" for ms in quantiles.values()))
        speed = f"{report.words_per_s:,.0f} words/s in batches"
        print(f"  {speed}; cold start {report.cold_start_ms} ms")
        if (s := report.score) is not None:
            figures = {
                "accuracy": s.accuracy,
                "exact": s.exact,
                "1-NED": s.one_minus_ned,
                "CER": s.cer,
            }
            told = [
                f"{name} {100 * share:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"
                for name, share in figures.items()
            ]
            print(f"  n {s.n}; {'; '.join(told)}")
    return 0


def lexicon(options: argparse.Namespace) -> int:
    """LexiconIndex a word list for the lexicon decoder, so that it loads in a millisecond.

    The list has a word a line. The index is for models of the same charset.

    Examples:
      python -m crnn_edge lexicon names.txt --out names.lexicon
      python -m crnn_edge read crops/ --decoder lexicon --set words=names.lexicon
    """
    charset = open_backend(options.model, options.backend, threads=1).manifest.charset
    index = LexiconIndex.read(options.words, charset, ignore_case=not options.match_case)
    index.save(options.out)
    count = int(index.automaton.accepts.sum())
    size = options.out.stat().st_size
    if options.json:
        print(json.dumps({"path": str(options.out), "words": count, "size_bytes": size}))
    else:
        print(f"{options.out}: {count:,} words, {size:,} bytes")
    return 0
