"""What `python -m runtime {read, info, check, bench, lexicon}` does once its options are parsed.

Each function takes the parsed options and returns the exit code.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence

from runtime import bench as benchmark
from runtime import selftest
from runtime.backends import model_size, open_backend, physical_cores
from runtime.decoders import parse_settings
from runtime.decoders.lexicon_index import Index
from runtime.errors import ImageError
from runtime.images import Image, LabelledFolder, list_images, read_image
from runtime.preprocess import Preprocess
from runtime.recognizer import Recognizer


def read(options: argparse.Namespace) -> int:
    """Read pictures; a bad one is reported and the others are still read."""
    reader = Recognizer.load(
        options.model,
        backend=options.backend,
        decoder=options.decoder,
        threads=options.threads,
        device=options.device,
        **parse_settings(options.decoder, options.settings),
    )
    failed = False
    waiting: list[tuple[str, Image]] = []

    def flush() -> None:
        readings = reader.batch([image for _, image in waiting])
        for (path, _), reading in zip(waiting, readings, strict=True):
            if options.json:
                print(json.dumps({"path": path} | reading.to_dict(), ensure_ascii=False))
            else:
                print(f"{path}\t{reading.text}\t{reading.confidence:.4f}")
        sys.stdout.flush()
        waiting.clear()

    for path, image in _pictures(options.images, reader.manifest.preprocess):
        if isinstance(image, ImageError):
            print(f"error: {image}", file=sys.stderr)
            failed = True
            continue
        waiting.append((path, image))
        if len(waiting) == options.batch:
            flush()
    flush()
    return 1 if failed else 0


def _pictures(
    names: Sequence[str], preprocess: Preprocess
) -> Iterator[tuple[str, Image | ImageError]]:
    """The pictures that the command line names, or why one cannot be read."""
    for name in names:
        try:
            paths = [name] if name == "-" else [str(path) for path in list_images(name)]
        except ImageError as error:
            yield name, error
            continue
        for path in paths:
            try:
                image = read_image(sys.stdin.buffer.read() if path == "-" else path)
            except ImageError as error:
                yield path, ImageError(f"standard input: {error}") if path == "-" else error
                continue
            try:
                preprocess.bucket(*image.shape[:2])
            except ImageError as error:
                yield path, ImageError(f"{path}: {error}")
            else:
                yield path, image


def info(options: argparse.Namespace) -> int:
    """Print a manifest."""
    manifest = open_backend(options.model, options.backend, threads=1).manifest
    if options.json:
        print(manifest.to_json())
        return 0
    charset = manifest.charset
    rows: dict[str, object] = {
        "file": f"{options.model} ({model_size(options.model):,} bytes)",
        "model": f"{manifest.name}, version {manifest.version}, {manifest.precision}",
        "charset": f"{len(charset.tokens)} tokens: {charset.join(charset.tokens)}",
        "preprocess": ", ".join(
            f"{key} {value}" for key, value in dataclasses.asdict(manifest.preprocess).items()
        ),
        "time step": f"{manifest.stride} px of the tensor",
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
    """Run the self-test."""
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
        print(
            f"error: {options.model} computes something else here than where it was exported: "
            f"{told}",
            file=sys.stderr,
        )
    return 0 if result.ok else 1


def bench(options: argparse.Namespace) -> int:
    """Time model files."""
    images, texts = [selftest.selftest_image()], None
    if options.images is not None:
        if any((options.images / name).is_file() for name in ("labels.tsv", "labels.csv")):
            labelled = LabelledFolder(options.images)
            images, texts = [read_image(path) for path in labelled.paths], labelled.texts
        else:
            images = [read_image(path) for path in list_images(options.images)]
    reports = benchmark.bench(
        options.models,
        images,
        texts,
        backend=options.backend,
        decoder=options.decoder,
        threads=options.threads,
        device=options.device,
        runs=options.runs,
        **parse_settings(options.decoder, options.settings),
    )
    threads = options.threads or physical_cores()
    if options.json:
        found = [report.to_dict() for report in reports]
        print(json.dumps({"machine": benchmark.machine(), "threads": threads, "models": found}))
        return 0
    print(f"{benchmark.machine()}; threads: {threads}; pictures: {len(images)}")
    for report in reports:
        print(f"\n{report.path}: {report.name}, {report.precision}, {report.size_bytes:,} bytes")
        print(f"  {'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}")
        for stage, q in {"a read": report.read, **report.stages}.items():
            print(f"  {stage:<12}{q.p50_ms:9.3f}{q.p95_ms:9.3f}{q.p99_ms:9.3f}")
        print(
            f"  {report.words_per_s:,.0f} words/s in batches; cold start {report.cold_start_ms} ms"
        )
        if report.score is not None:
            s = report.score
            print(f"  n {s.n}; accuracy {s.accuracy}; exact {s.exact}; 1-NED {s.ned}; CER {s.cer}")
    return 0


def lexicon(options: argparse.Namespace) -> int:
    """Index a word list."""
    charset = open_backend(options.model, options.backend, threads=1).manifest.charset
    index = Index.read(options.words, charset, ignore_case=not options.match_case)
    index.save(options.out)
    count = int(index.automaton.accepts.sum())
    size = options.out.stat().st_size
    if options.json:
        print(json.dumps({"path": str(options.out), "words": count, "size_bytes": size}))
    else:
        print(f"{options.out}: {count:,} words, {size:,} bytes")
    return 0
