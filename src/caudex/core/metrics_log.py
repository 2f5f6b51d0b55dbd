"""Rows of metrics of one fit: metrics.jsonl, and timing.jsonl with all clock figures, so that metrics compare bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping

from caudex.core.run_files import RunFiles
from caudex.core.typed_json import decode_json, misfit, unreadable

NAMES = ("metrics.jsonl", "timing.jsonl")
MAX_LOG_BYTES = 1 << 30
ROW_START = b'{"step": '


class MetricsLog:
    """Appends rows as the main process; forgets those that a resumed fit writes again."""

    def __init__(self, files: RunFiles):
        self.files = files

    def append(self, name: str, step: int, row: Mapping[str, float]) -> None:
        if self.files.is_main_process:
            with self.files.explain_failure(name):
                self.files.folder.append(name, (json.dumps({"step": step, **row}) + "\n").encode())

    def rows(self, name: str) -> list[dict]:
        """Without the line that a kill cut short; raises CaudexError where any other is no row."""
        *lines, rest = (self.files.folder.read(name, MAX_LOG_BYTES) or b"").split(b"\n")
        rows = []
        for number, line in enumerate(lines, 1):
            where = f"{self.files.path / name}, line {number:,}"
            row = decode_json(line, dict[str, int | float], where)
            if not isinstance(row.get("step"), int) or row["step"] < 0:
                raise misfit(where, "it has no step")
            rows.append(row)
        if not rest.startswith(ROW_START[: len(rest)]):
            raise unreadable(f"{self.files.path / name}, line {len(lines) + 1:,}")
        return rows

    def sizes(self) -> dict[str, int]:
        """Bytes in each file."""
        stats = {name: self.files.folder.stat(name) for name in NAMES}
        return {name: stat.st_size for name, stat in stats.items() if stat}

    def truncate(self, sizes: Mapping[str, int]) -> None:
        """Keep so many bytes of each file: the rows behind them will come again."""
        for name, size in self.sizes().items() if self.files.is_main_process else ():
            self.files.folder.truncate(name, min(size, sizes.get(name, 0)))
