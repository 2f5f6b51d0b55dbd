"""Files of a run folder: written whole or not at all, by the main process alone; read as typed values, through no link."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import msgspec
import torch

from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.root_folder import RootFolder
from caudex.core.typed_json import check_kind, decode_json, misfit

T = TypeVar("T")
CHECKPOINTS = "checkpoints"
"""the folder of a fit's checkpoints"""


class Skipped(TypedDict):
    """A row of tables/skipped.csv: a file of the data that was left out."""

    file: str
    reason: str


class RunFiles:
    """The files of `folder`; `path` is where it lies, `root` the folder of the whole run, which errors name."""

    def __init__(self, folder: RootFolder, hardware: Hardware):
        self.folder, self.hardware = folder, hardware
        self.path, self.root = folder.path, folder.root
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
            checkpoints = complete_checkpoints(self.folder)
            way_out = f"run `caudex resume {self.root}`" if has_checkpoints(self.root) else "start again"
            if (self.root / "finished.json").exists():
                way_out = f"run `caudex report {self.root}`"
            safe = f"; the last good checkpoint is {self.path / checkpoints[-1]}" if checkpoints else ""
            raise CaudexError(
                f"could not write {what} ({error.strerror or error}){safe}. Make room and {way_out}."
            ) from None

    def _check_still_there(self) -> None:
        """Raises CaudexError where the folder is gone: nothing of it is made again, a part would look like a run."""
        if self._has_written and not self.root.is_dir():
            raise CaudexError(f"{self.root} was deleted or moved while this run wrote to it; start again.")

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> None:
        """Whole or not at all."""
        if self.is_main_process:
            with self.explain_failure(name):
                self.folder.write(name, content.encode() if isinstance(content, str) else content)

    def write_json(self, name: str, content: Any) -> None:
        """NAME.json"""
        self.write(name + ".json", json_text(content))

    def write_struct(self, name: str, struct: msgspec.Struct) -> None:
        """NAME.json, to be read by `read_struct`."""
        self.write(
            name + ".json", msgspec.json.format(msgspec.json.encode(struct, enc_hook=plain_string), indent=1) + b"\n"
        )

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
        for axis in figure.axes:  # names that are not ours: a dollar in them begins no formula
            for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
                text.set_parse_math(False)
            for text in axis.get_legend().get_texts() if axis.get_legend() else ():
                text.set_parse_math(False)
        image = io.BytesIO()
        figure.savefig(image, format="png")
        self.write(f"figures/{name}.png", image.getvalue())

    # -- reading -----------------------------------------------------------------------------------------------

    def read_json(self, name: str) -> dict[str, Any] | None:
        """What NAME.json has, by its names, or None where there is no such file; raises CaudexError where it is anything else."""
        return self.read_struct(name, dict[str, Any])

    def read_struct(self, name: str, kind: type[T]) -> T | None:
        """NAME.json as a struct or dataclass, None where there is no such file; CaudexError where it is of another kind."""
        content = self.folder.read(name + ".json")
        return None if content is None else decode_json(content, kind, self.path / (name + ".json"))

    def read_checked(self, name: str, kind: Any) -> Any:
        """As `read_json`, raising CaudexError where the content is not of `kind`, which need not name all of its keys."""
        content = self.read_json(name)
        try:
            return None if content is None else check_kind(content, kind)
        except msgspec.ValidationError as error:
            raise misfit(self.path / (name + ".json"), error) from None

    def read_text(self, name: str) -> str | None:
        """The file as text, or None where there is none; raises CaudexError where it is not UTF-8."""
        content = self.folder.read(name)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError:
            raise CaudexError(
                f"{self.path / name} is not UTF-8; it was changed after it was written. Restore it or delete it."
            ) from None

    def read_table(self, name: str, kind: Any = dict[str, str]) -> list[dict[str, str]]:
        """The rows of tables/NAME.csv, [] where there is none; raises CaudexError where their cells are not of `kind`."""
        file = f"tables/{name}.csv"
        try:
            rows = list(csv.DictReader(io.StringIO(self.read_text(file) or "", newline="")))
            for cells in (dict[str, str], kind):  # a line that is too short or too long has None in it
                msgspec.convert(rows, list[cells], strict=False)
        except (csv.Error, msgspec.ValidationError) as error:
            raise misfit(self.path / file, error) from None
        return rows


def plain_string(value: Any) -> str:
    """For msgspec, which writes no subclasses of str."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def json_text(content: Any) -> str:
    """The content of a JSON file of a run."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def complete_checkpoints(folder: RootFolder) -> list[str]:
    """Names of the folders of complete checkpoints, oldest first."""
    steps = [name for name in folder.names(CHECKPOINTS) if name.isascii() and name.isdecimal()]
    return [f"{CHECKPOINTS}/{step}" for step in sorted(steps, key=int)]


def has_checkpoints(root: Path) -> bool:
    """Whether any fit of the run that lies there has a checkpoint."""
    return any(Path(folder).name == CHECKPOINTS and names for folder, names, _ in os.walk(root))
