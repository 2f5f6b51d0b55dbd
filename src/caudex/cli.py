"""The command line: a name is dispatched first, then one dataclass is parsed, so that help is fast."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from caudex import names
from caudex.errors import CaudexError

COMMANDS = {
    "list": "the systems, what each needs and shows, and the signals for --also",
    "train": "SYSTEM [--data FOLDER] [settings]: train, measure, leave a run folder",
    "claim": "SYSTEM [--seeds 5] [--over width=8,16]: measure what the system claims against its baselines",
    "resume": "RUN: go on with a training or claim that was stopped",
    "predict": "RUN FILES...: a table of file, class, confidence; --csv FILE",
    "report": "RUN: write report.html, one file with all figures",
    "compare": "RUN RUN...: results, compute and differing settings side by side",
    "export": "RUN [--to FOLDER]: ONNX and safetensors",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Exit code 0; 2 for what the user can mend, with one line on standard error; 130 after Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(usage())
        elif words[0] in ("-V", "--version"):
            from caudex import __version__

            print(f"caudex {__version__}")
        elif words[0] not in COMMANDS:
            raise CaudexError(
                f"{words[0]!r} is not a command.{names.nearest(words[0], COMMANDS)} Commands: {', '.join(COMMANDS)}."
            )
        else:
            globals()[words[0] + "_"](words[1:])
    except CaudexError as error:
        print(f"caudex: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("caudex: stopped.", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None


def usage() -> str:
    lines = "\n".join(f"  {name:8} {what}" for name, what in COMMANDS.items())
    return (
        "caudex: one trunk, many heads. Learn from few labels and from every signal that costs none.\n\n"
        f"usage: caudex COMMAND ...\n\n{lines}\n\n"
        "Begin with:  caudex train noisy-student                   (embedded digits, 10 labels a class)\n"
        "then:        caudex train noisy-student --data photos/    (photos/labelled/CLASS/, photos/unlabelled/)\n"
        "`caudex train SYSTEM --help` explains every setting."
    )


def list_(words: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    parse(_List, words, "list")
    systems = Table(
        "system",
        "kind",
        "what it does",
        title="systems: caudex train SYSTEM",
        title_justify="left",
        row_styles=["", "dim"],
    )
    for name, place in sorted(names.places("systems").items()):
        kind = place.split(".")[2] if place.startswith("caudex.systems.") else "yours"
        systems.add_row(f"[bold]{name}[/]", kind, names.first_line("systems", name))
    signals = Table(
        "signal", "what it teaches", title="signals: --also SIGNAL[:WEIGHT] on any system", title_justify="left"
    )
    for name in names.places("signals"):
        signals.add_row(f"[bold]{name}[/]", names.first_line("signals", name))
    console = Console()
    console.print(systems)
    console.print(signals)
    console.print(
        "Few labels and many unlabelled pictures? Take noisy-student. Only labels? Take supervised.", style="italic"
    )


def train_(words: Sequence[str]) -> None:
    system, flags = system_settings("train", words)
    from caudex.run import Run

    carry_out(system, Run(new_folder(flags.run, flags.name), system.seed, flags.hardware))


def claim_(words: Sequence[str]) -> None:
    system, flags = system_settings("claim", words)
    from caudex.claim import Plan
    from caudex.run import Run

    command = shlex.join(["caudex", "claim", *words])
    plan = Plan(flags.scale, flags.seeds, flags.first_seed, flags.over, flags.workers, command)
    plan.check(system)
    carry_out_claim(
        system, Run(new_folder(flags.run, f"claim-{flags.name}", again=True), system.seed, flags.hardware), plan
    )


def resume_(words: Sequence[str]) -> None:
    flags = parse(_Resume, words, "resume")
    from caudex.claim import Plan
    from caudex.run import Hardware
    from caudex.system import opened

    system, run = opened(flags.run, Hardware(**opened(flags.run)[1].kept("hardware", {})))
    if run.kept("plan"):
        return carry_out_claim(system, run, Plan(**run.kept("plan")))
    if run.kept("finished"):
        raise CaudexError(
            f"{flags.run} is finished; there is nothing to resume. `caudex predict {flags.run} FILES` uses it."
        )
    return carry_out(system, run)


def predict_(words: Sequence[str]) -> None:
    flags = parse(_Predict, words, "predict")
    from caudex.data import files, read
    from caudex.run import write
    from caudex.system import load

    model = load(flags.run)
    if not hasattr(model, "predict"):
        raise CaudexError(f"{flags.run} holds nothing that predicts classes of pictures.")
    paths = files(flags.files)
    pictures, skipped = read(flags.files, model.shape)
    unread = {path for path, _ in skipped}
    for path, reason in skipped:
        print(f"caudex: skipped {path}: {reason}", file=sys.stderr)
    if len(pictures) == 0:
        raise CaudexError(f"none of the {len(paths)} files can be read as a picture.")
    rows = [(path, *said) for path, said in zip((p for p in paths if p not in unread), model.predict(pictures))]
    if flags.csv:
        text = io.StringIO()
        csv.writer(text).writerows(
            [("file", "class", "confidence"), *((path, name, f"{sure:.4f}") for path, name, sure in rows)]
        )
        write(flags.csv, text.getvalue())
        print(flags.csv)
    else:
        show([("file", "class", "confidence"), *((path, name, f"{sure:.1%}") for path, name, sure in rows)])


def report_(words: Sequence[str]) -> None:
    flags = parse(_Report, words, "report")
    from caudex.reports import write_report

    print(write_report(flags.run))


def compare_(words: Sequence[str]) -> None:
    flags = parse(_Compare, words, "compare")
    from caudex.reports import comparison

    show(comparison(flags.runs))


def export_(words: Sequence[str]) -> None:
    flags = parse(_Export, words, "export")
    from caudex.system import load

    model = load(flags.run)
    if not hasattr(model, "export"):
        raise CaudexError(f"{flags.run} holds nothing that can be exported.")
    for file in model.export(flags.to or flags.run / "export"):
        print(file)


# -- what they share -------------------------------------------------------------------------------------------


def carry_out(system, run) -> None:
    """Train, then show the results and where they lie; what failed before training leaves no folder."""
    from caudex.reports import write_report
    from caudex.system import finish, start

    if run.hardware.threads:
        import torch

        torch.set_num_threads(run.hardware.threads)
    try:
        start(system, run)
        model = system.train(run)
        finish(model, run)
    except CaudexError:
        if not (run.checkpoints or (run.path / "stages").exists()):
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        print(f"caudex: stopped; `caudex resume {run.path}` goes on from the last checkpoint.", file=sys.stderr)
        raise SystemExit(130) from None
    if not run.leads:
        return
    show(system.tell(run.kept("results", {})))
    print(f"{run.compute}")
    for line in system.warn(run.kept("results", {})):
        print(f"caudex: {line}", file=sys.stderr)
    write_report(run.path)
    print(run.path)


def carry_out_claim(system, run, plan) -> None:
    from caudex.claim import measure
    from caudex.reports import claim_table, write_report

    try:
        found = measure(system, run, plan)
    except KeyboardInterrupt:
        print(f"caudex: stopped; `caudex resume {run.path}` goes on.", file=sys.stderr)
        raise SystemExit(130) from None
    show(claim_table(found))
    print(f"{'shown' if found['shown'] else 'not shown'}: {found['statement']}")
    write_report(run.path)
    print(run.path)


def show(rows: Sequence[tuple]) -> None:
    """The first row is the header."""
    from rich.console import Console
    from rich.table import Table

    if rows:
        table = Table(*rows[0], header_style="bold")
        for row in rows[1:]:
            table.add_row(*map(str, row))
        Console().print(table)


def new_folder(given: Path | None, name: str, again: bool = False) -> Path:
    """The run's folder: as given, or the next free runs/NAME-N. A folder that has something in it is refused,
    unless a claim goes on in it `again`. Further processes of the same run take the first one's."""
    if "CAUDEX_RUN" in os.environ:
        return Path(os.environ["CAUDEX_RUN"])
    if given is None:
        taken = {path.name for path in Path("runs").glob(f"{name}-*")}
        given = Path("runs") / next(f"{name}-{n}" for n in itertools.count(1) if f"{name}-{n}" not in taken)
    if (
        given.exists()
        and (not given.is_dir() or any(given.iterdir()))
        and not (again and (given / "plan.json").exists())
    ):
        raise CaudexError(
            f"{given} exists and is not empty; `caudex resume {given}` goes on with a run, or choose another --run."
        )
    os.environ["CAUDEX_RUN"] = str(given)
    return given


def system_settings(command: str, words: Sequence[str]):
    """The system with its settings (defaults < scale < flags), and the other flags."""
    if not words or words[0].startswith("-"):
        systems = ", ".join(sorted(names.places("systems")))
        if words and words[0] in ("-h", "--help"):
            print(f"usage: caudex {command} SYSTEM [settings]\n\n{COMMANDS[command]}\n\nsystems: {systems}")
            print(f"`caudex {command} SYSTEM --help` explains every setting.")
            raise SystemExit(0)
        raise CaudexError(
            f"say which system: caudex {command} SYSTEM. Systems: {systems}; `caudex list` explains them."
        )
    from caudex.run import Hardware
    from caudex.system import scaled

    name, rest = words[0], list(words[1:])
    scale = value_of("--scale", rest) or "laptop"
    default = scaled(name, scale)
    kind = type(default)
    nested = [
        ("system", OmitArgPrefixes[kind], field(default_factory=lambda: default)),
        ("hardware", OmitArgPrefixes[Hardware], field(default_factory=Hardware)),
    ]
    form = make_dataclass("Settings", nested, bases=(_Train if command == "train" else _Claim,), kw_only=True)
    form.__doc__ = kind.__doc__
    flags = parse(
        form,
        rest,
        f"{command} {name}",
        {field for part in (kind, Hardware, form) for field in part.__dataclass_fields__},
    )
    flags.name = name
    flags.system.check()
    return flags.system, flags


def value_of(flag: str, words: Sequence[str]) -> str | None:
    for i, word in enumerate(words):
        if word == flag and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(flag + "="):
            return word.split("=", 1)[1]
    return None


def parse(form: type, words: Sequence[str], command: str, known: set[str] | None = None):
    """A dataclass from flags; an unknown one is named with the nearest, other mistakes become one line too."""
    known = {name.replace("_", "-") for name in known or form.__dataclass_fields__} | {"help"}
    for word in words:
        flag = word[2:].split("=")[0].replace("_", "-").removeprefix("no-")
        if word.startswith("--") and flag not in known:
            raise CaudexError(
                f"caudex {command} has no setting {word.split('=')[0]}.{names.nearest(flag, known)} `caudex {command} --help` lists them."
            )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(form, args=list(words), prog=f"caudex {command}")
    except SystemExit as end:
        if not end.code:
            raise
        lines = (line.strip("│╭╮╰╯─ ") for line in said.getvalue().splitlines())
        sentence = " ".join(
            line
            for line in lines
            if line and not line.startswith(("Parsing error", "For full helptext", "Required options"))
        )
        raise CaudexError(f"{sentence.rstrip('.')}. `caudex {command} --help` explains the settings.") from None


@dataclass
class _List:
    """What there is."""


@dataclass
class _Train:
    run: Path | None = None
    """folder of the run; default: the next free runs/SYSTEM-N"""
    scale: str = "laptop"
    """a named set of settings: tiny (seconds), laptop (minutes on two cores), paper (the publication's own)"""


@dataclass
class _Claim(_Train):
    seeds: int = 5
    """how many seeds, each with its own draw of labels"""
    first_seed: int = 0
    """the first of them"""
    over: str | None = None
    """measure for several values of a setting: NAME=V1,V2,... such as labels-per-class=1,4,10,25"""
    workers: int = 1
    """seeds measured at the same time, each in a process with its share of the threads"""


@dataclass
class _Resume:
    run: Positional[Path]
    """a run folder"""


@dataclass
class _Predict:
    run: Positional[Path]
    """a run folder"""
    files: Positional[tuple[str, ...]]
    """pictures, or folders of them"""
    csv: Path | None = None
    """write file,class,confidence there instead of a table"""


@dataclass
class _Report:
    run: Positional[Path]
    """a run folder"""


@dataclass
class _Compare:
    runs: Positional[tuple[Path, ...]]
    """run folders"""


@dataclass
class _Export:
    run: Positional[Path]
    """a run folder"""
    to: Path | None = None
    """where to write; default: RUN/export"""


if __name__ == "__main__":
    main()
