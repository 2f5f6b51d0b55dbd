"""The lecture's order: what the features of each free signal are worth, from the claims of equal compute.

    python benchmarks/order.py docs/order.png results/fashion-mnist-{inpainting,jigsaw,rotation,moco,simclr}.json

A bar is the mean linear probe over the claim's seeds, of the pooled vector and of the layer that was best on held-out
labels, with its 95% interval; first comes the random trunk and last, where the claims have it, the trunk that all
labels taught.
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

target, *files = map(Path, sys.argv[1:])
claims = [json.loads(file.read_text()) for file in files]
ends = {
    name: claim["baselines"][name] | {"best": claim["extra_metrics"][f"best layer, {name}"]}
    for claim in claims
    for name in claim["baselines"]
}
bars = {claim["system"]: claim | {"best": claim["extra_metrics"]["best layer"]} for claim in claims}
first = {"random trunk": ends.pop("random trunk")}
bars = first | bars | {f"taught by {name}": found for name, found in ends.items()}

figure = Figure((7.0, 0.55 * len(bars) + 1.2), dpi=120, layout="constrained")
axis = figure.subplots()
for shift, colour, label, pick in (
    (-0.2, "#6a8fb5", "pooled vector", lambda bar: bar),
    (0.2, "#c9b37e", "best layer", lambda bar: bar["best"]),
):
    found = [pick(bar) for bar in bars.values()]
    means = [each["mean"] for each in found]
    halves = [(each["interval"][1] - each["interval"][0]) / 2 for each in found]
    places = [place + shift for place in range(len(bars))]
    axis.barh(places, means, 0.38, xerr=halves, color=colour, capsize=2, label=label)
    for place, mean in zip(places, means):
        axis.text(0.01, place, f"{mean:.1%}", va="center", size=8, color="white")
axis.set_yticks(range(len(bars)), list(bars))
axis.set(xlim=(0, 1), xlabel="test accuracy of a linear probe on frozen features")
axis.xaxis.set_major_formatter(PercentFormatter(1))
axis.invert_yaxis()
axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
figure.savefig(target)
