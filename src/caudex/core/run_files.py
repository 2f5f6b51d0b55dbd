"""Files of a run folder: written whole or not at all, by the main process alone; read as typed structs or JSON."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware

T = TypeVar("T")


class RunFiles:
    """The files below `path`. `root` is the folder of the whole run, which errors name."""

    def __init__(self, path: Path, root: Path, hardware: Hardware):
        self.path, self.root, self.hardware = path, root, hardware
        self._has_written = False

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes (the first of several, also before they know each other)."""
        if torch.distributed.is_initialized():
            return torch.distributed.get_rank() == 0
        single = self.hardware.devices * self.hardware.nodes == 1
        ranks = ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID")  # as launchers set them
        return single or all(os.environ.get(rank, "0") == "0" for rank in ranks)

    @contextmanager
    def explain_failure(self, what: str) -> Iterator[None]:
        """A full disk and its like become a sentence that says what is safe and the way out."""
        self._check_still_there()
        try:
            yield
            self._has_written = True
        except OSError as error:
            self._check_still_there()
            checkpoints = complete_checkpoints(self.path)
            way_out = f"run `caudex resume {self.root}`" if any(self.root.rglob("checkpoints/*")) else "start again"
            if (self.root / "finished.json").exists():
                way_out = f"run `caudex report {self.root}`"
            safe = f"; the last good checkpoint is {checkpoints[-1]}" if checkpoints else ""
            raise CaudexError(
                f"could not write {what} ({error.strerror or error}){safe}. Make room and {way_out}."
            ) from None

    def _check_still_there(self) -> None:
        """Raises CaudexError where the folder is gone: nothing of it is made again, a part would look like a run."""
        if self._has_written and not self.root.is_dir():
            raise CaudexError(f"{self.root} was deleted or moved while this run wrote to it; start again.")

    def write(self, name: str, content: str | bytes) -> None:
        """Whole or not at all."""
        if self.is_main_process:
            with self.explain_failure(name):
                write_atomically(self.path / name, content)

    def write_json(self, name: str, content: Any) -> None:
        """NAME.json"""
        self.write(name + ".json", json_text(content))

    def read_json(self, name: str, default: Any = None) -> Any:
        """The content of NAME.json, or `default` where there is none; raises CaudexError where it is no JSON."""
        file = self.path / (name + ".json")
        if not file.exists():
            return default
        try:
            return json.loads(file.read_text())
        except ValueError:
            raise unreadable(file) from None

    def write_struct(self, name: str, struct: msgspec.Struct) -> None:
        """NAME.json, to be read by `read_struct`."""
        self.write(name + ".json", msgspec.json.format(msgspec.json.encode(struct), indent=1) + b"\n")

    def read_struct(self, name: str, kind: type[T]) -> T | None:
        """The struct in NAME.json, or None where there is no such file; raises CaudexError where it is of another kind."""
        file = self.path / (name + ".json")
        if not file.exists():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except msgspec.ValidationError as error:
            raise CaudexError(
                f"{file} is not as caudex wrote it ({str(error).rstrip('.')}); restore it or train anew."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise unreadable(file) from None

    def table(self, name: str, rows: Iterable[dict]) -> None:
        """tables/NAME.csv with the rows' keys as its header."""
        rows, text = list(rows), io.StringIO()
        if rows:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            self.write(f"tables/{name}.csv", text.getvalue())

    @contextmanager
    def figure(self, name: str, columns: int = 1, rows: int = 1, width: float = 5.0, height: float = 3.6) -> Iterator:
        """Axes to plot on (an array of them where there are several); saved as figures/NAME.png."""
        from matplotlib.figure import Figure  # without pyplot: no global state, no window

        figure = Figure((width * columns, height * rows), dpi=120, layout="constrained")
        yield figure.subplots(rows, columns)
        image = io.BytesIO()
        figure.savefig(image, format="png")
        self.write(f"figures/{name}.png", image.getvalue())


def json_text(content: Any) -> str:
    """The content of a JSON file of a run."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def unreadable(file: Path) -> CaudexError:
    return CaudexError(f"{file} is not readable JSON; it was changed after it was written. Restore it or train anew.")


def complete_checkpoints(run: Path) -> list[Path]:
    """Folders of complete checkpoints, oldest first."""
    folder = run / "checkpoints"
    if not folder.exists():
        return []
    return sorted((path for path in folder.glob("[0-9]*") if path.name.isdigit()), key=lambda path: int(path.name))
