"""What a person at the terminal sees of a training, and says to it."""

from __future__ import annotations

import signal as posix
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from caudex.core.run import Run


@contextmanager
def interruptible() -> Iterator[list]:
    """Ctrl-C is noted, and acted on between two steps; a second one acts at once."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number, frame):
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = posix.signal(posix.SIGINT, note)
    try:
        yield noted
    finally:
        posix.signal(posix.SIGINT, before)


def say(run: Run, sentence: str) -> None:
    """A line on standard output, once in a run, from the first of several processes and not from a claim's."""
    if not run.root.quiet and run.is_main_process and sentence not in run.root.said:
        run.root.said.add(sentence)
        print(sentence, flush=True)
