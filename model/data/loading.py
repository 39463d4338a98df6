"""Chunks of batches to the stream that one process trains on, made by worker processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice

import torch
from torch.utils.data import DataLoader

from crnn_edge.errors import CrnnError
from model.data.batching import Batch, Chunks


def load_batches(
    chunks: Chunks,
    step: int,
    steps: int,
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """The batches of one process: each step has its own, wherever the stream begins.

    Args:
        chunks: Where they come from; processes take chunks in turn.
        step: The first that a batch is wanted for.
        steps: How many steps there are in all. The stream ends with the last one's chunk.
        rank: Which process this is.
        world: How many there are.
        workers: Processes that make chunks for it; 0 to make them here.
        pin_memory: Put them where a GPU fetches them fast.

    Raises:
        CrnnError: While iterating, if no batch can be made, or a worker dies.
    """
    first, skip = divmod(step, chunks.batches)
    last = -(-steps // chunks.batches)
    loader = DataLoader(
        chunks,
        batch_size=None,
        sampler=range(first * world + rank, last * world, world),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_quiet_worker if workers else None,
        pin_memory=pin_memory,
    )
    return islice((batch for chunk in _chunks(loader) for batch in chunk), skip, None)


def _chunks(loader: DataLoader[list[Batch]]) -> Iterator[list[Batch]]:
    try:
        yield from _watched(loader)
    except CrnnError as error:  # from a worker it comes with that one's traceback before it
        reason = str(error).rstrip().rpartition("\n")[2]
        kind = type(error)
        raise kind(reason.removeprefix(f"{kind.__module__}.{kind.__name__}: ")) from None
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        if not reason.startswith("DataLoader worker"):
            raise  # a worker's own errors begin with `Caught`
        raise CrnnError(
            f"a process that makes batches died ({reason}), often for want of memory: try fewer "
            "--workers"
        ) from None


def _watched(loader: DataLoader[list[Batch]]) -> Iterator[list[Batch]]:
    """The loader's chunks; that a worker died is told where the next one is waited for.

    torch's own handler of SIGCHLD would tell it wherever this process happens to be, such as in
    the middle of a step, where there is no state to save.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (loader.num_workers and main and hasattr(signal, "SIGCHLD")):
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    iterator = iter(loader)
    signal.signal(signal.SIGCHLD, before)
    return iterator


def _quiet_worker(_worker: int) -> None:
    """Leave Ctrl-C and SIGTERM, which reach the whole group, to the main process: it saves first.

    SIGTERM itself is obeyed: with it the main process ends its workers when it exits.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # a group of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
