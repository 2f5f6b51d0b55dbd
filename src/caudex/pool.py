"""Several jobs at the same time, each in a process: progress with the time left, Ctrl-C, and a worker that was killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from caudex.errors import CaudexError


def carry_out(work: Callable, jobs: Sequence[tuple], workers: int) -> list[Any]:
    """`work(*job)` for each job, `workers` at a time; the results stand in the jobs' order. All must be picklable."""
    from rich.console import Console
    from rich.progress import track

    if not jobs:
        return []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a worker can act on it
        futures = [pool.submit(_work, work, *job) for job in jobs]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        shown = Console(stderr=True)
        try:
            done = track(as_completed(futures), "measuring", len(futures), console=shown, disable=not shown.is_terminal)
            for number, future in enumerate(done, 1):
                future.result()
                if not shown.is_terminal:
                    print(f"measured {number} of {len(futures)}", file=sys.stderr)
        except BrokenProcessPool:
            raise CaudexError(
                "a process that measured a seed was killed, perhaps for want of memory; try fewer --workers."
            ) from None
        except BaseException:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, signal.SIGINT)  # it saves, and goes
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


_busy, _stopped = threading.Event(), threading.Event()  # of a worker


def _begin() -> None:
    """A worker hears of Ctrl-C from its parent alone, and it does not outlive it, or a claim that was killed and is
    resumed would be measured twice at once."""
    os.setpgrp()
    signal.signal(signal.SIGINT, _stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _stop(number, frame) -> None:
    _stopped.set()
    if _busy.is_set():
        raise KeyboardInterrupt


def _work(work: Callable, *job) -> Any:
    """Ends as usual when it is interrupted: if it just went, its executor would kill the other workers."""
    _busy.set()
    try:
        return None if _stopped.is_set() else work(*job)
    except KeyboardInterrupt:  # from `fit`, once it has saved
        return _stopped.set()
    finally:
        _busy.clear()
