"""Whether `caudex advise` is right: its forecast of 50 more labels, and the method that it names; results/advise.csv.

    python benchmarks/advise.py digits emoji    # the second as benchmarks/pretrained.py makes it; some three core-hours, a piece a draw

Of each of 20 draws (200 to 219; the forecast was made on 100 to 119) a fifth of the images is the test, 9 of each class are labelled, and
all others are unlabelled. `advise` runs with its defaults. Then each method learns from today's labels, and the named one from 50 more, drawn
at random; both are tested on the test. A draw that was measured is read back from results/pieces/advise/, so that a run that was stopped goes on.
"""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from caudex.core.disk import write_atomically
from caudex.data import Split
from caudex.data.stratified import seeded_permutation, split_stratified, stratified_sample
from caudex.evaluation.intervals import wilson_interval
from caudex.systems.encoded import read_encoded
from caudex.systems.studies.advise import advise_on_images, cheap_methods, settings_for, trial_predictions

RESULTS = Path(__file__).parents[1] / "results"
COLUMNS = (
    "set",
    "draws",
    "in the interval",
    "low",
    "high",
    "mean width",
    "mean error of the forecast",
    "best or within a point",
)
DRAWS, LABELS, MORE, TEST_SHARE = range(200, 220), 9, 50, 0.2


def measure_draw(images, encoder, settings, draw: int) -> dict:
    rest, test = split_stratified(images.labels, TEST_SHARE, draw, "advise, test")
    labels = torch.full_like(images.labels, -1)
    first = rest[stratified_sample(images.labels[rest], [LABELS] * len(images.classes), draw, "advise, labelled")]
    labels[first] = images.labels[first]
    methods = cheap_methods(settings)
    advice = advise_on_images(replace(images, labels=labels).take(rest), encoder, methods, MORE, draw)

    def accuracy(name: str, labelled: torch.Tensor) -> float:
        unlabelled = images.take(rest[~torch.isin(rest, labelled)]).without_labels()
        split = Split(images.take(labelled), unlabelled, images.take(test), train=unlabelled, encoder=encoder)
        return (trial_predictions(methods[name], split, draw) == images.labels[test]).double().mean().item()

    pool = rest[~torch.isin(rest, first)]
    later = torch.cat([first, pool[seeded_permutation(len(pool), draw, "advise, more")[:MORE]]])
    forecast = advice.forecasts[advice.best]
    return {
        "best": advice.best,
        "now": {name: accuracy(name, first) for name in advice.methods},
        "later": accuracy(advice.best, later),
        "forecast": forecast.later,
        "interval": list(forecast.later_interval),
    }


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in sys.argv[1:]:
        unsplit, encoder = read_encoded(name, None, "auto", 0, False)
        images = unsplit.images.take(unsplit.images.is_labelled)
        settings = settings_for("small" if encoder is None else "auto", 0, data=name)
        pieces = []
        for draw in DRAWS:
            file = RESULTS / "pieces" / "advise" / f"{Path(name).name}-{draw}.json"
            if not file.exists():
                write_atomically(file, json.dumps(measure_draw(images, encoder, settings, draw), indent=1) + "\n")
            pieces.append(json.loads(file.read_text()))
            print(Path(name).name, draw, pieces[-1], flush=True)
        covered = [low <= piece["later"] <= high for piece in pieces for low, high in [piece["interval"]]]
        near = [piece["now"][piece["best"]] >= max(piece["now"].values()) - 0.01 for piece in pieces]
        widths = [piece["interval"][1] - piece["interval"][0] for piece in pieces]
        errors = [abs(piece["forecast"] - piece["later"]) for piece in pieces]
        low, high = wilson_interval(np.mean(covered), len(covered))
        figures = [f"{value:.3f}" for value in (low, high, np.mean(widths), np.mean(errors))]
        rows.append((Path(name).name, len(pieces), sum(covered), *figures, sum(near)))
        print(*rows[-1], flush=True)
    with (RESULTS / "advise.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
