"""Accuracy on corrupted images."""

from __future__ import annotations

from typing import Annotated, TypedDict

import numpy as np
from msgspec import Meta

from caudex.core.run import Run
from caudex.evaluation.plots.learning_curves import fit_colours
from caudex.evaluation.plots.panels import MAX_PANELS, panel_columns


class CorruptionAccuracy(TypedDict):
    """A row of tables/corruption-NAME.csv."""

    corruption: str
    severity: Annotated[int, Meta(ge=1, le=5)]
    accuracy: Annotated[float, Meta(ge=0, le=1)]


def plot_corruptions(run: Run) -> None:
    """figures/corruptions.png: accuracy against severity for each corruption, a line for each classifier with a table."""
    tables = {}
    for part in (run, *map(run.stage, run.stage_names())):
        for file in part.folder.names("tables"):
            if file.startswith("corruption-") and file.endswith(".csv"):
                name = file.removesuffix(".csv")
                tables[name.removeprefix("corruption-")] = part.read_table(name, CorruptionAccuracy)
    kinds = list(dict.fromkeys(row["corruption"] for rows in tables.values() for row in rows))[:MAX_PANELS]
    if not kinds:
        return
    columns, colours = panel_columns(len(kinds)), fit_colours(run)
    others = (name for name in tables if name not in colours)
    colours |= {name: f"C{(len(colours) + number) % 10}" for number, name in enumerate(others)}
    with run.figure("corruptions", columns, -(-len(kinds) // columns), width=3.4, height=2.4) as axes:
        for axis in np.ravel(axes)[len(kinds) :]:
            axis.axis("off")
        for axis, kind in zip(np.ravel(axes), kinds):
            for name, rows in tables.items():
                kind_rows = [row for row in rows if row["corruption"] == kind]
                severity, accuracy = ([float(row[name]) for row in kind_rows] for name in ("severity", "accuracy"))
                axis.plot(severity, accuracy, label=name, color=colours[name], marker=".", lw=1.2)
            axis.set(title=kind, ylim=(0, 1), xlabel="severity", xticks=range(1, 6))
        first = np.ravel(axes)[0]
        first.set_ylabel("accuracy")
        first.legend(fontsize=7)
