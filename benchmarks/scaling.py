"""The loss and what the features are worth against the number of parameters, as one row of small plots.

python benchmarks/scaling.py docs/gpt-width.png results/gpt-width.json
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def main(image: str, results: str) -> None:
    claim = json.loads(Path(results).read_text())
    found = [part["extra_metrics"] for part in claim["values"]]
    sizes = np.array([part["parameters"]["mean"] for part in found])
    tasks = [name for name in found[0] if name not in ("bits a byte", "nats a token", "parameters")]
    figure = Figure((2.6 * (1 + len(tasks)), 2.9), dpi=120, layout="constrained")
    first, *others = figure.subplots(1, 1 + len(tasks))
    losses = np.array([part["nats a token"]["mean"] for part in found])
    slope, height = np.polyfit(np.log(sizes), np.log(losses), 1)
    fitted = np.exp(height + slope * np.log(sizes))
    first.loglog(sizes, fitted, ":", color="grey", label=f"~ parameters^{slope:.3f}")
    first.loglog(sizes, losses, "o-", markersize=4)
    first.set_title("loss, nats a token", size=9)
    first.set_yticks([4, 5, 6], ["4", "5", "6"])
    first.minorticks_off()
    first.legend(fontsize=7)
    for axis, task in zip(others, tasks):
        middle = np.array([part[task]["mean"] for part in found])
        axis.semilogx(sizes, 100 * middle, "o-", markersize=4)
        axis.set_title(f"{task}, %", size=9)
    for axis in (first, *others):
        axis.set_xlabel("parameters", size=8)
        axis.tick_params(labelsize=7)
    figure.savefig(image)
    print(
        f"loss = {np.exp(height):.2f} * parameters^{slope:.4f}; residuals of ln loss:",
        *np.round(np.log(losses / fitted), 4),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
