"""How often the interval of `caudex audit` holds the true accuracy, and how wide it is, against labels drawn at random; results/audit.csv.

    python benchmarks/audit.py digits fashion-mnist photos emoji    # the last two as benchmarks/pretrained.py makes them

The quick classifier of `doctor` learns from 5 or 20 labels of each class; all other images are the population, whose labels are known here.
100 draws of 50, and of 100, images each. At random: Wilson's interval.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from image_sets import read_labelled, write_table
from threadpoolctl import threadpool_limits

from caudex.data.stratified import class_counts, seeded_permutation, stratified_sample
from caudex.evaluation.audit import draw_audit, estimate_accuracy
from caudex.evaluation.cross_fitting import input_vectors, quick_classifier
from caudex.evaluation.intervals import wilson_interval

COLUMNS = (
    "set",
    "labels learned from",
    "accuracy",
    "labels",
    "covered",
    "width",
    "error",
    "at random: covered",
    "width",
    "error",
)
DRAWS, COUNTS, LABELS, MAX_IMAGES = 100, (50, 100), (5, 20), 4000


def measure(confidence: torch.Tensor, is_right: torch.Tensor, count: int) -> list[str]:
    truth, rows = is_right.double().mean().item(), []
    for draw in range(DRAWS):
        drawn = draw_audit(confidence, count, draw)
        estimate = estimate_accuracy(confidence, drawn, is_right[drawn])
        share = is_right[seeded_permutation(len(is_right), draw, "at random")[:count]].double().mean().item()
        for accuracy, low, high in (estimate, (share, *wilson_interval(share, count))):
            rows.append((low <= truth <= high, high - low, (accuracy - truth) ** 2))
    means = np.array(rows, float).reshape(DRAWS, 2, 3).mean(0)
    return [text for covered, width, error in means for text in (f"{covered:.2f}", f"{width:.3f}", f"{error**0.5:.3f}")]


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in sys.argv[1:]:
        images, encoder = read_labelled(name, MAX_IMAGES)
        vectors, labels = input_vectors(images, encoder), images.labels
        for learned in LABELS:
            known = stratified_sample(labels, [learned] * len(class_counts(labels, images.classes)), 0, "known")
            rest = torch.ones(len(labels), dtype=torch.bool).index_fill(0, known, False)
            with threadpool_limits(1):
                model = quick_classifier(vectors[known], encoder is not None)
                model.fit(vectors[known].numpy(), labels[known].numpy())
                probabilities = torch.from_numpy(model.predict_proba(vectors[rest].numpy()))
            confidence, predictions = probabilities.max(1)
            is_right = predictions == labels[rest]
            for count in COUNTS:
                accuracy = f"{is_right.double().mean():.3f}"
                rows.append((Path(name).name, learned, accuracy, count, *measure(confidence, is_right, count)))
                print(*rows[-1], flush=True)
    write_table("audit", COLUMNS, rows)


if __name__ == "__main__":
    main()
