"""How far a long preparation is, and how long it will still take."""

from __future__ import annotations

import sys
import time


class Progress:
    """A bar with the time left where there is a terminal, else a line every half minute; on standard error, and only
    once it has taken two seconds."""

    def __init__(self, what: str, total: float):
        self.what, self.total, self.done = what, max(total, 1e-9), 0.0
        self.bar = None
        self.shown = self.began = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error) -> None:
        if self.bar:
            self.bar.stop()

    def advance(self, amount: float) -> None:
        self.done += amount
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if now - self.shown < (0.2 if terminal else 30) or now - self.began < 2:
            return
        self.shown, share = now, min(1.0, self.done / self.total)
        if not terminal:
            left = (now - self.began) * (1 - share) / max(share, 1e-9)
            print(f"{self.what}: {share:.0%}, {left:,.0f} s left", file=sys.stderr)
            return
        if not self.bar:
            self._start()
        self.bar.update(self.task, completed=share)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, TimeRemainingColumn

        self.bar = Progress(
            *Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self.task = self.bar.add_task(self.what, total=1.0)
        self.bar.start()
