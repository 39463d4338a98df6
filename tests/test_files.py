from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_path, atomic_write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    return path


def test_what_is_written_takes_the_place_of_the_old(file: Path) -> None:
    atomic_write(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


def test_until_the_end_the_old_one_is_there(file: Path) -> None:
    with atomic_path(file) as partial:
        partial.write_bytes(b"half")
        assert file.read_bytes() == b"old"
        assert partial.parent == file.parent  # renaming works within one file system alone
        assert partial.suffix == file.suffix  # by which some writers go
        assert partial.name.startswith(".")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_one_and_nothing_else(
    error: type[BaseException], file: Path
) -> None:
    def fail() -> None:
        with atomic_path(file) as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_a_block_that_writes_nothing_is_a_failure(file: Path) -> None:
    with (
        pytest.raises(CrnnError, match=r"cannot write .*model\.bin: No such file"),
        atomic_path(file),
    ):
        pass
    assert file.read_bytes() == b"old"


def test_two_processes_do_not_write_the_same_partial_file(file: Path) -> None:
    with atomic_path(file) as partial:
        partial.write_bytes(b"mine")
        assert str(os.getpid()) in partial.name


def test_where_nothing_can_be_written_the_error_names_the_file(file: Path) -> None:
    below = file / "x.bin"
    with pytest.raises(CrnnError, match=r"cannot write .*x\.bin: Not a directory"):
        atomic_write(below, b"new")


def test_a_folder_is_no_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    for folder in (file.parent, Path()):
        with pytest.raises(CrnnError, match="it is a folder"):
            atomic_write(folder, b"new")


def test_threads_may_write_the_same_file(file: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: atomic_write(file, b"new" * 1000), range(200)))
    assert file.read_bytes() == b"new" * 1000
    assert list(file.parent.iterdir()) == [file]
