"""The command list."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.cli.commands import ListFlags
from caudex.cli.flags import parse_flags
from caudex.core.errors import CaudexError
from caudex.core.registry import class_paths, docstring_summary, signal_needs

LEARNS_FROM = {
    "few_labels": "images", "pretraining": "images", "dense": "images", "studies": "images", "text": "texts",
    "reward": "an environment", "meta": "tasks",
}  # fmt: skip
"""what the systems in a folder learn from"""


def list_command(words: Sequence[str]) -> None:
    flags = parse_flags(ListFlags, words, "list")
    if flags.topic not in ("", "envs", "games"):
        raise CaudexError(f"list {flags.topic}: say `caudex list`, `caudex list envs` or `caudex list games`.")
    if flags.topic:
        from caudex.envs import boards, env_names

        print(*(env_names() if flags.topic == "envs" else boards.game_names()), sep="\n")
        return
    from rich.console import Console
    from rich.table import Table

    systems = Table(
        "system",
        "kind",
        "what it does",
        title="systems: caudex train SYSTEM",
        title_justify="left",
        row_styles=["", "dim"],
    )
    for name, path in sorted(class_paths("systems").items()):
        folder = path.split(".")[2] if path.startswith("caudex.systems.") else ""
        kind = LEARNS_FROM.get(folder, folder) if folder else "yours"
        systems.add_row(f"[bold]{name}[/]", kind, docstring_summary("systems", name))
    signals = Table("signal", "what it teaches", title="signals: --also SIGNAL[:WEIGHT]", title_justify="left")
    for name in class_paths("signals"):
        if signal_needs(name) in ("replay", "rollouts"):
            continue  # they act; `--also` cannot add them
        signals.add_row(f"[bold]{name}[/]", docstring_summary("signals", name))
    console = Console()
    console.print(systems)
    console.print(signals)
    console.print(
        "Few labels and many unlabelled images? Take noisy-student. Only labels? Take supervised.", style="italic"
    )
