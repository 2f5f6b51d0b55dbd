"""Several jobs in parallel processes: progress with the time left, Ctrl-C, and a worker that was killed."""

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

from caudex.core.errors import CaudexError, short_message
from caudex.core.progress import track


def run_parallel(function: Callable, jobs: Sequence[tuple], workers: int, cluster: str = "") -> list[Any]:
    """[function(*job) for job in jobs], `workers` at a time. All must be picklable.

    With the address of a Ray cluster its machines do the work; they need a shared disk for what is written.
    """
    if not jobs:
        return []
    if cluster:
        return _run_on_cluster(function, jobs, cluster)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _initialize_worker) as pool:
        previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a worker can act on it
        futures = [pool.submit(_run_job, function, *job) for job in jobs]
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
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


def _run_on_cluster(function: Callable, jobs: Sequence[tuple], cluster: str) -> list[Any]:
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
        raise CaudexError(f"--cluster {cluster}: there is no Ray cluster ({short_message(error)}).") from None
    try:
        task = ray.remote(num_cpus=1)(function)
        indices = {task.remote(*job): index for index, job in enumerate(jobs)}
        results: list[Any] = [None] * len(jobs)

        def completed_tasks() -> Iterator:
            waiting = list(indices)
            while waiting:
                (done,), waiting = ray.wait(waiting)
                yield done

        for done in track(completed_tasks(), "measuring", len(jobs), slow=True):
            try:
                results[indices[done]] = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
        return results
    finally:
        ray.shutdown()


_busy, _interrupted = threading.Event(), threading.Event()  # of a worker


def _initialize_worker() -> None:
    """A worker gets Ctrl-C from its parent alone and does not outlive it: else a claim that was killed and is resumed
    would be measured twice at once."""
    exit_with_parent()
    signal.signal(signal.SIGINT, _handle_interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def exit_with_parent() -> None:
    """This process ends when its parent does, however that ends; Ctrl-C at the terminal reaches the parent alone."""
    os.setpgrp()
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _handle_interrupt(number, frame) -> None:
    _interrupted.set()
    if _busy.is_set():
        raise KeyboardInterrupt


def _run_job(function: Callable, *job) -> Any:
    """Returns when it is interrupted: if the process ended, the executor would kill the other workers."""
    _busy.set()
    try:
        return None if _interrupted.is_set() else function(*job)
    except KeyboardInterrupt:  # from `fit`, once it has saved
        return _interrupted.set()
    finally:
        _busy.clear()
