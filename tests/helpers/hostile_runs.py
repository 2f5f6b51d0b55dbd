"""Run folders as a stranger may have made them: real ones in which a file was damaged, replaced or led elsewhere."""

import contextlib
import copy
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from hypothesis import strategies as some

from caudex.core import pool
from caudex.core.checkpointer import Checkpointer
from helpers.command_line import Output, invoke

NUMBERS = [-1, 0, 1, 7, 2**63, 10**30, 0.5, float("nan"), float("inf"), -1e308]
ODD_VALUES = some.sampled_from(
    [None, True, *NUMBERS, "", "x", "../../canary", "\x00", "$\\frac{", [], [1], [[]], {}, {"a": 1}]
)
ODD_TEXTS = [
    "",
    "7",
    "null",
    "NaN",
    "[]",
    "{}",
    '"x"',
    "[" * 50_000,
    '{"a":' * 50_000,
    "{",
    "\x00",
    "a,b\n1,2,3\n",
    "\ufeff{}",
    '"\\ud800"',
]
ODD_TENSORS = [
    b"",
    b"\xff" * 64,
    (8).to_bytes(8, "little") + b"{}      ",
    (64).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}    1234',
    (64).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}          1234',
    (1 << 62).to_bytes(8, "little") + b"{}",
]
CHECKPOINT_NAMES = ["1²", "٣", "-1", "007", "999999", "1e3", " 5", "9" * 200]


class TrainingReachedError(BaseException):
    """All that a resumed training reads was read."""


class Canary:
    """A folder outside of all runs, which nobody may touch."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in (".hidden/x", "17/state.json", "9-9.safetensors", "file.txt", "seed-0/claim.json"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("a secret\n")
        self.before = self.contents()

    def contents(self) -> dict:
        return {path: path.is_file() and path.read_bytes() for path in sorted(self.folder.rglob("*"))}

    def is_untouched(self) -> bool:
        return self.contents() == self.before


class Damage(NamedTuple):
    """One change of a run folder, in words and as a function of the folder."""

    text: str
    apply: object


def files_of(run: Path) -> list[str]:
    """What can be damaged; TensorBoard's own files are never read."""
    names = [str(path.relative_to(run)) for path in sorted(run.rglob("*")) if path.is_file()]
    return [name for name in names if "tensorboard" not in name and not name.endswith(("report.html", ".png"))]


@some.composite
def damages(draw, files: list[str]) -> Damage:
    """A file and what becomes of it: other values, other bytes, a link, or another name."""
    name = draw(some.sampled_from(files))
    kinds = {
        ".json": [odd_value] * 4 + [odd_bytes],
        ".jsonl": [odd_line] * 3 + [odd_bytes],
        ".safetensors": [odd_tensors, odd_bytes],
    }
    kinds = kinds.get(Path(name).suffix, [odd_bytes])
    if name.endswith("state.json"):
        kinds = [odd_state] * 4 + [odd_value, odd_name]
    if name.endswith(".csv"):
        kinds = [odd_cell] * 3 + [odd_bytes]
    return draw(draw(some.sampled_from([*kinds, odd_place]))(name))


@some.composite
def odd_value(draw, name: str) -> Damage:
    """A value anywhere in a JSON file is another, or gone."""
    steps, value = (
        draw(some.lists(some.integers(0, 30), min_size=1, max_size=5)),
        draw(some.one_of(some.just(...), ODD_VALUES)),
    )

    def apply(run):
        content = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps(changed(content, steps, value)))
        if name.endswith("finished.json") and value is not ...:
            return

    return Damage(f"{name} at {steps}: {value!r}", apply)


@some.composite
def odd_state(draw, name: str) -> Damage:
    """A value of a checkpoint's state is another, and the hashes are right."""
    steps, value = (
        draw(some.lists(some.integers(0, 30), min_size=1, max_size=8)),
        draw(some.one_of(some.just(...), ODD_VALUES)),
    )

    def apply(run):
        header = json.loads((run / name).read_text())
        state = changed(json.loads(header["state"]), steps, value)
        (run / name).write_text(json.dumps(header | {"state": json.dumps(state)}))
        rehash(run / name)

    return Damage(f"{name}, state at {steps}: {value!r}", apply)


@some.composite
def odd_bytes(draw, name: str) -> Damage:
    """Other text, a part, or one bit turned."""
    text, where, bit = draw(some.sampled_from(ODD_TEXTS)), draw(some.floats(0, 0.999)), draw(some.integers(0, 7))
    kind = draw(some.sampled_from(["text", "part", "bit"]))

    def apply(run):
        content = bytearray((run / name).read_bytes())
        if kind == "text":
            content = text.encode(errors="surrogatepass")
        elif kind == "part":
            content = content[: int(where * len(content))]
        elif content:
            content[int(where * len(content))] ^= 1 << bit
        (run / name).write_bytes(bytes(content))

    return Damage(f"{name}: {kind} {where:.3f} {text[:12]!r}", apply)


@some.composite
def odd_line(draw, name: str) -> Damage:
    """A row of metrics that is none."""
    row = draw(some.one_of(ODD_VALUES, some.fixed_dictionaries({"step": ODD_VALUES, "labels/loss": ODD_VALUES})))
    number, rest = (
        draw(some.integers(0, 3)),
        draw(some.sampled_from([{}, {"evaluation/$\\frac{x": 1.0}, {"a/loss": 1e308}])),
    )

    def apply(run):
        lines = (run / name).read_text().splitlines()
        lines[number % len(lines)] = json.dumps({"step": 1} | rest if rest else row)
        (run / name).write_text("\n".join(lines) + "\n")

    return Damage(f"{name}, line {number}: {rest or row!r}", apply)


@some.composite
def odd_cell(draw, name: str) -> Damage:
    """A cell of a table, also of its header, is another."""
    row, column = draw(some.integers(0, 3)), draw(some.integers(0, 4))
    cell = draw(some.sampled_from(["", "x", "nan", "-1", "1e400", "1,2", '"', "\x00", "$\\frac{", "é" * 200_000]))

    def apply(run):
        lines = [line.split(",") for line in (run / name).read_text().splitlines()]
        line = lines[row % len(lines)]
        line[column % len(line)] = cell
        (run / name).write_text("\n".join(map(",".join, lines)) + "\n")

    return Damage(f"{name}, cell {row}, {column}: {cell[:9]!r}", apply)


@some.composite
def odd_tensors(draw, name: str) -> Damage:
    """A file of tensors whose header lies, with the right hash."""
    content = draw(some.sampled_from(ODD_TENSORS))

    def apply(run):
        (run / name).write_bytes(content)
        if (run / name).name == "model.safetensors":
            finished = json.loads((run / "finished.json").read_text())
            (run / "finished.json").write_text(json.dumps(finished | {"model": sha256(content)}))
        elif (state := (run / name).with_name("state.json")).exists():
            rehash(state)

    return Damage(f"{name} holds {content[:20]!r}", apply)


@some.composite
def odd_name(draw, name: str) -> Damage:
    """The folder of a checkpoint has another name."""
    new = draw(some.sampled_from(CHECKPOINT_NAMES))
    return Damage(f"{name} in {new}", lambda run: (run / name).parent.rename((run / name).parent.with_name(new)))


@some.composite
def odd_place(draw, name: str) -> Damage:
    """The file, or a folder above it, is a link out of the run, a pipe or of another kind; or the file to be written aside is."""
    depth, kind = (
        draw(some.integers(0, 5)),
        draw(some.sampled_from(["link", "link", "link to itself", "pipe", "folder", "aside", "hard link"])),
    )

    def apply(run):
        path = run / name
        for _ in range(depth if kind.startswith("link") else 0):
            path = path.parent if path.parent != run else path
        outside = run.parent / "canary"
        if kind == "aside":
            path.with_name(f".{path.name}.aside").symlink_to(outside / "file.txt")
            return
        is_folder = path.is_dir()
        shutil.rmtree(path) if is_folder else path.unlink()
        if kind == "link":
            path.symlink_to(outside if is_folder else outside / "file.txt")
        elif kind == "link to itself":
            path.symlink_to(path.name)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            os.link(outside / "file.txt", path)

    return Damage(f"{name}: {kind}, {depth} above", apply)


def changed(content, steps: list[int], value):
    """A copy in which the value at these steps through lists and dicts is another, or gone (`...`)."""
    content = copy.deepcopy(content)
    place, key = {"": content}, ""
    for step in steps:
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner:
            break
        place, key = inner, list(inner)[step % len(inner)] if isinstance(inner, dict) else step % len(inner)
    if place is not content and key == "":
        return value if value is not ... else None
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return content


def rehash(state: Path) -> None:
    """Make the hashes of a checkpoint right again."""
    header = json.loads(state.read_text())
    parts = {name: state.with_name(f"{name}.safetensors").read_bytes() for name in ("weights", "optimizer")}
    header["hashes"] = {"state": sha256(header["state"].encode())} | {
        name: sha256(part) for name, part in parts.items()
    }
    state.write_text(json.dumps(header))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def reads_of(name: str, run: Path, image: Path) -> dict[str, tuple]:
    """The commands that read such a run."""
    commands = {"report": ("report", run), "compare": ("compare", run, run), "resume": ("resume", run)}
    use = {
        "classifier": ("predict", run, image),
        "agent": ("play", run, "--episodes", "1"),
        "language model": ("generate", run, "--max-tokens", "2"),
    }
    return commands | ({"use": use[name]} if name in use else {})


def unfinish(run: Path) -> None:
    """As a run that was killed before its end."""
    for file in run.rglob("finished.json"):
        if not file.is_symlink() and file.is_file():
            file.unlink()


def read_run(words: tuple, draws: bool) -> tuple[Output | None, float]:
    """The output of a command, None where it would begin to train, and the seconds of the processor that it took. Figures are
    drawn only where that is asked for: they take most of the time."""

    def stop(*args, **kwargs):
        raise TrainingReachedError

    def load(self, load=Checkpointer.load):
        load(self)
        stop()

    patches = [mock.patch.object(Checkpointer, "load", load), mock.patch.object(pool, "worker_processes", stop)]
    if not draws:
        patches.append(mock.patch("matplotlib.figure.Figure.savefig", lambda self, file, **kwargs: file.write(b"")))
    started = time.process_time()
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        try:
            output = invoke(*words)
        except TrainingReachedError:
            output = None
    return output, time.process_time() - started
