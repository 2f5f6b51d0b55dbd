"""Several jobs in parallel processes: progress with the time left, Ctrl-C, and a worker that was killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
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
    with worker_processes(workers, "measuring", "try fewer at a time (--workers, --processes)") as submit:
        futures = [submit(function, *job) for job in jobs]
        for future in track(as_completed(futures), "measuring", len(futures), slow=True):
            future.result()
    return [future.result() for future in futures]


@contextmanager
def worker_processes(
    workers: int,
    activity: str,
    advice: str,
    stop: signal.Signals = signal.SIGINT,
    initializer: Callable | None = None,
    initargs: tuple = (),
) -> Iterator[Callable[..., Future]]:
    """`submit(function, *arguments)` to processes that get Ctrl-C from this one alone, and do not outlive it.

    After an error here they get the signal `stop`: SIGINT lets them save, SIGKILL does not. `initializer(*initargs)` runs
    first in each. Raises CaudexError for a worker that was killed; it names the `activity` and the `advice`.
    """
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _initialize_worker, (initializer, initargs)) as pool:

        def submit(function: Callable, *arguments) -> Future:
            previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a worker can act on it
            try:
                return pool.submit(_run_job, function, *arguments)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)

        try:
            yield submit
        except BrokenProcessPool:
            message = f"a process that was {activity} was killed, perhaps for want of memory; {advice}."
            raise CaudexError(message) from None
        except BaseException:
            for worker in multiprocessing.active_children():
                if worker not in others:
                    os.kill(worker.pid, stop)
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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


def _initialize_worker(initializer: Callable | None, initargs: tuple) -> None:
    """A worker gets Ctrl-C from its parent alone and does not outlive it: else a claim that was killed and is resumed
    would be measured twice at once."""
    exit_with_parent()
    signal.signal(signal.SIGINT, _handle_interrupt)
    if initializer:
        initializer(*initargs)
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
