"""Labels that `caudex suggest` saves against choosing at random; results/suggest.csv.

    python benchmarks/suggest.py digits fashion-mnist photos emoji    # the last two as benchmarks/pretrained.py makes them

Each of ten draws begins with two labels of each class and holds a fifth of the images out (of Fashion-MNIST 4,000 images are taken). Then
50 more are labelled at a time, three times, chosen by each way with the quick classifier of `doctor`: logistic regression on features, of
grey images on an approximate RBF kernel. The figure is the accuracy after 50, 100 and 150 more, the gain over random choice, paired by
draw, and how many labels random choice needs for the same, interpolated between the numbers tried.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from image_sets import read_labelled, write_table
from threadpoolctl import threadpool_limits

from caudex.data.stratified import seeded_permutation, stratified_sample
from caudex.evaluation.acquisition import core_set, least_margins, weighted_centres
from caudex.evaluation.cross_fitting import input_vectors, quick_classifier
from caudex.evaluation.verdicts import paired_gain, with_verdicts

COLUMNS = ("set", "way", "more labels", "accuracy", "gain", "low", "high", "verdict", "labels at random")
DRAWS, FIRST, STEP, STEPS, MAX_IMAGES = range(10), 2, 50, 3, 4000
WAYS = ("random", "margin", "core-set", "both")


def choose(way: str, vectors, known, pool, probabilities, draw: int) -> torch.Tensor:
    """Positions in the pool."""
    if way == "margin":
        return least_margins(probabilities, STEP)
    if way == "core-set":
        return core_set(vectors[pool], vectors[known], STEP)
    if way == "both":
        return weighted_centres(probabilities, vectors[pool], STEP, draw)
    return seeded_permutation(len(pool), draw * 100 + len(known), "at random")[:STEP]


def accuracies(way: str, vectors, labels, are_features: bool, draw: int) -> list[float]:
    classes = int(labels.max()) + 1
    order = seeded_permutation(len(labels), draw, "suggest")
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    known = train[stratified_sample(labels[train], [FIRST] * classes, draw, "first")]
    curve = []
    for step in range(STEPS + 1):
        model = quick_classifier(vectors[known], are_features).fit(vectors[known].numpy(), labels[known].numpy())
        curve.append(float((model.predict(vectors[test].numpy()) == labels[test].numpy()).mean()))
        if step < STEPS:
            pool = train[~torch.isin(train, known)]
            probabilities = torch.from_numpy(model.predict_proba(vectors[pool].numpy()))
            known = torch.cat([known, pool[choose(way, vectors, known, pool, probabilities, draw)]])
    return curve


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in sys.argv[1:]:
        images, encoder = read_labelled(name, MAX_IMAGES)
        vectors = input_vectors(images, encoder)
        with threadpool_limits(1):
            curves = {
                way: np.array([accuracies(way, vectors, images.labels, encoder is not None, d) for d in DRAWS])
                for way in WAYS
            }
        random = np.maximum.accumulate(curves["random"].mean(0))
        for way in WAYS:
            gains = [
                paired_gain(curves[way][:, i].tolist(), curves["random"][:, i].tolist()) for i in range(1, STEPS + 1)
            ]
            for i, gain in enumerate(gains if way == "random" else with_verdicts(gains), 1):
                mean, content = curves[way][:, i].mean(), gain.to_json()
                needed = np.interp(mean, random, np.arange(STEPS + 1) * STEP) if mean <= random[-1] else np.inf
                figures = [f"{value:.4f}" for value in (mean, gain.mean, content["low"] or 0, content["high"] or 0)]
                verdict = "" if way == "random" else content["verdict"]
                rows.append((Path(name).name, way, i * STEP, *figures, verdict, f"{needed:.0f}"))
                print(*rows[-1], flush=True)
    write_table("suggest", COLUMNS, rows)


if __name__ == "__main__":
    main()
