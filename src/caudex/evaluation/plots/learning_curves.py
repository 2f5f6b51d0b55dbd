"""Learning curves of every fit of a run."""

from __future__ import annotations

import math

import numpy as np

from caudex.core.run import Run
from caudex.core.run_records import TrainingDescription
from caudex.evaluation.plots.panels import MAX_PANELS, panel_columns


def plot_learning_curves(run: Run) -> str:
    """figures/learning-curves.png: evaluations and each signal's loss, a line for each fit; dotted: the chance loss. Returns its
    caption, "" where there is nothing to plot.

    The x axis is the share of each fit's own training: a baseline takes several times the steps of one student.
    """
    fits = runs_by_fit(run)
    rows_by_fit = {name: fit.metrics() for name, fit in fits.items()}

    def curves(key: str) -> dict[str, list]:
        return {
            name: [(row["step"] / max(1, rows[-1]["step"]), row[key]) for row in rows if is_plottable(row.get(key))]
            for name, rows in rows_by_fit.items()
        }

    keys = {key for rows in rows_by_fit.values() for row in rows for key in row}
    evaluations = sorted(key for key in keys if key.startswith("evaluation/") and key != "evaluation/return")
    losses = sorted(key for key in keys if key.endswith("/loss") and key not in evaluations)
    returns = curves("episodes/return") | {
        f"{name}, evaluated": row for name, row in curves("evaluation/return").items()
    }
    panels = [("return", returns), *((panel_title(key), curves(key)) for key in evaluations)]
    panels += [(key.removesuffix("/loss") + " loss", curves(key)) for key in losses]
    cosines = {key.replace("/cosine with", " and"): curves(key) for key in sorted(keys) if "/cosine with " in key}
    if cosines:
        lines = {f"{pair}, {fit}": points for pair, fits in cosines.items() for fit, points in fits.items() if points}
        panels.append(("cosine of the signals' gradients", lines))
    panels = [(title, lines) for title, lines in panels if any(lines.values())][:MAX_PANELS]
    if not panels:
        return ""
    chance = {
        name: level
        for fit in fits.values()
        for name, level in (fit.read_struct("about", TrainingDescription) or TrainingDescription()).chance_loss.items()
    }
    from matplotlib.ticker import PercentFormatter

    columns, colours, has_level = panel_columns(len(panels)), fit_colours(run), False
    with run.figure("learning-curves", columns, -(-len(panels) // columns)) as axes:
        for axis in np.ravel(axes)[len(panels) :]:
            axis.axis("off")
        for axis, (title, lines) in zip(np.ravel(axes), panels):
            for name, points in lines.items():
                if points:
                    line_style = "--" if name.startswith("supervised") else "-"
                    marker = "." if len(points) < 3 else ""
                    axis.plot(*zip(*points), label=name, color=colours.get(name), ls=line_style, lw=1.4, marker=marker)
            level = chance.get(title.removesuffix(" loss"))
            if level:
                has_level = True
                axis.axhline(level, color="gray", ls=":", label="chance")
            axis.set(title=title, xlabel="share of its training", xlim=(0, 1.02))
            axis.xaxis.set_major_formatter(PercentFormatter(1))
            if title in ("test accuracy", "test 20 neighbours"):
                axis.yaxis.set_major_formatter(PercentFormatter(1))
            axis.legend(fontsize=7)
    caption = "Learning curves, a line for each training."
    if any(title.startswith("test ") for title, _ in panels):
        caption += " Nothing is chosen by the figures of the test."
    return caption + " Dotted: the loss of a predictor that has learned nothing." * has_level


def fit_colours(run: Run) -> dict[str, str]:
    """A colour for each fit of the run, the same in all figures."""
    return {name: f"C{number % 10}" for number, name in enumerate(runs_by_fit(run))}


def runs_by_fit(run: Run) -> dict[str, Run]:
    """The fits of a run by name, in the order in which they began, without those that calibrate; the run itself first where it
    has metrics."""
    stages = {name: run.stage(name) for name in run.stage_names() if not name.startswith("calibration-")}
    began = {name: stat.st_mtime for name, stage in stages.items() if (stat := stage.folder.stat("about.json"))}
    root = {"training": run} if run.metrics() else {}
    return root | {name: stages[name] for name in sorted(began, key=began.__getitem__)}


def is_plottable(figure: float | None) -> bool:
    """matplotlib leaves NaN and infinity out, and fails for axes that are longer than any number."""
    return figure is not None and (abs(figure) < 1e100 or not math.isfinite(figure))


def panel_title(key: str) -> str:
    name = key.removeprefix("evaluation/")
    return name if name in ("effective rank", "std") else f"test {name}"  # those are of training images
