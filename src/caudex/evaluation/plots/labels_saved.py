"""Accuracy against the number of labels, a line for each method."""

from __future__ import annotations

from caudex.core.run import Run


def plot_labels_saved(run: Run, rows: list[dict], reference: str = "supervised") -> None:
    """figures/labels-saved.png from the rows of `aggregate_draws`."""
    from matplotlib.ticker import PercentFormatter

    methods = list(dict.fromkeys(row["method"] for row in rows))
    with run.figure("labels-saved", width=9.5, height=5.2) as axis:
        for i, method in enumerate(methods):
            method_rows = [row for row in rows if row["method"] == method]
            means = [row["accuracy"] for row in method_rows]
            dashes = ":" if "with " in method else "--" if i >= 10 else "-"
            line_style = "k-" if method == reference else f"C{i % 10}{dashes}"
            shift = 1.02 ** (i - len(methods) / 2)  # so that intervals do not hide each other
            x = [row["labels"] * shift for row in method_rows]
            options = {"fmt": line_style, "label": method, "marker": "o", "ms": 3, "capsize": 2, "lw": 1.4}
            if any(row["low"] is None for row in method_rows):  # too few draws for an interval: show each draw
                line = axis.errorbar(x, means, **options)[0]
                points = [(position, draw) for position, row in zip(x, method_rows) for draw in row["draws"]]
                axis.plot(*zip(*points), "_", color=line.get_color(), ms=6)
            else:
                axis.errorbar(x, means, [(row["high"] - row["low"]) / 2 for row in method_rows], **options)
        axis.set_xscale("log")
        axis.set_ylim(max(0.0, min(row["accuracy"] for row in rows) - 0.1), 1.01)  # intervals may exceed 1
        counts = list(dict.fromkeys(row["labels"] for row in rows))
        axis.set_xticks(counts, [*(f"{count:g}" for count in counts[:-1]), "all"])
        axis.minorticks_off()
        axis.set(xlabel="labels of each class", ylabel="test accuracy")
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))  # inside it would hide a line
        axis.yaxis.set_major_formatter(PercentFormatter(1))
