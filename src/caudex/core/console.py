"""The terminal of a training: Ctrl-C, and lines on standard output."""

from __future__ import annotations

import signal as posix
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from caudex.core.run import Run


@contextmanager
def defer_interrupts() -> Iterator[list]:
    """Ctrl-C is appended to the yielded list, to act on between two steps; a second one raises at once."""
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def handle(number, frame):
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    previous = posix.signal(posix.SIGINT, handle)
    try:
        yield interrupts
    finally:
        posix.signal(posix.SIGINT, previous)


def print_once(run: Run, sentence: str) -> None:
    """A line on standard output, once in a run, from the main process and not from the seeds of a claim."""
    if not run.main.quiet and run.is_main_process and sentence not in run.main.printed:
        run.main.printed.add(sentence)
        print(sentence, flush=True)
