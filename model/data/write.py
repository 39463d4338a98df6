"""Labelled pictures onto disk: a folder or an LMDB.

Either is built under another name beside its place and renamed when complete, so that
nothing half-written can be mistaken for a dataset.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crnn_edge.errors import CrnnError
from model.data.datasets import Source
from model.data.workers import made_by_processes

_CHUNK = 50  # words a worker renders at a time
_QUALITY = 92  # of the JPEGs
_MAP_BYTES = 1 << 40  # an LMDB's upper limit: address space, not disk


class _Worker:
    """Renders a chunk of a source, as encoded pictures; what each process is sent once."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count = source, count

    def __call__(self, chunk: int) -> list[tuple[bytes, str]]:
        start = chunk * _CHUNK
        samples = [self.source[i] for i in range(start, min(self.count, start + _CHUNK))]
        return [(_jpeg(image), text) for image, text in samples]


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return data.tobytes()


def _encoded(source: Source, count: int, workers: int) -> Iterator[tuple[bytes, str]]:
    """The first samples of a source in order, as JPEG and text, with a progress bar."""
    worker, chunks = _Worker(source, count), range(-(-count // _CHUNK))
    with tqdm(total=count, unit=" pictures", disable=None) as bar:
        if workers == 1:
            for chunk in chunks:
                yield from worker(chunk)
                bar.update(min(_CHUNK, count - bar.n))
            return
        for samples in made_by_processes(worker, chunks, workers):
            yield from samples
            bar.update(len(samples))


def _build(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder under a passing name, then give it its own.

    Raises:
        CrnnError: If the target is there already, or cannot be written.
    """
    if target.exists():
        raise CrnnError(f"{target} is there already: remove it, or choose another --out")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            scratch.chmod(0o755)
            fill(scratch)
            scratch.rename(target)
        except BaseException:
            shutil.rmtree(scratch)
            raise
    except OSError as error:
        raise CrnnError(f"cannot write {target}: {error.strerror}") from None


def write_folder(
    source: Source,
    count: int,
    target: Path,
    workers: int = 1,
    *,
    name: str = "word",
    beside: Mapping[str, str] | None = None,
) -> None:
    """Write the first samples as `word-%07d.jpg` and a `labels.tsv` of file and text.

    Args:
        source: The samples.
        count: How many.
        target: The folder, which is whole or not there.
        workers: Processes that render.
        name: What a picture is called, if not `word`.
        beside: Further files of the folder: their texts by their names.

    Raises:
        CrnnError: If the target is there already, or cannot be written.
    """

    def fill(folder: Path) -> None:
        with (folder / "labels.tsv").open("w", encoding="utf-8", newline="\n") as labels:
            for index, (data, text) in enumerate(_encoded(source, count, workers)):
                file = f"{name}-{index:07d}.jpg"
                (folder / file).write_bytes(data)
                labels.write(f"{file}\t{text}\n")
        for file, text in (beside or {}).items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")

    _build(target, fill)


def write_lmdb(source: Source, count: int, target: Path, workers: int = 1) -> None:
    """Write the first samples as the field's benchmarks are: `image-%09d` and `label-%09d` from 1.

    Raises:
        CrnnError: If lmdb is not installed, or the target is there already or cannot be written.
    """
    try:
        import lmdb
    except ImportError:
        raise CrnnError("writing an LMDB needs the lmdb package: pip install lmdb") from None

    def fill(folder: Path) -> None:
        with lmdb.open(str(folder), map_size=_MAP_BYTES) as env:
            transaction = env.begin(write=True)
            for index, (data, text) in enumerate(_encoded(source, count, workers), 1):
                transaction.put(b"image-%09d" % index, data)
                transaction.put(b"label-%09d" % index, text.encode())
                if index % 1000 == 0:
                    transaction.commit()
                    transaction = env.begin(write=True)
            transaction.put(b"num-samples", str(count).encode())
            transaction.commit()

    _build(target, fill)
