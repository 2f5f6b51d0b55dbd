"""Commands that train: train, labels-saved, probe, claim, resume."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from caudex.cli.commands import GatherFlags, ResumeFlags
from caudex.cli.flags import parse_flags, parse_system
from caudex.cli.terminal import (
    create_run_folder,
    exit_with_message,
    hold_run,
    print_table,
    print_wrapped,
    skipped_files_note,
)
from caudex.core.errors import CaudexError


def train_command(words: Sequence[str]) -> None:
    system, flags = parse_system("train", words)
    from caudex.core.run import Run

    folder = create_run_folder(flags.run, flags.name, flags.hardware)
    train_and_report(system, Run(folder, system.seed, flags.hardware), fresh=True)


def labels_saved_command(words: Sequence[str]) -> None:
    train_command(["labels-saved", *words])


def probe_command(words: Sequence[str]) -> None:
    """`train probe` on a run's trunk, its data and the sizes of its network as defaults."""
    if not words or words[0] in ("-h", "--help"):
        return train_command(["probe", *words])
    from caudex.core.run import Run
    from caudex.core.trust import is_own

    run = Run(words[0])
    saved = run.settings()
    settings = saved["settings"]
    if "tokenizer" in settings or "text" in settings:
        raise CaudexError(
            f"{words[0]} learned from texts; `caudex train text-labels --from {words[0]}` tells its worth."
        )
    other_data = any(word.split("=")[0] == "--data" for word in words)
    if not other_data and (saved["system"] == "next-frame" or "data" not in settings):
        raise CaudexError(f"{words[0]} did not learn from images; say on which to probe it: --data FOLDER.")
    if not other_data and not is_own(run):
        labels = f" --labels {shlex.quote(str(settings['labels']))}" if settings.get("labels") else ""
        raise CaudexError(
            f"{words[0]} was not made by you on this machine, so its images are not opened unasked; say which to probe it on, as "
            f"--data {shlex.quote(str(settings['data']))}{labels}."
        )
    names = ["trunk", "width", "depth", "stride", "mirror", "pad", "seed"]
    names += [] if other_data else ["data", "labels", "size", "max_pixels"]
    flags = [word for name in names if settings.get(name) is not None for word in flag_words(name, settings[name])]
    return train_command(["probe", "--start", words[0], *flags, *words[1:]])


def flag_words(name: str, value) -> list[str]:
    """A setting as it is typed."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{flag}"]
    if isinstance(value, (tuple, list)):
        return [f"--{flag}", *map(str, value)]
    return [f"--{flag}={value}"]  # one word, so that no value is taken for a flag


def claim_command(words: Sequence[str]) -> None:
    if any(word.split("=")[0] == "--gather" for word in words):
        gather_command(words)
        return
    system, flags = parse_system("claim", words)
    from caudex.core.run import Run
    from caudex.evaluation.measure_claim import ClaimPlan

    if flags.hardware.devices * flags.hardware.nodes > 1:
        raise CaudexError("a claim measures each seed in one process, several at a time; use --workers, not --devices.")
    command = shlex.join(["caudex", "claim", *words])
    plan = ClaimPlan(flags.scale, flags.seeds, flags.first_seed, flags.over, flags.workers, command)
    plan.check(system)
    fresh = not (flags.run and (flags.run / "plan.json").exists())
    folder = create_run_folder(flags.run, f"claim-{flags.name}", flags.hardware) if fresh else flags.run
    claim_and_report(system, Run(folder, system.seed, flags.hardware), plan, fresh)


def gather_command(words: Sequence[str]) -> None:
    """`claim --gather`: one claim from the seeds of several."""
    flags = parse_flags(GatherFlags, words, "claim")
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.evaluation.gather_claim import check_pieces, gather_claim, read_pieces

    pieces = read_pieces(flags.gather)
    check_pieces(pieces)
    run = Run(create_run_folder(flags.run, f"claim-{pieces[0][1].system}", Hardware()))
    with hold_run(run, fresh=True):
        claim = gather_claim(pieces, run, shlex.join(["caudex", "claim", *words]))
        report_claim(claim, run)


def resume_command(words: Sequence[str]) -> None:
    flags = parse_flags(ResumeFlags, words, "resume")
    from caudex.core.system import is_complete, open_run, read_dataclass
    from caudex.core.trust import is_own
    from caudex.evaluation.measure_claim import ClaimPlan

    system, run = open_run(flags.run)
    plan = read_dataclass(ClaimPlan, run, "plan") if run.read_json("plan") is not None else None
    if plan:
        plan.check(system)
    if flags.env and flags.env != getattr(system, "env", None):
        raise CaudexError(
            f"--env {flags.env}: `resume` goes on with the settings of {flags.run}; train anew for others."
        )
    if not is_own(run):
        system = trust_run(system, run, plan, flags)
    if plan:
        claim_and_report(system, run, plan)
    elif not is_complete(run):
        train_and_report(system, run)
    elif not (run.path / "report.html").exists():  # it was killed between its last file and the report
        with hold_run(run, False):
            report(system, run)
    else:
        raise CaudexError(
            f"{flags.run} is finished; there is nothing to resume. {flags.run / 'report.html'} shows what it found."
        )


def trust_run(system, run, plan, flags: ResumeFlags):
    """The system with settings that are trusted, and the run signed as this user's; exits with 1 where the user did not ask for that."""
    from caudex.core import trust

    openings = [line for part in (system, run.hardware, plan) if part for line in trust.describe_openings(part)]
    print(f"{flags.run} was not made by you on this machine, or was changed since. It would use:")
    print(*(f"  {line}" for line in openings or ["nothing but what comes with caudex"]), sep="\n")
    if not flags.trust:
        exit_with_message(1, f"if you trust these, `caudex resume {flags.run} --trust` goes on.")
    settings = {name: trust.mark_trusted(value) for name, value in vars(system).items()}
    code = trust.env_code(settings.get("env", ""))
    if code and not flags.env:
        raise CaudexError(
            f"{flags.run} would {code}; --trust alone does not allow that. Read what it would use, then add "
            f"--env {shlex.quote(settings['env'])}."
        )
    trust.sign(run)
    return replace(system, **settings)


def train_and_report(system, run, fresh: bool = False):
    """Train, then print the results and the run folder; returns the model. What failed before training leaves no folder."""
    from caudex.core.hardware import create_fabric
    from caudex.core.system import save_model, write_settings

    with hold_run(run, fresh):
        run.hardware.check()
        create_fabric(run.hardware)  # fails for a missing device before the images are read
        if run.hardware.threads:
            import torch

            torch.set_num_threads(run.hardware.threads)
        system = write_settings(system, run)
        model = system.train(run)
        save_model(model, run)
        if run.is_main_process:
            report(system, run, str(run.compute))
        model.run = run.path
        return model.eval()


def report(system, run, cost: str = "") -> None:
    """Write the report of a finished run, and print its results and its folder."""
    from caudex.reports import write_report

    write_report(run.path)
    results = run.read_json("results") or {}
    print_table(system.result_rows(results))
    for line in filter(None, (system.legend, cost)):
        print_wrapped(line)
    for line in (*skipped_files_note(run), *system.warn(results)):
        print(f"caudex: {line}", file=sys.stderr)
    print(run.path)


def claim_and_report(system, run, plan, fresh: bool = False) -> None:
    """Measure the claim, then print its table and the run folder."""
    from caudex.evaluation.measure_claim import measure_claim

    with hold_run(run, fresh):
        run.hardware.check()
        claim = measure_claim(system, run, plan)
        report_claim(claim, run)
        if plan.scale == "tiny":
            print(
                "caudex: --scale tiny trains for seconds; it shows that all works, not what is gained.", file=sys.stderr
            )


def report_claim(claim: dict, run) -> None:
    """Print a claim's table, its verdict and the run folder; exits with 1 where a control won."""
    from caudex.reports import claim_notes, claim_table, claim_verdict, write_report

    print_table(claim_table(claim))
    for note in claim_notes(claim):
        print_wrapped(note)
    print_wrapped(f"{claim_verdict(claim)} (the claim: {claim['statement']})")
    write_report(run.path)
    print(run.path)
    if claim["refused"]:
        exit_with_message(1, claim["refused"])
