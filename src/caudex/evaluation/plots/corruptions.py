"""Accuracy on corrupted images."""

from __future__ import annotations

import numpy as np

from caudex.core.disk import read_csv
from caudex.core.run import Run
from caudex.evaluation.plots.panels import panel_columns


def plot_corruptions(run: Run) -> None:
    """figures/corruptions.png: accuracy against severity for each corruption, a line for each classifier with a table."""
    files = sorted((run.path / "tables").glob("corruption-*.csv"))
    files += run.path.glob("stages/*/tables/corruption-*.csv")
    tables = {file.stem.removeprefix("corruption-"): read_csv(file) for file in files}
    if not tables:
        return
    kinds = list(dict.fromkeys(row["corruption"] for rows in tables.values() for row in rows))
    columns = panel_columns(len(kinds))
    with run.figure("corruptions", columns, -(-len(kinds) // columns), width=3.4, height=2.4) as axes:
        for axis in np.ravel(axes)[len(kinds) :]:
            axis.axis("off")
        for axis, kind in zip(np.ravel(axes), kinds):
            for name, rows in tables.items():
                kind_rows = [row for row in rows if row["corruption"] == kind]
                severity, accuracy = (
                    [int(row["severity"]) for row in kind_rows],
                    [float(row["accuracy"]) for row in kind_rows],
                )
                axis.plot(severity, accuracy, label=name, marker=".", lw=1.2)
            axis.set(title=kind, ylim=(0, 1), xlabel="severity", xticks=range(1, 6))
        first = np.ravel(axes)[0]
        first.set_ylabel("accuracy")
        first.legend(fontsize=7)
