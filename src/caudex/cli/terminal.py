"""What the commands share: run folders, tables on the screen, and how a command ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from caudex.core.errors import CaudexError, EnvError

PARENT_SECONDS = 20
"""in which the first of several processes ends, where all fail alike"""


def exit_with_message(code: int, sentence: str) -> NoReturn:
    """Print one line on standard error and exit. Of several processes of a run, a later one prints only if the first does not."""
    parent, give_up = os.getppid(), time.monotonic() + PARENT_SECONDS
    later = os.environ.get("LOCAL_RANK", "0") != "0"
    while later and os.getppid() == parent and time.monotonic() < give_up:
        time.sleep(0.1)
    if os.getppid() == parent:
        with contextlib.suppress(OSError):  # nobody reads that either; the exit code remains
            print("caudex:", " ".join(sentence.splitlines()), file=sys.stderr, flush=True)
    raise SystemExit(code) from None


class OutputError(Exception):
    """Standard output could not be written."""

    def __init__(self, error: OSError):
        super().__init__(f"could not write to standard output ({error.strerror}); make room, or give it another file.")


class OutputStream:
    """A stream of text whose failure to write is an OutputError, or BrokenPipeError where its reader has enough; with `lossy`
    what cannot be written is dropped, and `error` is the first failure."""

    def __init__(self, stream: TextIO, lossy: bool = False):
        self.stream, self.lossy, self.error = stream, lossy, None

    def write(self, text: str) -> int:
        self._try(self.stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def _try(self, action: Callable, *arguments) -> None:
        try:
            action(*arguments)
        except (OSError, OutputError) as error:
            with contextlib.suppress(OSError):  # what is left goes nowhere, or Python would complain of it as it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
            error = error if isinstance(error, (BrokenPipeError, OutputError)) else OutputError(error)
            self.error = self.error or error
            if not self.lossy:
                raise error from None


@contextlib.contextmanager
def lossy_output() -> Iterator[None]:
    """Work goes on meanwhile though nobody reads what it prints; afterwards a failure other than a lost reader is raised."""
    out, err = OutputStream(sys.stdout, lossy=True), OutputStream(sys.stderr, lossy=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
    if isinstance(out.error, OutputError):
        raise out.error


@contextlib.contextmanager
def hold_run(run, fresh: bool, way_on: str = "") -> Iterator[None]:
    """Lock the run folder; remove it after an error, where it is `fresh` and has no checkpoint; after Ctrl-C say how
    to go on: by the command `way_on`, else by `resume`.
    What the work prints may be lost, as with `caudex train ... | head`."""
    from caudex.core.disk import lock_folder  # imports torch, which the first screens do without
    from caudex.core.run_files import has_checkpoints

    if not run.is_main_process:
        yield
        return
    with lossy_output(), lock_folder(run.path):
        try:
            yield
        except Exception as error:  # of whatever kind: it is raised again, only the folder must not stay
            resume = how_to_go_on(run) if isinstance(error, EnvError) else ""
            if fresh and not has_checkpoints(run.path):
                shutil.rmtree(run.path, ignore_errors=True)
                if run.path.parent == Path("runs"):
                    with contextlib.suppress(OSError):  # it holds other runs
                        run.path.parent.rmdir()
            if resume:
                sentence = f"{str(error).rstrip('.')}; mend it; {resume} goes on from a checkpoint, where there is one."
                raise CaudexError(sentence) from error
            raise
        except KeyboardInterrupt:
            command = f"`{way_on}`" if way_on else how_to_go_on(run)
            raise KeyboardInterrupt(f"stopped; {command} goes on.") from None


def how_to_go_on(run) -> str:
    """The command, or in Python the call where the environment is an object."""
    from caudex.envs import is_object

    settings = run.settings()["settings"] if run.folder.stat("settings.json") else {}
    if is_object(str(settings.get("env", ""))):
        return f"caudex.train(..., env=the same, run={run.path})"
    return f"`caudex resume {run.path}`"


def skipped_files_note(run) -> list[str]:
    """A sentence on the files that were not read, if there are any."""
    from caudex.core.run_files import Skipped
    from caudex.data.files import count_skipped

    if not (skipped := run.read_table("skipped", Skipped)):
        return []
    first = f"{skipped[0]['file']} ({skipped[0]['reason']})"
    count = count_skipped([row["file"] for row in skipped])
    return [f"left out of the data: {count}, the first is {first}; {run.path / 'report.html'} lists them."]


def print_table(rows: Sequence[tuple]) -> None:
    """Print a table; the first row is the header."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if rows:
        table, console = Table(header_style="bold"), Console()
        for name, width in zip(rows[0], column_widths(rows, console.width - 1 - 3 * len(rows[0]))):
            table.add_column(Text(name), overflow="fold", width=width)
        for row in rows[1:]:
            table.add_row(*(Text(str(cell)) for cell in row))  # as it stands: a file may be called [b].jpg
        console.print(table)


def print_wrapped(sentence: str) -> None:
    """Print a sentence, broken between words where the terminal ends, or after 80 columns."""
    width = shutil.get_terminal_size().columns
    print(textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False))


def column_widths(rows: Sequence[tuple], total: int) -> list[int]:
    """Widths with which all columns fit into the total: text is broken between words first, then numbers with their intervals,
    and only then within words. (rich would cut the last column off.)"""
    from rich.cells import cell_len

    widths, unbroken, longest_word = [], [], []
    for name, *cells in zip(*rows):
        name, cells = str(name), [str(cell) for cell in cells]
        parts = [cell_len(part) for cell in (name, *cells) for part in cell.split()]
        widths.append(max(map(cell_len, (name, *cells))))
        longest_word.append(min(24, max(parts, default=1)))  # a path may be longer than all else
        numeric = all(cell[:1] in "+-0123456789" for cell in cells)  # also where there is nothing
        unbroken.append(max(longest_word[-1], *map(cell_len, cells)) if numeric and cells else longest_word[-1])
    while sum(widths) > total and max(widths) > 1:
        widest = max(
            range(len(widths)), key=lambda i: (widths[i] > unbroken[i], widths[i] > longest_word[i], widths[i])
        )
        widths[widest] -= 1
    return widths


def check_new_file(flag: str, file: Path | None, suffix: str = "") -> None:
    """Raises CaudexError unless such a file can be written there and does not exist yet."""
    if file is None:
        return
    if not file.name.endswith(suffix):
        raise CaudexError(f"{flag} {file}: give a file that ends in {suffix}.")
    if not file.parent.is_dir():
        raise CaudexError(f"{flag} {file}: there is no folder {file.parent}; make it first.")
    if file.exists():
        raise CaudexError(f"{flag} {file} exists already; delete it first, or give another name.")


def create_run_folder(path: Path | None, name: str, hardware) -> Path:
    """Create the run's folder: `path`, or the next free runs/NAME-N; one that is not empty is refused.

    Later processes of the same run take the first one's.
    """
    from caudex.core.run import Run

    if not Run("", hardware=hardware).is_main_process:
        if path is None and "CAUDEX_RUN" not in os.environ:
            raise CaudexError("say --run FOLDER, that the processes which were started together agree on it.")
        return path or Path(os.environ["CAUDEX_RUN"])
    folders = [path] if path else (Path("runs", f"{name}-{number}") for number in itertools.count(1))
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=folder == path)
            break
        except OSError as error:
            if path or not folder.is_dir():
                raise CaudexError(
                    f"cannot make the run folder {folder}: {error.strerror}; choose another --run."
                ) from None
    if any(folder.iterdir()):
        content = f"`caudex resume {folder}` goes on with it" if (folder / "settings.json").exists() else "it is no run"
        content = "it is a finished run" if (folder / "finished.json").exists() else content
        raise CaudexError(f"{folder} is not empty; {content}; choose another --run for a new one.")
    os.environ["CAUDEX_RUN"] = str(folder)
    return folder
