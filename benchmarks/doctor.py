"""Flipped labels that `caudex doctor` finds, and how well it ranks images of other things; results/doctor.csv.

    python benchmarks/doctor.py digits photos emoji       # the last two as benchmarks/pretrained.py makes them

5% of all labels are set to another class at random: the share of them that is found, and of what is found, the share that was flipped, at
the threshold of the command; ten draws. Off-topic: half of the classes have 20 labels each, all other images are unlabelled; the area
under the ROC curve of the distances, that is how often an image of another class is ranked before one of these. Draws 200 to 209; thresholds and
distances were chosen on others.
"""

import sys
from pathlib import Path

import torch
from image_sets import read_labelled, write_table
from sklearn.metrics import roc_auc_score

from caudex.data.images.off_topic import labelled_distances
from caudex.evaluation.cross_fitting import cross_fit, input_vectors
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.label_errors import find_label_errors

COLUMNS = ("set", "images", "figure", "mean", "low", "high")
DRAWS, FLIPPED, LABELS = range(200, 210), 0.05, 20


def flipped_labels(images, encoder, draw: int) -> tuple[float, float]:
    """Recall and precision."""
    truth, classes = images.labels, len(images.classes)
    generator = torch.Generator().manual_seed(draw)
    is_flipped = torch.zeros(len(truth), dtype=torch.bool)
    is_flipped[torch.randperm(len(truth), generator=generator)[: round(FLIPPED * len(truth))]] = True
    others = (truth + torch.randint(1, classes, truth.shape, generator=generator)) % classes
    labels = torch.where(is_flipped, others, truth)
    rows, probabilities = cross_fit(input_vectors(images, encoder), labels, classes, encoder is not None, draw)
    errors = rows[find_label_errors(probabilities, labels[rows]).rows]
    hits = is_flipped[errors].sum().item()
    return hits / is_flipped.sum().item(), hits / max(1, len(errors))


def off_topic_auc(images, draw: int) -> float:
    generator = torch.Generator().manual_seed(draw)
    classes = torch.randperm(len(images.classes), generator=generator)[: max(2, len(images.classes) // 2)]
    order = torch.randperm(len(images), generator=generator)
    labelled = torch.cat([order[images.labels[order] == label][:LABELS] for label in classes])
    rest = torch.ones(len(images), dtype=torch.bool).index_fill(0, labelled, False).nonzero().flatten()
    _, distances = labelled_distances(images.take(labelled), images.take(rest), len(images))
    return float(roc_auc_score(~torch.isin(images.labels[rest], classes), distances))


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in sys.argv[1:]:
        images, encoder = read_labelled(name)
        found = [flipped_labels(images, encoder, draw) for draw in DRAWS]
        figures = dict(zip(("flipped labels found", "precision"), zip(*found)))
        figures["off-topic AUC"] = [off_topic_auc(images, draw) for draw in DRAWS]
        for figure, values in figures.items():
            rows.append((Path(name).name, len(images), figure, *(f"{value:.3f}" for value in t_interval(values))))
            print(*rows[-1], flush=True)
    write_table("doctor", COLUMNS, rows)


if __name__ == "__main__":
    main()
