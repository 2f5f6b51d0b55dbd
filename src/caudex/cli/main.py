"""The command line: a name is dispatched first, then one dataclass is parsed, so that help is fast."""

from __future__ import annotations

import csv
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence

from caudex.cli.commands import COMMANDS, Compare, Export, List, Predict, Report, Resume
from caudex.cli.flags import parse, system_settings
from caudex.cli.terminal import alone_in, leave, left_out, new_file, new_folder, print_sentence, show
from caudex.core import registry as names
from caudex.core.errors import CaudexError
from caudex.data.images.formats import image_files, read_images


def main(argv: Sequence[str] | None = None) -> None:
    """Exit code 0; 2 for what the user can mend, with one line on standard error; 130 after Ctrl-C. An environment that hangs ends
    the process with 1."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # it warns of what is meant so
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a file name that the terminal cannot show must not stop anything
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(usage())
        elif words[0] in ("-V", "--version"):
            from caudex import __version__

            print(f"caudex {__version__}")
        elif words[0] not in COMMANDS:
            raise CaudexError(
                f"{words[0]!r} is not a command.{names.did_you_mean(words[0], COMMANDS)} Commands: {', '.join(COMMANDS)}."
            )
        else:
            command(words[0])(words[1:])
        sys.stdout.flush()
    except CaudexError as error:
        leave(2, str(error))
    except KeyboardInterrupt:
        leave(130, "stopped.")
    except BrokenPipeError:  # whoever read our output has enough; Python would complain when it closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.filename is None:
            raise
        leave(2, f"{error.filename}: {error.strerror}.")
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        leave(2, "there is not enough memory; try a smaller --batch, --width or --size.")


def command(name: str) -> Callable[[Sequence[str]], None]:
    """The function that carries it out."""
    name = name.replace("-", "_") + "_"
    if name in globals():
        return globals()[name]
    from caudex.cli import envs as cli_envs
    from caudex.cli import texts as cli_texts

    return getattr(cli_texts, name, None) or getattr(cli_envs, name)


def usage() -> str:
    lines = "\n".join(f"  {name:12} {what}" for name, what in COMMANDS.items())
    return (
        "caudex: one trunk, many heads.\n"
        "Learn from few labels, and from every signal that costs none.\n\n"
        f"usage: caudex COMMAND ...\n\n{lines}\n\n"
        "Begin with the digits that come with it, then with images of your own, in\n"
        "photos/labelled/CLASS/ and photos/unlabelled/:\n"
        "  caudex train noisy-student\n"
        "  caudex train noisy-student --data photos/\n"
        "  caudex predict RUN new/*.jpg\n\n"
        "`caudex train SYSTEM --help` explains every setting."
    )


KINDS = {
    "few_labels": "images", "pretraining": "images", "dense": "images", "studies": "images", "text": "texts",
    "reward": "an environment", "meta": "tasks",
}  # fmt: skip
"""what the folders of systems learn from, where their names do not say it"""


def list_(words: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    flags = parse(List, words, "list")
    if flags.what not in ("", "envs"):
        raise CaudexError(f"list {flags.what}: say `caudex list`, or `caudex list envs`.")
    if flags.what:
        from caudex import envs as envs

        print(*envs.names(), sep="\n")
        return
    systems = Table(
        "system",
        "kind",
        "what it does",
        title="systems: caudex train SYSTEM",
        title_justify="left",
        row_styles=["", "dim"],
    )
    for name, place in sorted(names.class_paths("systems").items()):
        kind = KINDS.get(place.split(".")[2], place.split(".")[2]) if place.startswith("caudex.systems.") else "yours"
        systems.add_row(f"[bold]{name}[/]", kind, names.docstring_summary("systems", name))
    signals = Table("signal", "what it teaches", title="signals: --also SIGNAL[:WEIGHT]", title_justify="left")
    for name in names.class_paths("signals"):
        if names.signal_needs(name) in ("replay", "rollouts"):
            continue  # they act, and are added to nothing
        signals.add_row(f"[bold]{name}[/]", names.docstring_summary("signals", name))
    console = Console()
    console.print(systems)
    console.print(signals)
    console.print(
        "Few labels and many unlabelled images? Take noisy-student. Only labels? Take supervised.", style="italic"
    )


def train_(words: Sequence[str]) -> None:
    system, flags = system_settings("train", words)
    from caudex.core.run import Run

    folder = new_folder(flags.run, flags.name, flags.hardware)
    carry_out(system, Run(folder, system.seed, flags.hardware), fresh=True)


def probe_(words: Sequence[str]) -> None:
    """`train probe` on a run's trunk, its data and the sizes of its network as defaults."""
    if not words or words[0] in ("-h", "--help"):
        return train_(["probe", *words])
    from caudex.core.run import Run

    found = Run(words[0]).settings()
    known = found["settings"]
    if "tokens" in known or "text" in known:
        raise CaudexError(
            f"{words[0]} learned from texts; `caudex train text-labels --from {words[0]}` tells its worth."
        )
    other = any(word.split("=")[0] == "--data" for word in words)
    if not other and (found["system"] == "next-frame" or "data" not in known):
        raise CaudexError(f"{words[0]} did not learn from images; say on which to probe it: --data FOLDER.")
    kept = ("trunk", "width", "depth", "stride", "mirror", "seed", *([] if other else ("data", "labels", "size")))
    flags = [flag for name in kept if known.get(name) is not None for flag in _flag(name, known[name])]
    return train_(["probe", "--start", words[0], *flags, *words[1:]])


def labels_saved_(words: Sequence[str]) -> None:
    train_(["labels-saved", *words])


def _flag(name: str, value) -> list[str]:
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{name}"]
    return [f"--{name}", str(value)]


def claim_(words: Sequence[str]) -> None:
    system, flags = system_settings("claim", words)
    from caudex.core.run import Run
    from caudex.evaluation.claim import ClaimPlan

    if flags.hardware.devices * flags.hardware.nodes > 1:
        raise CaudexError("a claim measures each seed in one process, several at a time; use --workers, not --devices.")
    command = shlex.join(["caudex", "claim", *words])
    plan = ClaimPlan(flags.scale, flags.seeds, flags.first_seed, flags.over, flags.workers, command)
    plan.check(system)
    fresh = not (flags.run and (flags.run / "plan.json").exists())
    folder = new_folder(flags.run, f"claim-{flags.name}", flags.hardware) if fresh else flags.run
    carry_out_claim(system, Run(folder, system.seed, flags.hardware), plan, fresh)


def resume_(words: Sequence[str]) -> None:
    flags = parse(Resume, words, "resume")
    from caudex.core.system import is_complete, open_run, read_dataclass
    from caudex.evaluation.claim import ClaimPlan

    system, run = open_run(flags.run)
    if run.read_json("plan"):
        carry_out_claim(system, run, read_dataclass(ClaimPlan, run, "plan"))
    elif is_complete(run):
        raise CaudexError(
            f"{flags.run} is finished; there is nothing to resume. {flags.run / 'report.html'} shows what it found."
        )
    else:
        carry_out(system, run)


def predict_(words: Sequence[str]) -> None:
    flags = parse(Predict, words, "predict")
    from caudex.core.system import load

    if not flags.files:
        raise CaudexError(f"say which images or texts: caudex predict {flags.run} FILES..., files or folders.")
    new_file("--csv", flags.csv)
    model = load(flags.run)
    if not hasattr(model, "predict"):
        raise CaudexError(f"{flags.run} holds nothing that predicts classes.")
    if hasattr(model, "tokenizer"):
        from caudex.cli.texts import texts_in

        names, inputs, skipped = texts_in(flags.files, flags.run)
    else:
        paths = image_files(flags.files)
        inputs, skipped, cut = read_images(flags.files, model.shape)
        if cut:
            print(f"caudex: {cut}.", file=sys.stderr)
        unread = {path for path, _ in skipped}
        names = [path for path in paths if path not in unread]
    if not names:
        raise CaudexError(f"none of the {len(skipped):,} files can be read; {skipped[0][0]}: {skipped[0][1]}.")
    for path, reason in skipped:
        print(f"caudex: skipped {path}: {reason}", file=sys.stderr)
    rows = [(name, *said) for name, said in zip(names, model.predict(inputs))]
    if flags.csv:
        with flags.csv.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows(
                [("file", "class", "confidence"), *((path, name, f"{sure:.6f}") for path, name, sure in rows)]
            )
        print(flags.csv)
    else:
        show([("file", "class", "confidence"), *((path, name, f"{sure:.1%}") for path, name, sure in rows)])


def report_(words: Sequence[str]) -> None:
    flags = parse(Report, words, "report")
    from caudex.reports import write_report

    print(write_report(flags.run))


def compare_(words: Sequence[str]) -> None:
    flags = parse(Compare, words, "compare")
    if len(flags.runs) < 2:
        raise CaudexError("compare needs at least two run folders.")
    new_file("--figure", flags.figure, ".png")
    from caudex import reports
    from caudex.core.system import open_run
    from caudex.systems.reward.shared import OnEnv

    runs = {path: open_run(path) for path in flags.runs}
    acted = reports.return_columns([each for each in runs.values() if isinstance(each[0], OnEnv)])
    said = reports.add_statistics(acted)
    alone = [reports.run_column(path, *each) for path, each in runs.items() if not isinstance(each[0], OnEnv)]
    for table in reports.comparison_tables(alone + acted):
        show(table)
    for sentence in said:
        print_sentence(sentence)
    if flags.figure:
        reports.plot_returns(acted, flags.figure)
    for path, (_, run) in runs.items():
        if not reports.is_finished(run):
            print(f"caudex: {path} is not finished; `caudex resume {path}` goes on with it.", file=sys.stderr)


def export_(words: Sequence[str]) -> None:
    flags = parse(Export, words, "export")
    from caudex.core.system import load

    model = load(flags.run)
    if not hasattr(model, "export"):
        raise CaudexError(f"{flags.run} holds nothing that can be exported.")
    if flags.to and flags.to.is_file():
        raise CaudexError(f"--to {flags.to} is a file; give a folder.")
    if flags.to and (flags.to / "model.onnx").exists():
        raise CaudexError(f"--to {flags.to} holds an exported model already; delete it first, or give another folder.")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of what is not installed and not needed
    with warnings.catch_warnings(action="ignore"):
        written = model.export(flags.to or flags.run / "export")
    print(*written, sep="\n")


# -- what they share -------------------------------------------------------------------------------------------


def carry_out(system, run, fresh: bool = False) -> None:
    """Train, then show the results and where they lie; what failed before training leaves no folder."""
    from caudex.core.hardware import create_fabric
    from caudex.core.system import finish, start
    from caudex.reports import write_report

    with alone_in(run, fresh):
        run.hardware.check()
        create_fabric(run.hardware)  # a device that is not there is found out before the images are read
        if run.hardware.threads:
            import torch

            torch.set_num_threads(run.hardware.threads)
        start(system, run)
        finish(system.train(run), run)
        if not run.is_main_process:
            return
        results = run.read_json("results", {})
        show(system.result_rows(results))
        for line in filter(None, (system.legend, str(run.compute))):
            print_sentence(line)
        for line in (*left_out(run), *system.warn(results)):
            print(f"caudex: {line}", file=sys.stderr)
        write_report(run.path)
        print(run.path)


def carry_out_claim(system, run, plan, fresh: bool = False) -> None:
    from caudex.evaluation.claim import measure_claim
    from caudex.reports import INTERVAL_NOTE, claim_table, write_report

    with alone_in(run, fresh):
        run.hardware.check()
        found = measure_claim(system, run, plan)
        show(claim_table(found))
        print_sentence(INTERVAL_NOTE)
        print_sentence(f"{'shown' if found['shown'] else 'not shown'}: {found['statement']}")
        if plan.scale == "tiny":
            print(
                "caudex: --scale tiny trains for seconds; it shows that all works, not what is gained.", file=sys.stderr
            )
        write_report(run.path)
        print(run.path)
