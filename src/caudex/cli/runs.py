"""Commands for runs that are there: report, compare, export."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from caudex.cli.commands import CompareFlags, ExportFlags, ReportFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table, print_wrapped
from caudex.core.errors import CaudexError


def report_command(words: Sequence[str]) -> None:
    flags = parse_flags(ReportFlags, words, "report")
    from caudex.reports import write_report

    print(write_report(flags.run))


def compare_command(words: Sequence[str]) -> None:
    flags = parse_flags(CompareFlags, words, "compare")
    if len(flags.runs) < 2:
        raise CaudexError("compare needs at least two run folders.")
    check_new_file("--figure", flags.figure, ".png")
    from caudex import reports
    from caudex.core.system import open_run
    from caudex.systems.reward.shared import RewardSystem

    runs = {path: open_run(path) for path in flags.runs}
    by_system = reports.return_columns([pair for pair in runs.values() if isinstance(pair[0], RewardSystem)])
    explanations = reports.add_statistics(by_system)
    by_run = [reports.run_column(path, *pair) for path, pair in runs.items() if not isinstance(pair[0], RewardSystem)]
    for table in reports.comparison_tables(by_run + by_system):
        print_table(table)
    for sentence in explanations:
        print_wrapped(sentence)
    if flags.figure:
        reports.plot_returns(by_system, flags.figure)
    for path, (_, run) in runs.items():
        if not reports.is_finished(run):
            print(f"caudex: {path} is not finished; `caudex resume {path}` goes on with it.", file=sys.stderr)


def export_command(words: Sequence[str]) -> None:
    flags = parse_flags(ExportFlags, words, "export")
    if flags.adapter:
        export_adapter_command(flags)
        return
    from caudex.core.root_folder import RootFolder
    from caudex.core.system import load

    model = load(flags.run)
    if not hasattr(model, "export"):
        raise CaudexError(
            f"{flags.run} holds nothing that has a public format; its weights are {flags.run}/model.safetensors."
        )
    if flags.to and flags.to.is_file():
        raise CaudexError(f"--to {flags.to} is a file; give a folder.")
    if flags.to and any((flags.to / name).exists() for name in ("model.onnx", "model.safetensors", "config.json")):
        raise CaudexError(f"--to {flags.to} holds a model already; delete it first, or give another folder.")
    if not flags.to:
        RootFolder(flags.run).check_links("export")
    print(*model.export(flags.to or flags.run / "export"), sep="\n")


def export_adapter_command(flags: ExportFlags) -> None:
    from caudex.core.system import open_run
    from caudex.models.adapters import CONFIG_FILE, export_adapter

    if flags.to:
        raise CaudexError("--to is for the model, --adapter for its adapter alone; give one of them.")
    if flags.adapter.is_file() or (flags.adapter / CONFIG_FILE).exists():
        raise CaudexError(f"--adapter {flags.adapter} is a file, or holds an adapter already; give another folder.")
    print(*export_adapter(open_run(flags.run)[1], flags.adapter), sep="\n")
