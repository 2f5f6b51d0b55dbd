"""Whether `caudex advise` is right: its forecast of 50 more labels, and the method that it names; results/advise.csv.

    python benchmarks/advise.py runs/benchmark emoji 20             # as benchmarks/pretrained.py makes it; 20 seconds of one core a draw
    python benchmarks/advise.py runs/benchmark digits 20            # three minutes a draw
    python benchmarks/advise.py runs/benchmark digits 20 baselines  # of logistic regression and label spreading alone; ten seconds in all

Of each draw (from 300 on; the forecast was made on 100 to 119, the choice on others below 220) half of the images are the test, 9 of each class
are labelled, and all others are unlabelled. `advise` runs with its defaults. Then each method learns from today's labels with the settings that
training has, and the named one from 50 more, drawn at random; both are tested on the test. Each fit is kept in the folder, so that a benchmark
that was stopped goes on.
"""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from image_sets import RESULTS, read_labelled, write_table
from torch import Tensor

from caudex.core.run import Run
from caudex.data import Split
from caudex.data.stratified import seeded_permutation, split_stratified, stratified_sample
from caudex.evaluation.intervals import wilson_interval
from caudex.systems.studies.advise import (
    advise_on_images,
    cheap_methods,
    settings_for,
    short_methods,
    trial_predictions,
)
from caudex.systems.studies.trial_files import remember_predictions

COLUMNS = (
    "set",
    "methods",
    "draws",
    "in the interval",
    "low",
    "high",
    "mean width",
    "mean error",
    "best or within a point",
)
FIRST_DRAW, LABELS, MORE, TEST_SHARE = 300, 9, 50, 0.5


def measure_draw(images, encoder, settings, kind: str, draw: int, run: Run) -> dict:
    rest, test = split_stratified(images.labels, TEST_SHARE, draw, "advise, test")
    labels = torch.full_like(images.labels, -1)
    first = rest[stratified_sample(images.labels[rest], [LABELS] * len(images.classes), draw, "advise, labelled")]
    labels[first] = images.labels[first]
    methods, quick = cheap_methods(settings), short_methods(settings, encoder is not None)
    quick = {name: method for name, method in quick.items() if kind == "all" or method.baseline}
    advice = advise_on_images(replace(images, labels=labels).take(rest), encoder, quick, MORE, draw, run=run)

    def accuracy(name: str, labelled: Tensor) -> float:
        def predict(train: Tensor, test: Tensor, seed: int) -> Tensor:
            unlabelled = images.take(rest[~torch.isin(rest, train)]).without_labels()
            split = Split(images.take(train), unlabelled, images.take(test), train=unlabelled, encoder=encoder)
            return trial_predictions(methods[name], split, seed)

        when = "now" if labelled is first else "later"
        predict = remember_predictions(run, f"{when} {name}", predict, len(images.classes))
        return (predict(labelled, test, draw) == images.labels[test]).double().mean().item()

    pool = rest[~torch.isin(rest, first)]
    later = torch.cat([first, pool[seeded_permutation(len(pool), draw, "advise, more")[:MORE]]])
    forecast = advice.forecasts[advice.best]
    return {
        "best": advice.best,
        "forecasts now": {name: part.now for name, part in advice.forecasts.items()},
        "now": {name: accuracy(name, first) for name in advice.methods},
        "later": accuracy(advice.best, later),
        "forecast": forecast.later,
        "interval": list(forecast.later_interval),
    }


def summary_row(name: str, kind: str, pieces: list[dict]) -> tuple:
    covered = [low <= piece["later"] <= high for piece in pieces for low, high in [piece["interval"]]]
    near = [piece["now"][piece["best"]] >= max(piece["now"].values()) - 0.01 for piece in pieces]
    widths = [piece["interval"][1] - piece["interval"][0] for piece in pieces]
    errors = [abs(piece["forecast"] - piece["later"]) for piece in pieces]
    figures = (*wilson_interval(np.mean(covered), len(covered)), np.mean(widths), np.mean(errors))
    return (name, kind, len(pieces), sum(covered), *(f"{figure:.3f}" for figure in figures), sum(near))


def main() -> None:
    folder, data, draws, *kinds = sys.argv[1:]
    torch.set_num_threads(1)
    images, encoder = read_labelled(data)
    settings, name, kind = (
        settings_for("small" if encoder is None else "auto", 0, data=data),
        Path(data).name,
        (*kinds, "all")[0],
    )
    pieces = []
    for draw in range(FIRST_DRAW, FIRST_DRAW + int(draws)):
        run = Run(Path(folder) / f"{name}-{draw}", draw)
        pieces.append(measure_draw(images, encoder, settings, kind, draw, run))
        print(name, draw, json.dumps(pieces[-1]), flush=True)
        row = summary_row(name, kind, pieces)
        write_table("advise", COLUMNS, [*(other for other in read_rows() if other[:2] != row[:2]), row])
    print(*row)


def read_rows() -> list[tuple]:
    file = RESULTS / "advise.csv"
    return [tuple(row) for row in csv.reader(file.open())][1:] if file.exists() else []


if __name__ == "__main__":
    main()
