"""What a panel of methods, numbers of labels and draws of them says: a table, two images."""

from __future__ import annotations

import numpy as np

from caudex.core.run import Run
from caudex.evaluation.intervals import mean_interval

FEWEST = 3
"""draws from which an interval tells something"""


def summary(rows: list[dict], most: float) -> list[dict]:
    """For each method and number of labels: mean and interval over draws, the paired gain over supervised, and how many
    labels of each class supervised needs for that mean, interpolated between logarithms; None beyond what was tried.
    Of fewer than three draws there is no interval, but None: by Student's t it would be as wide as all that can be."""

    def right(method: str, count: int) -> dict[int, float]:
        return {row["draw"]: row["accuracy"] for row in rows if (row["method"], row["labels"]) == (method, count)}

    counts = list(dict.fromkeys(row["labels"] for row in rows))
    places = [count or most for count in counts]
    alone = np.maximum.accumulate([np.mean(list(right("supervised", count).values())) for count in counts])
    found = []
    for method in dict.fromkeys(row["method"] for row in rows):
        for count, place in zip(counts, places):
            if not (mine := right(method, count)):
                continue
            base = right("supervised", count)
            mean, *own = mean_interval(list(mine.values()))
            gain, *paired = mean_interval([mine[draw] - base[draw] for draw in mine])
            if len(mine) < FEWEST:
                own = paired = None, None
            about = {"method": method, "labels": place, "accuracy": mean, "low": own[0], "high": own[1]}
            about |= {"gain": gain, "gain_low": paired[0], "gain_high": paired[1], "draws": list(mine.values())}
            found.append(about | {"needed": first_reached(mean, alone, places)})
    return found


def first_reached(mean: float, curve: np.ndarray, places: list[float]) -> float | None:
    """Where a rising curve first comes to `mean`, between logarithms of places; None where it does not."""
    at = int(np.searchsorted(curve, mean - 1e-9))
    if at == len(curve) or mean < curve[0] - 1e-9:
        return None
    return float(np.exp(np.interp(mean, curve[max(0, at - 1) : at + 1], np.log(places[max(0, at - 1) : at + 1]))))


def image(run: Run, results: dict) -> None:
    """Accuracy against labels, a line a method; and what each signal's features are worth beside no and all labels."""
    from matplotlib.ticker import PercentFormatter

    table = results["table"]
    methods = list(dict.fromkeys(row["method"] for row in table))
    with run.figure("labels-saved", width=9.5, height=5.2) as axis:
        for i, method in enumerate(methods):
            mine = [row for row in table if row["method"] == method]
            places, means = [row["labels"] for row in mine], [row["accuracy"] for row in mine]
            style = "k-" if method == "supervised" else f"C{i % 10}" + (":" if method.startswith("with") else "-")
            aside = [
                place * 1.02 ** (i - len(methods) / 2) for place in places
            ]  # that intervals do not hide each other
            shown = {"fmt": style, "label": method, "marker": "o", "ms": 3, "capsize": 2, "lw": 1.4}
            if any(row["low"] is None for row in mine):  # too few draws for an interval: each stands there itself
                line = axis.errorbar(aside, means, **shown)[0]
                dots = [(place, draw) for place, row in zip(aside, mine) for draw in row["draws"]]
                axis.plot(*zip(*dots), "_", color=line.get_color(), ms=6)
            else:
                axis.errorbar(aside, means, [(row["high"] - row["low"]) / 2 for row in mine], **shown)
        axis.set_xscale("log")
        axis.set_ylim(max(0.0, min(row["accuracy"] for row in table) - 0.1), 1.01)  # an interval may leave what can be
        counts = list(dict.fromkeys(row["labels"] for row in table))
        axis.set_xticks(counts, [*(f"{count:g}" for count in counts[:-1]), "all"])
        axis.minorticks_off()
        axis.set(xlabel="labels of each class", ylabel="test accuracy")
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))  # it would hide a line
        axis.yaxis.set_major_formatter(PercentFormatter(1))
    probes = {name: found for name, found in results["probes"].items() if "linear probe" in found}
    bars = {"random trunk": next(iter(probes.values()))["random trunk"]}
    bars |= {name: found["linear probe"] for name, found in probes.items()}
    with run.figure("order", width=6.0, height=0.5 * len(bars) + 1.2) as axis:
        values = [found["accuracy"] for found in bars.values()]
        spread = [[value - found["low"] for value, found in zip(values, bars.values())]]
        spread.append([found["high"] - value for value, found in zip(values, bars.values())])
        axis.barh(list(bars), values, xerr=spread, color="#6a8fb5", capsize=2)
        alone = [row["accuracy"] for row in table if row["method"] == "supervised"][-1]
        axis.axvline(alone, color="black", lw=1, label="supervised, all labels")
        axis.set(xlabel="accuracy of a linear probe on frozen features", xlim=(0, 1))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.locator_params(axis="x", nbins=6)
        axis.invert_yaxis()
        axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))


def told(row: dict | None) -> str:
    if row is None:
        return "-"
    low, high = row["gain_low"], row["gain_high"]
    arrow = (
        "" if low is None or high - low < 1e-6 else " ↑" if low > 0 else " ↓" if high < 0 else ""
    )  # equal gains tell no interval
    like = "" if row["method"] == "supervised" or row["needed"] is None else f" ={row['needed']:.3g}"
    return f"{row['accuracy']:.1%}{arrow}{like}"
