"""Several runs side by side, a column for each; of those that learned from reward a column for each system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from caudex.core.run import Run
from caudex.core.system import System, name_of
from caudex.reports.tables import finished, spread


@dataclass
class Column:
    """What was found, what it cost, and the settings; `returns` by environment and seed, where reward was learned from."""

    name: str
    told: dict[str, str] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    returns: dict[str, dict[int, float]] = field(default_factory=dict)


def comparison(columns: Sequence[Column]) -> list[list[tuple]]:
    """Results, cost, and the settings that differ: a table each of the columns that have any, with - where one has no such."""
    cost = [{name: COST[name].format(spent) for name, spent in column.cost.items()} for column in columns]
    settings = differing([column.settings for column in columns])
    groups = {"results": [column.told for column in columns], "cost": cost, "settings that differ": settings}
    tables = []
    for group, cells in groups.items():
        lines = dict.fromkeys(line for each in cells for line in each)
        known = [(column.name, each) for column, each in zip(columns, cells) if each]
        rows = [(line, *(each.get(line, "-") for _, each in known)) for line in lines]
        tables += [[(group, *(name for name, _ in known)), *rows]] if rows else []
    return tables


def of_run(path: Path, system: System, run: Run) -> Column:
    results = run.read_json("results")
    header, *rows = (system.result_rows(results) if results else []) or [()]
    told = {name: figure for name, figure, *_ in rows}
    if header and header[0]:  # a table whose columns are of one kind
        told = {f"{row[0]}, {header[0]} {column}": cell for row in rows for column, cell in zip(header[1:], row[1:])}
    if "corrupted images" in header:
        told = {row[0]: f"{row[1]}, corrupted {row[-1]}" if row[-1] else row[1] for row in rows}
    claim = run.read_json("claim", {})
    for part in claim.get("values", [claim] if claim else []):
        over = f", {claim['over']} {part['value']:g}".replace("_", "-") if "over" in claim else ""
        told["the claim's figure" + over] = spread(part["figure"], part["interval"], claim.get("number_format", ".2%"))
    name = str(path) if finished(run) else f"{path} (not finished)"
    return Column(name, told, spent(run), {"system": name_of(system), **asdict(system)})


COST = {"TFLOP": "{:,.3g}", "seconds": "{:,.1f}"}


def spent(run: Run) -> dict[str, float]:
    compute = run.read_json("compute")
    return {"TFLOP": compute["flops"] / 1e12, "seconds": compute["seconds"]} if compute else {}


def differing(settings: Sequence[dict]) -> list[dict[str, str]]:
    """Of several settings those that are not alike, by their flags."""
    names = dict.fromkeys(name for known in settings for name in known)
    apart = [name for name in names if len({str(known[name]) for known in settings if name in known}) > 1]
    return [{flag(name): str(known[name]) for name in apart if name in known} for known in settings]


def flag(name: str) -> str:
    return name if name == "system" else "--" + name.replace("_", "-")
