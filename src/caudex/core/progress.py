"""How far something long is, and how long it will still take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator


class Progress:
    """A bar with the time left where there is a terminal, else a line every half minute; on standard error, and only
    once it has taken two seconds. Of few parts that take long each (`slow`) the bar stands there at once, else each has a
    line."""

    def __init__(self, what: str, total: float = 1.0, slow: bool = False, silent: bool = False):
        self.what, self.total, self.done, self.earlier = what, max(total, 1e-9), 0.0, 0.0
        self.target, self.silent, self.bar = slow, silent, None
        self.shown = self.began = time.monotonic()

    def __enter__(self) -> Progress:
        if self.target and not self.silent and sys.stderr.isatty():
            self._start()
        return self

    def __exit__(self, *error) -> None:
        if self.bar:
            self.bar.stop()

    def go_on(self, share: float) -> None:
        """This share was done at another time, which tells nothing of the time left."""
        self.earlier = share

    def advance(self, amount: float, note: Callable[[], str] = str) -> None:
        self.done += amount
        self.show(min(1.0, self.done / self.total), note)

    def show(self, share: float, note: Callable[[], str] = str) -> None:
        """The share that is done; `note` is asked for further words only when something is shown."""
        now, terminal = time.monotonic(), sys.stderr.isatty()
        pause = (now - self.shown < (0.2 if terminal else 30) or now - self.began < 2) and not self.target
        if self.silent or pause:
            return
        self.shown, said = now, note()
        if not terminal:
            new = share - self.earlier
            left = f"{(now - self.began) * (1 - share) / new:,.0f} s left" if new > 0 else ""
            print(f"{self.what}: {', '.join(filter(None, (said, f'{share:.0%}', left)))}", file=sys.stderr)
            return
        if not self.bar:
            self._start()
        self.bar.update(self.task, completed=share, note=said)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = ["[bold]{task.description}", BarColumn(), "{task.percentage:>3.0f}%"]
        columns += [TimeElapsedColumn(), "left", TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False)]
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(self.what, total=1.0, completed=self.earlier, note="")
        self.bar.start()


def track(parts: Iterable, what: str, count: int, slow: bool = False, silent: bool = False) -> Iterator:
    """The parts, `count` of them, as they come, and how many are done."""
    with Progress(what, count, slow, silent) as progress:
        for number, part in enumerate(parts, 1):
            yield part
            progress.advance(1, lambda number=number: f"{number:,} of {count:,}")
