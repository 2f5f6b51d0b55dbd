"""Figures drawn from what a run folder holds."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.core.run import Run
from caudex.evaluation import intervals as statistics
from caudex.evaluation.intervals import Scores


def stages(run: Run) -> dict[str, Run]:
    """The fits of a run by name, in the order in which they began; the run itself first where it has metrics."""
    folders = sorted((run.path / "stages").glob("*/about.json"), key=lambda file: file.stat().st_mtime)
    own = {"training": run} if run.metrics() else {}
    return own | {file.parent.name: Run(file.parent) for file in folders}


def table(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def learning_curves(run: Run) -> None:
    """Test accuracy and each signal's loss, a line for each fit; dotted: who learned nothing.

    Against the share of each fit's own training: a baseline takes several times the steps of one student.
    """
    fits = {name: fit.metrics() for name, fit in stages(run).items()}

    def curves(key: str) -> dict[str, list]:
        return {
            name: [(row["step"] / rows[-1]["step"], row[key]) for row in rows if key in row]
            for name, rows in fits.items()
        }

    keys = {key for rows in fits.values() for row in rows for key in row}
    looks = sorted(key for key in keys if key.startswith("evaluation/") or key == "episodes/return")
    signals = sorted(key for key in keys if key.endswith("/loss") and key not in looks)
    panels = [(_titled(key), curves(key)) for key in looks]
    panels += [(key.removesuffix("/loss") + " loss", curves(key)) for key in signals]
    pairs = sorted(key for key in keys if "/cosine with " in key)
    if pairs:
        told = {key.replace("/cosine with", " and"): curves(key) for key in pairs}
        lines = {f"{pair}, {fit}": points for pair, fits in told.items() for fit, points in fits.items() if points}
        panels.append(("cosine of the signals' gradients", lines))
    if not panels:
        return
    trivial = {
        name: level
        for fit in stages(run).values()
        for name, level in fit.read_json("about", {}).get("chance_loss", {}).items()
    }
    from matplotlib.ticker import PercentFormatter

    columns = min(3, len(panels))
    with run.figure("learning-curves", columns, -(-len(panels) // columns)) as axes:
        for axis in np.ravel(axes)[len(panels) :]:
            axis.axis("off")
        for axis, (title, lines) in zip(np.ravel(axes), panels):
            for name, points in lines.items():
                if points:
                    style = "--" if name.startswith("supervised") else "-"
                    axis.plot(*zip(*points), label=name, ls=style, lw=1.4, marker="." if len(points) < 3 else "")
            level = trivial.get(title.removesuffix(" loss"))
            if level:
                axis.axhline(level, color="gray", ls=":", label="learned nothing")
            axis.set(title=title, xlabel="share of its training", xlim=(0, 1.02))
            axis.xaxis.set_major_formatter(PercentFormatter(1))
            if title in ("test accuracy", "test 20 neighbours"):
                axis.yaxis.set_major_formatter(PercentFormatter(1))
            axis.legend(fontsize=7)


def _titled(figure: str) -> str:
    figure = figure.removeprefix("evaluation/")
    if figure == "episodes/return":
        return "return of the episodes that ended"
    return figure if figure in ("effective rank", "deviation") else f"test {figure}"  # those are of learned images


def corruptions(run: Run) -> None:
    """Accuracy against severity for each corruption, a line for each classifier that was examined."""
    found = {}
    for name in ("corruption-*.csv", "stages/*/tables/corruption-*.csv"):
        for file in sorted((run.path / "tables").glob(name) if name.startswith("c") else run.path.glob(name)):
            found[file.stem.removeprefix("corruption-")] = table(file)
    if not found:
        return
    kinds = list(dict.fromkeys(row["corruption"] for rows in found.values() for row in rows))
    with run.figure("corruptions", 2, -(-len(kinds) // 2), width=3.4, height=2.4) as axes:
        for axis, kind in zip(axes.flat, kinds):
            for name, rows in found.items():
                mine = [row for row in rows if row["corruption"] == kind]
                axis.plot(
                    [int(r["severity"]) for r in mine],
                    [float(r["accuracy"]) for r in mine],
                    label=name,
                    marker=".",
                    lw=1.2,
                )
            axis.set(title=kind, ylim=(0, 1), xlabel="severity", xticks=range(1, 6))
        axes.flat[0].set_ylabel("accuracy")
        axes.flat[0].legend(fontsize=7)


def over(run: Run, claim: dict, measure: str) -> None:
    """The claim's figure and baselines against the varied setting, with 95% intervals."""
    name, parts = claim["over"], claim["values"]
    most = 1.0 if claim.get("number_format", "%").endswith("%") else np.inf
    parameters = [part["further"].get("parameters", {}).get("figure") for part in parts]
    sized = name in ("width", "depth") and all(parameters)
    places = parameters if sized else [part["value"] for part in parts]
    lines: dict[str, Callable] = {claim["system"]: lambda part: part}
    for baseline in parts[0]["baselines"]:
        lines[baseline] = lambda part, baseline=baseline: part["baselines"][baseline]
    with run.figure(f"over-{name.replace('_', '-')}", width=6.5, height=4.2) as axis:
        for label, pick in lines.items():
            means = [pick(part)["figure"] for part in parts]
            intervals = [pick(part)["interval"] or (0, 0) for part in parts]
            halves = [min(most, (high - low) / 2) for low, high in intervals]
            axis.errorbar(
                places, means, halves, label=label, marker="o", ms=3, capsize=2, lw=2 if label == claim["system"] else 1
            )
        if min(places) > 0 and max(places) > 5 * min(places):
            axis.set_xscale("log")
            axis.set_xticks(places, [f"{place:,.0f}" for place in places])
            axis.minorticks_off()
        axis.set(xlabel="parameters of the trunk" if sized else name.replace("_", " "), ylabel=measure)
        low, high = axis.get_ylim()
        axis.set_ylim(
            max(low, 0) if min(means) > 0 else low, min(high, most + 0.01)
        )  # an interval may leave what can be
        axis.legend(fontsize=8)


def profiles(file: Path, scores: Mapping[str, Scores]) -> None:
    """Performance profiles (Agarwal et al. 2021, section 4.2): which share of the runs is above each normalised return, with
    95% bands where there are seeds enough; the IQM is told beside the name."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    every = np.concatenate([env for its in scores.values() for env in its])
    levels = np.linspace(min(0.0, every.min()) - 0.02, max(1.0, every.max()) + 0.02, 201)
    figure = Figure((6.5, 4.2 + 0.2 * len(scores)), dpi=120, layout="constrained")
    axis = figure.subplots()
    for name, its in scores.items():
        label = f"{name}: IQM {statistics.iqm(its):.2f}, {sum(map(len, its))} runs"
        (line,) = axis.step(levels, statistics.profile(its, levels), where="post", label=label, lw=1.6)
        band = statistics.interval(lambda *drawn: statistics.profile(*drawn, levels), its, draws=2000)
        if band is not None:
            axis.fill_between(levels, *band, step="post", alpha=0.15, color=line.get_color(), lw=0)
    for level in (0, 1):
        axis.axvline(level, color="gray", lw=0.8, ls=":")
    axis.set(xlabel="normalised return: 0 at random, 1 good", ylabel="share of runs above it", ylim=(0, 1.02))
    axis.set(xlim=(levels[0], levels[-1]))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", fontsize=8, frameon=False)
    image = BytesIO()
    figure.savefig(image, format="png")
    write_atomically(file, image.getvalue())
