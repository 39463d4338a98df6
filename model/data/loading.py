"""BucketedBatches of batches to the stream that one process trains on, made by worker processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice

import torch
from torch.utils.data import DataLoader

from crnn_edge.errors import CrnnError
from model.data.batching import Batch, BucketedBatches


def load_batches(
    batches: BucketedBatches,
    step: int,
    steps: int,
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """The batches of one process; the batch of a step does not depend on where the stream begins.

    Args:
        batches: Groups of batches, which the processes take in turn.
        step: The step of the first batch.
        steps: Number of steps of the run. The stream ends with the group of the last one.
        rank: The number of this process.
        world: The number of processes.
        workers: Worker processes that make groups; 0 to make them in this process.
        pin_memory: Use pinned memory, from which copying to a GPU is fast.

    Raises:
        CrnnError: While iterating, if no batch can be made, or a worker dies.
    """
    first, skip = divmod(step, batches.batches)
    last = -(-steps // batches.batches)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(first * world + rank, last * world, world),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_quiet_worker if workers else None,
        pin_memory=pin_memory,
    )
    return islice((batch for group in _groups(loader) for batch in group), skip, None)


def _groups(loader: DataLoader[list[Batch]]) -> Iterator[list[Batch]]:
    try:
        yield from _iterate(loader)
    except CrnnError as error:  # a worker's error begins with its traceback
        reason = str(error).rstrip().rpartition("\n")[2]
        kind = type(error)
        raise kind(reason.removeprefix(f"{kind.__module__}.{kind.__name__}: ")) from None
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        if not reason.startswith("DataLoader worker"):
            raise  # other errors of a worker begin with `Caught`
        raise CrnnError(
            f"a worker process died ({reason}), often because memory ran out: try fewer --workers"
        ) from None


def _iterate(loader: DataLoader[list[Batch]]) -> Iterator[list[Batch]]:
    """The loader's groups; the death of a worker is reported when the next group is requested.

    torch's own SIGCHLD handler would raise wherever this process happens to be, for example in the
    middle of a training step, where no state can be saved.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (loader.num_workers and main and hasattr(signal, "SIGCHLD")):
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    iterator = iter(loader)
    signal.signal(signal.SIGCHLD, before)
    return iterator


def _quiet_worker(_worker: int) -> None:
    """Ignore Ctrl-C and signals to the process group: the main process saves first.

    SIGTERM to the worker itself is obeyed: the main process ends its workers with it.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # a group of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
