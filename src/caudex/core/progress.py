"""Progress bars with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator

LINE_WIDTH = 80
"""columns of a line where there is no terminal"""


class ProgressBar:
    """A bar with the time left on a terminal, a note below it, else a line every 30 s; on standard error, from two seconds on.
    Of a note that is too long the last parts are left out.

    With `slow`, for few parts that take long each, the bar starts at once, and without a terminal each part has a line.
    """

    def __init__(self, description: str, total: float = 1.0, slow: bool = False, silent: bool = False):
        self.description, self.total, self.completed, self.resumed_share = description, max(total, 1e-9), 0.0, 0.0
        self.slow, self.silent, self.bar = slow, silent, None
        self.updated_at = self.started_at = time.monotonic()

    def __enter__(self) -> ProgressBar:
        if self.slow and not self.silent and sys.stderr.isatty():
            self._start()
        return self

    def __exit__(self, *error) -> None:
        if self.bar:
            self.bar.stop()

    def resume_from(self, share: float) -> None:
        """This share was done in an earlier process; the estimate of the time left leaves it out."""
        self.resumed_share = share

    def advance(self, amount: float, note: Callable[[], str] = str) -> None:
        self.completed += amount
        self.update(min(1.0, self.completed / self.total), note)

    def update(self, share: float, note: Callable[[], str] = str) -> None:
        """The completed share; `note` is called for further words only when something is printed."""
        now, terminal = time.monotonic(), sys.stderr.isatty()
        too_early = now - self.updated_at < (0.2 if terminal else 30) or now - self.started_at < 2
        if self.silent or (too_early and not self.slow):
            return
        self.updated_at, words = now, note()
        if not terminal:
            new_share = share - self.resumed_share
            left = f"{(now - self.started_at) * (1 - share) / new_share:,.0f} s left" if new_share > 0 else ""
            end = ", ".join(filter(None, (f"{share:.0%}", left)))
            words = fit_parts(words, LINE_WIDTH - len(f"{self.description}: , {end}"))
            print(f"{self.description}: {', '.join(filter(None, (words, end)))}", file=sys.stderr)
            return
        if not self.bar:
            self._start()
        self.bar.update(self.task, completed=share, note=fit_parts(words, self.bar.console.width - 1))

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
        from rich.text import Text

        class BarWithNote(Progress):
            def get_renderables(self):
                yield self.make_tasks_table(self.tasks)
                yield from (Text(task.fields["note"], no_wrap=True, overflow="ellipsis") for task in self.tasks)

        columns = ["[bold]{task.description}", BarColumn(30), "{task.percentage:>3.0f}%"]
        columns += [TimeElapsedColumn(), "left", TimeRemainingColumn()]
        self.bar = BarWithNote(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
        )
        self.task = self.bar.add_task(self.description, total=1.0, completed=self.resumed_share, note="")
        self.bar.start()


def fit_parts(text: str, width: int) -> str:
    """As many of the comma-separated parts, from the first on, as `width` columns hold, and the first in any case."""
    while len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return text


def track(sequence: Iterable, description: str, total: int, slow: bool = False, silent: bool = False) -> Iterator:
    """Yield the elements, `total` of them, and show how many are done."""
    with ProgressBar(description, total, slow, silent) as progress:
        for number, element in enumerate(sequence, 1):
            yield element
            progress.advance(1, lambda number=number: f"{number:,} of {total:,}")
