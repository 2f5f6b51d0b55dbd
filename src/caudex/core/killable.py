"""Calls into code that may never return or eat all memory: in a process of their own, which can be killed at any time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from caudex.core.errors import CaudexError, short_message

START_SECONDS = 60
MEMORY = 4 << 30
"""bytes of address space that a call may have"""


class CallFailed(Exception):
    """A call ended without a result: it took too long, too much memory, or raised what is no CaudexError."""


class KillableWorker:
    """A spawned process that runs one call after the other. Whatever does not return in time is killed, together with what it
    started; the next call starts a new process. Nothing in it outlives this process."""

    def __init__(self, memory: int = MEMORY):
        self.memory, self.process, self.connection = memory, None, None
        self.seconds_used = 0.0

    def call(self, function: Callable, *arguments, seconds: float) -> Any:
        """function(*arguments), which must be picklable; the start of a process and the import of the function do not count.
        Raises CallFailed, or the CaudexError that the function raised."""
        begin = time.monotonic()
        try:
            if self.process is None:
                self._start()
            self.connection.send((function, arguments))
            if not self.connection.poll(START_SECONDS):
                self.close()
                raise CallFailed(f"its process did not start in {START_SECONDS} s")
            self.connection.recv()
            begin = time.monotonic()
            if not self.connection.poll(max(0.0, seconds)):
                self.close()
                raise CallFailed(f"not done after {seconds:g} s")
            kind, value = self.connection.recv()
        except (EOFError, ConnectionError):
            self.close()
            raise CallFailed("its process ended, perhaps for want of memory") from None
        except BaseException:
            self.close()
            raise
        finally:
            self.seconds_used = time.monotonic() - begin
        if kind == "value":
            return value
        raise CaudexError(value) if kind == "refused" else CallFailed(value)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve_calls, args=(theirs, self.memory), daemon=True)
        self.process.start()
        theirs.close()

    def close(self) -> None:
        """Kill the process and all that it started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # it may not have been a group yet
        self.process.join()
        self.connection.close()
        self.process = None

    def __enter__(self) -> KillableWorker:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def serve_calls(connection: Connection, memory: int) -> None:
    """The worker's end; it gets no Ctrl-C, and dies with its parent."""
    os.setpgrp()
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os.killpg(0, signal.SIGKILL)), daemon=True).start()
    with contextlib.suppress(ImportError, OSError, ValueError):  # a system that cannot limit memory
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        connection.send("started")
        try:
            answer = ("value", function(*arguments))
        except CaudexError as error:
            answer = ("refused", str(error))
        except MemoryError:
            answer = ("failed", f"more than {memory >> 20:,} MB of memory")
        except Exception as error:  # of a computer algebra system, whatever it may be
            answer = ("failed", short_message(error))
        connection.send(answer)
