"""Several runs side by side, a column for each; systems that learned from reward have a column for all their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from caudex.core.run import Run
from caudex.core.run_records import ComputeReport
from caudex.core.system import System, system_name
from caudex.evaluation.verdicts import format_mean
from caudex.reports.run_contents import read_claim
from caudex.reports.tables import claim_verdict, is_finished


@dataclass
class ComparisonColumn:
    """Formatted results, cost, and settings; `returns` by environment and seed, where reward was learned from, and of Atari games
    the `play_times` of these runs."""

    name: str
    cells: dict[str, str] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    returns: dict[str, dict[int, float]] = field(default_factory=dict)
    play_times: dict[str, list[dict]] = field(default_factory=dict)


def comparison_tables(columns: Sequence[ComparisonColumn]) -> list[list[tuple]]:
    """Results, cost, and the settings that differ: a table each of the columns that have any, with - for a missing cell."""
    cost = [{name: COST_FORMATS[name].format(amount) for name, amount in column.cost.items()} for column in columns]
    settings = differing_settings([column.settings for column in columns])
    groups = {"results": [column.cells for column in columns], "cost": cost, "settings that differ": settings}
    tables = []
    for title, cells_by_column in groups.items():
        labels = dict.fromkeys(label for cells in cells_by_column for label in cells)
        filled = [(column.name, cells) for column, cells in zip(columns, cells_by_column) if cells]
        rows = [(label, *(cells.get(label, "-") for _, cells in filled)) for label in labels]
        tables += [[(title, *(name for name, _ in filled)), *rows]] if rows else []
    return tables


def run_column(path: Path, system: System, run: Run) -> ComparisonColumn:
    results = system.read_results(run)
    header, *rows = (system.result_rows(results) if results else []) or [()]
    cells = {name: cell for name, cell, *_ in rows}
    if header and header[0]:  # a table whose columns are of one kind
        cells = {f"{row[0]}, {header[0]} {column}": cell for row in rows for column, cell in zip(header[1:], row[1:])}
    if "corrupted images" in header:
        cells = {row[0]: f"{row[1]}, corrupted {row[-1]}" if row[-1] else row[1] for row in rows}
    claim = read_claim(run) or {}
    for part in claim.get("values", [claim] if claim else []):
        setting = f", {claim['setting']} {part['value']:g}".replace("_", "-") if "setting" in claim else ""
        number_format = claim.get("number_format", ".2%")
        cells["the claim's score" + setting] = format_mean(part["mean"], part["interval"], number_format)
    if claim:
        cells["the claim's verdict"] = claim_verdict(claim)
    name = str(path) if is_finished(run) else f"{path} (not finished)"
    return ComparisonColumn(name, cells, run_cost(run), {"system": system_name(system), **asdict(system)})


COST_FORMATS = {"TFLOP": "{:,.3g}", "seconds": "{:,.1f}"}


def run_cost(run: Run) -> dict[str, float]:
    compute = run.read_struct("compute", ComputeReport)
    return {"TFLOP": compute.flops / 1e12, "seconds": compute.seconds} if compute else {}


def differing_settings(columns: Sequence[dict]) -> list[dict[str, str]]:
    """Of each column the settings that are not alike in all, by their flags."""
    names = dict.fromkeys(name for settings in columns for name in settings)
    differing = [name for name in names if len({str(settings[name]) for settings in columns if name in settings}) > 1]
    return [{flag_of(name): str(settings[name]) for name in differing if name in settings} for settings in columns]


def flag_of(setting: str) -> str:
    return setting if setting == "system" else "--" + setting.replace("_", "-")
