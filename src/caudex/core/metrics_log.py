"""Rows of metrics of one fit: metrics.jsonl, and timing.jsonl with all clock figures, so that metrics compare bit for bit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from caudex.core.run_files import RunFiles

NAMES = ("metrics.jsonl", "timing.jsonl")


class MetricsLog:
    """Appends rows as the main process; forgets those that a resumed fit writes again."""

    def __init__(self, files: RunFiles):
        self.files = files

    def append(self, name: str, step: int, row: Mapping[str, float]) -> None:
        if self.files.is_main_process:
            with self.files.explain_failure(name):
                self.files.path.mkdir(parents=True, exist_ok=True)
                with (self.files.path / name).open("a") as file:
                    file.write(json.dumps({"step": step, **row}) + "\n")

    def rows(self, name: str) -> list[dict]:
        file, rows = self.files.path / name, []
        if file.exists():
            for line in file.read_text().splitlines():
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break  # the line that a kill cut short
        return rows

    def sizes(self) -> dict[str, int]:
        """Bytes in each file."""
        files = (self.files.path / name for name in NAMES)
        return {file.name: file.stat().st_size for file in files if file.exists()}

    def truncate(self, sizes: Mapping[str, int]) -> None:
        """Keep so many bytes of each file: the rows behind them will come again."""
        for name, size in self.sizes().items() if self.files.is_main_process else ():
            os.truncate(self.files.path / name, min(size, sizes.get(name, 0)))
