"""What a person at the terminal sees of a training, and says to it."""

from __future__ import annotations

import signal as posix
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from caudex.run import Run


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
    if not run.root.quiet and run.leads and sentence not in run.root.said:
        run.root.said.add(sentence)
        print(sentence, flush=True)


class Screen:
    """A progress bar with the time left where there is a terminal, else a line every half minute; on standard error."""

    def __init__(self, run: Run | None):
        self.silent = run is None or run.root.quiet or not run.leads
        self.name = run.name if run and run.name else "training"
        self.bar = None
        self.shown = self.started = time.perf_counter()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar:
            self.bar.stop()

    def show(self, used: float, step: int, latest: Mapping[str, float]) -> None:
        now = time.perf_counter()
        terminal = sys.stderr.isatty()
        if self.silent or now - self.shown < (0.2 if terminal else 30) or now - self.started < 2:
            return
        self.shown = now
        loss = ", ".join(
            f"{name.removesuffix('/loss')} {value:.3f}" for name, value in latest.items() if name.endswith("/loss")
        )
        if not terminal:
            left = (now - self.started) * (1 - used) / max(used, 1e-9)
            loss = f", loss {loss}" if loss else ""
            print(f"{self.name}: step {step:,}, {used:.0%}{loss}, {left:,.0f} s left", file=sys.stderr)
            return
        if not self.bar:
            self._start()
        self.bar.update(self.task, completed=used, loss=loss, step=f"{step:,}")

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = [
            "[bold]{task.description}",
            BarColumn(),
            "{task.percentage:>3.0f}%",
            TextColumn("step {task.fields[step]}"),
        ]
        columns += [TimeElapsedColumn(), "left", TimeRemainingColumn(), TextColumn("loss {task.fields[loss]}")]
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(self.name, total=1.0, loss="", step="0")
        self.bar.start()
