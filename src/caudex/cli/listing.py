"""The command list."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.cli.commands import ListFlags
from caudex.cli.flags import parse_flags
from caudex.core.errors import CaudexError
from caudex.core.registry import class_paths, docstring_summary, signal_needs

FAMILIES = {
    "few_labels": "few labels, and more images without",
    "pretraining": "images without labels",
    "dense": "images with a label for every pixel",
    "studies": "images, and the question what a method is worth on them",
    "text": "texts",
    "reward": "an environment and its reward",
    "games": "a board game",
    "meta": "many tasks",
    "simulation": "a simulator, and reality without labels",
}
"""what one has who takes the systems of a folder"""


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
        "system", "what it does", title="systems, by what you have: caudex train SYSTEM", title_justify="left"
    )
    for family, names in systems_by_family().items():
        systems.add_section()
        systems.add_row("", f"[italic]{FAMILIES.get(family, family)}[/]")
        for name in names:
            systems.add_row(f"[bold]{name}[/]", docstring_summary("systems", name))
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


def systems_by_family() -> dict[str, list[str]]:
    """Names by their folder, in the order of `FAMILIES`; "yours" are those of other packages."""
    families: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name, path in sorted(class_paths("systems").items()):
        family = path.split(".")[2] if path.startswith("caudex.systems.") else "yours"
        families.setdefault(family, []).append(name)
    return families
