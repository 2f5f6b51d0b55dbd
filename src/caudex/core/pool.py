"""Several jobs at the same time, each in a process: progress with the time left, Ctrl-C, and a worker that was killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from caudex.core.errors import CaudexError, reason
from caudex.core.progress import track


def carry_out(work: Callable, jobs: Sequence[tuple], workers: int, cluster: str = "") -> list[Any]:
    """`work(*job)` for each job, `workers` at a time; the results stand in the jobs' order. All must be picklable.

    With the address of a Ray cluster, the machines of that cluster do it; what is written must lie on a disk of all.
    """
    if not jobs:
        return []
    if cluster:
        return _over_machines(work, jobs, cluster)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a worker can act on it
        futures = [pool.submit(_work, work, *job) for job in jobs]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            for future in track(as_completed(futures), "measuring", len(futures), slow=True):
                future.result()
        except BrokenProcessPool:
            raise CaudexError(
                "a process that was measuring was killed, perhaps for want of memory; try fewer at a time (--workers, --processes)."
            ) from None
        except BaseException:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, signal.SIGINT)  # it saves, and goes
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _over_machines(work: Callable, jobs: Sequence[tuple], cluster: str) -> list[Any]:
    try:
        import ray
    except ImportError:
        raise CaudexError("--cluster needs the package ray: pip install 'caudex[cluster]'.") from None
    host, colon, port = cluster.rpartition(":")
    try:
        if colon and port.isdigit():
            socket.create_connection((host, int(port)), timeout=10).close()  # Ray itself would try for minutes
        ray.init(address=cluster, logging_level="ERROR", log_to_driver=False)
    except (OSError, ValueError) as error:
        raise CaudexError(f"--cluster {cluster}: there is no Ray cluster ({reason(error)}).") from None
    try:
        task = ray.remote(num_cpus=1)(work)
        places = {task.remote(*job): place for place, job in enumerate(jobs)}
        results: list[Any] = [None] * len(jobs)

        def finished() -> Iterator:
            waiting = list(places)
            while waiting:
                (done,), waiting = ray.wait(waiting)
                yield done

        for done in track(finished(), "measuring", len(jobs), slow=True):
            try:
                results[places[done]] = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
        return results
    finally:
        ray.shutdown()


_busy, _stopped = threading.Event(), threading.Event()  # of a worker


def _begin() -> None:
    """A worker hears of Ctrl-C from its parent alone, and it does not outlive it, or a claim that was killed and is
    resumed would be measured twice at once."""
    with_parent()
    signal.signal(signal.SIGINT, _stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def with_parent() -> None:
    """This process ends when its parent does, however that ends; Ctrl-C at the terminal reaches the parent alone."""
    os.setpgrp()
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
