"""Linear probes of several trunks, compared with a random trunk and supervised learning."""

from __future__ import annotations

from collections.abc import Mapping

from caudex.core.run import Run


def plot_linear_probes(run: Run, probes: Mapping[str, dict], supervised: float) -> None:
    """figures/linear-probes.png: a bar for each trunk, from accuracies with intervals; the line is `supervised`."""
    from matplotlib.ticker import PercentFormatter

    probes = {name: results for name, results in probes.items() if "linear probe" in results}
    bars = {"random trunk": next(iter(probes.values()))["random trunk"]}
    bars |= {name: results["linear probe"] for name, results in probes.items()}
    with run.figure("linear-probes", width=6.0, height=0.5 * len(bars) + 1.2) as axis:
        means = [bar["accuracy"] for bar in bars.values()]
        below = [mean - bar["low"] for mean, bar in zip(means, bars.values())]
        above = [bar["high"] - mean for mean, bar in zip(means, bars.values())]
        axis.barh(list(bars), means, xerr=[below, above], color="#6a8fb5", capsize=2)
        axis.axvline(supervised, color="black", lw=1, label="supervised, all labels")
        axis.set(xlabel="accuracy of a linear probe on frozen features", xlim=(0, 1))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.locator_params(axis="x", nbins=6)
        axis.invert_yaxis()
        axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))
