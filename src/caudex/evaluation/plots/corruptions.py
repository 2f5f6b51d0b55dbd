"""Accuracy on corrupted images."""

from __future__ import annotations

from caudex.core.disk import read_csv
from caudex.core.run import Run


def plot_corruptions(run: Run) -> None:
    """figures/corruptions.png: accuracy against severity for each corruption, a line for each classifier with a table."""
    files = sorted((run.path / "tables").glob("corruption-*.csv"))
    files += run.path.glob("stages/*/tables/corruption-*.csv")
    tables = {file.stem.removeprefix("corruption-"): read_csv(file) for file in files}
    if not tables:
        return
    kinds = list(dict.fromkeys(row["corruption"] for rows in tables.values() for row in rows))
    with run.figure("corruptions", 2, -(-len(kinds) // 2), width=3.4, height=2.4) as axes:
        for axis, kind in zip(axes.flat, kinds):
            for name, rows in tables.items():
                kind_rows = [row for row in rows if row["corruption"] == kind]
                severity, accuracy = (
                    [int(row["severity"]) for row in kind_rows],
                    [float(row["accuracy"]) for row in kind_rows],
                )
                axis.plot(severity, accuracy, label=name, marker=".", lw=1.2)
            axis.set(title=kind, ylim=(0, 1), xlabel="severity", xticks=range(1, 6))
        axes.flat[0].set_ylabel("accuracy")
        axes.flat[0].legend(fontsize=7)
