"""How strong a player became, and what the search adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caudex.core.run import Run


def plot_elo_curve(run: Run, positions: Mapping[str, int], elo: Mapping[str, Mapping[str, float]]) -> None:
    """figures/elo.png: Elo of each stage against the positions it had searched, with 95% intervals; lines: the other players."""
    stages = [name for name in positions if name in elo]
    with run.figure("elo", width=6.4, height=4.2) as axis:
        x, middle = [positions[name] for name in stages], [elo[name]["elo"] for name in stages]
        low, high = ([elo[name][end] for name in stages] for end in ("low", "high"))
        axis.fill_between(x, low, high, alpha=0.2, linewidth=0)
        axis.plot(x, middle, marker="o", markersize=4)
        for name in elo.keys() - positions.keys():
            axis.axhline(elo[name]["elo"], color="0.5", linewidth=1, linestyle=":")
            axis.annotate(
                name, (1, elo[name]["elo"]), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8
            )
        axis.set(xlabel="positions searched in self-play", ylabel="Elo", xlim=(0, None))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.spines[["top", "right"]].set_visible(False)


def plot_strength(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    """figures/strength.png: the measure of each row against its simulations, with 95% intervals; 0 is the network alone."""
    with run.figure("strength", width=5.2, height=3.6) as axis:
        x, share = range(len(rows)), [row["share"] for row in rows]
        ends = [[row["share"] - row["low"] for row in rows], [row["high"] - row["share"] for row in rows]]
        axis.errorbar(x, share, yerr=ends, marker="o", capsize=3)
        axis.set_xticks(x, ["network\nalone" if not row["simulations"] else f"{row['simulations']:,}" for row in rows])
        axis.set(xlabel="simulations a move", ylabel=rows[0]["measure"])
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axis.spines[["top", "right"]].set_visible(False)
