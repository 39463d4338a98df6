"""Work in several processes that ends in an orderly way, whoever is told to end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import TypeVar

import cv2

from crnn_edge.errors import CrnnError

T = TypeVar("T")
Work = Callable[[int], T]

_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_POSIX = os.name == "posix"  # elsewhere there are neither groups nor masks


def made_by_processes(work: Work[T], chunks: range, workers: int) -> Iterator[T]:
    """What `work` makes of numbers, in order, each worker's through a pipe of its own.

    The workers of a `Pool` share locks, and one that is killed with such a lock takes them along.

    Args:
        work: What each process does; it is sent once.
        chunks: What it is asked for, from 0 on.
        workers: How many processes.

    Raises:
        CrnnError: As `work` does, or if a process dies.
    """
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    try:
        with _held_back():
            for first in range(min(workers, len(chunks))):
                pipe, theirs = context.Pipe(duplex=False)
                pipes.append(pipe)
                process = context.Process(
                    target=_serve, args=(work, chunks[first::workers], theirs), daemon=True
                )
                process.start()
                theirs.close()  # so that the pipe ends with the process
        for chunk in chunks:
            try:
                made = pipes[chunk % workers].recv()
            except EOFError:
                raise CrnnError(
                    "a process that renders died, perhaps for want of memory: try fewer --workers"
                ) from None
            if isinstance(made, CrnnError):
                raise made
            yield made
    finally:
        for pipe in pipes:  # a worker ends when it cannot send
            pipe.close()


def _serve(work: Work[T], chunks: range, pipe: Connection) -> None:
    """Send chunks until they are all sent, or nobody takes them any more: a worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _POSIX:
        os.setpgrp()  # Ctrl-C and SIGTERM reach the whole group, and are for the main process alone
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)  # when it exits, it ends workers so
    cv2.setNumThreads(1)  # the processes are the parallelism
    with suppress(BrokenPipeError):
        try:
            for chunk in chunks:
                pipe.send(work(chunk))
        except CrnnError as error:
            pipe.send(error)


@contextmanager
def _held_back() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM for the end of a block: who is begun in it never gets them.

    A process that imports would otherwise end in its own traceback.
    """
    if not _POSIX or threading.current_thread() is not threading.main_thread():
        yield
        return
    got: list[int] = []
    before = {number: signal.signal(number, lambda n, _: got.append(n)) for number in _ENDINGS}
    # Before the mask is set: it would take it away again.
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)  # which processes inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in got:
            signal.raise_signal(caught)
