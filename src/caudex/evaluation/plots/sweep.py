"""A claim measured for several values of a setting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caudex.core.run import Run


def plot_sweep(run: Run, claim: dict, ylabel: str) -> None:
    """figures/sweep-SETTING.png: score and baselines against the varied setting, with 95% intervals.

    Width and depth are replaced by the number of parameters, where the claim has it.
    """
    name, parts = claim["setting"], claim["values"]
    limit = 1.0 if claim.get("number_format", "%").endswith("%") else np.inf
    parameters = [part["extra_metrics"].get("parameters", {}).get("mean") for part in parts]
    by_size = name in ("width", "depth") and all(parameters)
    x = parameters if by_size else [part["value"] for part in parts]
    lines: dict[str, Callable] = {claim["system"]: lambda part: part}
    for baseline in parts[0]["baselines"]:
        lines[baseline] = lambda part, baseline=baseline: part["baselines"][baseline]
    with run.figure(f"sweep-{name.replace('_', '-')}", width=6.5, height=4.2) as axis:
        for label, pick in lines.items():
            means = [pick(part)["mean"] for part in parts]
            intervals = [pick(part)["interval"] or (0, 0) for part in parts]
            halves = [min(limit, (high - low) / 2) for low, high in intervals]
            width = 2 if label == claim["system"] else 1
            axis.errorbar(x, means, halves, label=label, marker="o", ms=3, capsize=2, lw=width)
        if min(x) > 0 and max(x) > 5 * min(x):
            axis.set_xscale("log")
            axis.set_xticks(x, [f"{value:,.0f}" for value in x])
            axis.minorticks_off()
        axis.set(xlabel="parameters of the trunk" if by_size else name.replace("_", " "), ylabel=ylabel)
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, 0) if min(means) > 0 else low, min(high, limit + 0.01))  # intervals may exceed the limit
        axis.legend(fontsize=8)
