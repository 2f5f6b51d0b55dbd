"""What the commands share: where a run goes, who may write there, tables on the screen, and how a command ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from caudex.core.disk import lock_folder
from caudex.core.errors import CaudexError


def leave(code: int, sentence: str) -> NoReturn:
    """One line on standard error. Of several processes of a run, a further one speaks only if the first does not."""
    parent = os.getppid()
    if os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(3)
    if os.getppid() == parent:
        print("caudex:", " ".join(sentence.splitlines()), file=sys.stderr)
    raise SystemExit(code) from None


@contextlib.contextmanager
def alone_in(run, fresh: bool) -> Iterator[None]:
    """No other process trains in this folder meanwhile, and a `fresh` one in which nothing was learned does not stay."""
    if not run.is_main_process:
        yield
        return
    with lock_folder(run.path):
        try:
            yield
        except Exception:
            if fresh and not any(run.path.rglob("checkpoints/*")):
                shutil.rmtree(run.path, ignore_errors=True)
                if run.path.parent == Path("runs"):
                    with contextlib.suppress(OSError):  # it holds other runs
                        run.path.parent.rmdir()
            raise
        except KeyboardInterrupt:
            leave(130, f"stopped; `caudex resume {run.path}` goes on.")


def left_out(run) -> list[str]:
    """A sentence on the files that were not used, if there are any."""
    from caudex.core.disk import read_csv

    if not (skipped := read_csv(run.path / "tables" / "skipped.csv")):
        return []
    first = f"{skipped[0]['file']} ({skipped[0]['reason']})"
    return [f"left out of the data: {len(skipped):,}, the first is {first}; {run.path / 'report.html'} lists them."]


def show(rows: Sequence[tuple]) -> None:
    """The first row is the header."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if rows:
        table, console = Table(header_style="bold"), Console()
        for name, width in zip(rows[0], widths(rows, console.width - 1 - 3 * len(rows[0]))):
            table.add_column(Text(name), overflow="fold", width=width)
        for row in rows[1:]:
            table.add_row(*(Text(str(cell)) for cell in row))  # as it stands: a file may be called [b].jpg
        console.print(table)


def print_sentence(sentence: str) -> None:
    """On standard output, broken between words where the terminal ends, or after 80 columns."""
    width = shutil.get_terminal_size().columns
    print(textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False))


def widths(rows: Sequence[tuple], room: int) -> list[int]:
    """Of each column, that all fit into the room: words are broken over lines first, then figures with their intervals,
    and only then what stands between two spaces. (rich would cut the last column off.)"""
    from rich.cells import cell_len

    wide, whole, word = [], [], []
    for name, *cells in zip(*rows):
        name, cells = str(name), [str(cell) for cell in cells]
        parts = [cell_len(part) for cell in (name, *cells) for part in cell.split()]
        wide.append(max(map(cell_len, (name, *cells))))
        word.append(min(24, max(parts, default=1)))  # a path may be longer than all else
        figures = all(cell[:1] in "+-0123456789" for cell in cells)  # also where there is nothing
        whole.append(max(word[-1], *map(cell_len, cells)) if figures and cells else word[-1])
    while sum(wide) > room and max(wide) > 1:
        place = max(range(len(wide)), key=lambda i: (wide[i] > whole[i], wide[i] > word[i], wide[i]))
        wide[place] -= 1
    return wide


def new_file(flag: str, file: Path | None, suffix: str = "") -> None:
    """Raises CaudexError unless such a file can be written there, over nothing."""
    if file is None:
        return
    if not file.name.endswith(suffix):
        raise CaudexError(f"{flag} {file}: give a file that ends in {suffix}.")
    if not file.parent.is_dir():
        raise CaudexError(f"{flag} {file}: there is no folder {file.parent}; make it first.")
    if file.exists():
        raise CaudexError(f"{flag} {file} exists already; delete it first, or give another name.")


def new_folder(given: Path | None, name: str, hardware) -> Path:
    """The run's folder, made: as given, or the next free runs/NAME-N. One that has something in it is refused.
    Further processes of the same run take the first one's."""
    from caudex.core.run import Run

    if not Run("", hardware=hardware).is_main_process:
        if given is None and "CAUDEX_RUN" not in os.environ:
            raise CaudexError("say --run FOLDER, that the processes which were started together agree on it.")
        return given or Path(os.environ["CAUDEX_RUN"])
    folders = [given] if given else (Path("runs", f"{name}-{number}") for number in itertools.count(1))
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=folder == given)
            break
        except OSError as error:
            if given or not folder.is_dir():
                raise CaudexError(
                    f"cannot make the run folder {folder}: {error.strerror}; choose another --run."
                ) from None
    if any(folder.iterdir()):
        way = f"`caudex resume {folder}` goes on with it" if (folder / "settings.json").exists() else "it is no run"
        way = "it is a finished run" if (folder / "finished.json").exists() else way
        raise CaudexError(f"{folder} is not empty; {way}; choose another --run for a new one.")
    os.environ["CAUDEX_RUN"] = str(folder)
    return folder
