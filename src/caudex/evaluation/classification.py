"""Measure a classifier on the test set and write what the report shows of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet, Split
from caudex.models.classifier import Classifier, confusion, interval


def tested(classifier: Classifier, test: ImageSet) -> dict[str, float]:
    """Accuracy with its 95% interval; empty where nothing was held out."""
    if len(test) == 0:
        return {}
    return with_interval(classifier.accuracy(test), len(test))


def with_interval(accuracy: float, count: int) -> dict[str, float]:
    """An accuracy as results.json keeps it."""
    low, high = interval(accuracy, count)
    return {"accuracy": accuracy, "low": low, "high": high, "tested": count}


def examine(run: Run, classifier: Classifier, split: Split, name: str) -> dict[str, float]:
    """Accuracy with interval, clean and corrupted; tables and figures of errors. Empty where nothing was held out."""
    test = split.test
    if len(test) == 0:
        return {}
    with run.counting(classifier):
        probabilities = classifier.probabilities(test)
        worse = classifier.corrupted(test)
    confidence, told = probabilities.max(1)
    run.table(f"corruption-{name}", worse)
    draw_confusion(run, confusion(test.labels, told, len(test.classes)), test.classes)
    order = confidence.argsort(descending=True)
    wrong = order[told[order] != test.labels[order]]
    for title, rows in {
        "most-sure": order[:16],
        "least-sure": order.flip(0)[:16],
        "sure-and-wrong": wrong[:16],
    }.items():
        said = [f"{test.classes[told[i]]} {confidence[i]:.0%}" for i in rows]
        true = ["" if told[i] == test.labels[i] else f"\nis {test.classes[test.labels[i]]}" for i in rows]
        draw_images(run, title, test, rows, [*map("".join, zip(said, true))])
    accuracy = (told == test.labels).float().mean().item()
    corrupted = float(np.mean([row["accuracy"] for row in worse]))
    return with_interval(accuracy, len(test)) | {"corrupted": corrupted}


def gain(one: Classifier, other: Classifier, test: ImageSet) -> dict[str, float]:
    """By how much `one` is more often right, with its 95% interval, paired image by image; empty for less than two."""
    if len(test) < 2:
        return {}
    right = [(net.probabilities(test).argmax(1) == test.labels).double() for net in (one, other)]
    difference = right[0] - right[1]  # [N] in -1, 0, 1
    half = 1.96 * difference.std().item() / len(test) ** 0.5
    mean = difference.mean().item()
    return {"gain": mean, "low": mean - half, "high": mean + half}


def draw_confusion(run: Run, counts: np.ndarray, classes: tuple[str, ...]) -> None:
    size = max(3.6, 0.38 * len(classes) + 1.6)
    with run.figure("confusion", width=size, height=size) as axes:
        axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="told", ylabel="true", xticks=range(len(classes)), yticks=range(len(classes)))
        axes.set_xticklabels(classes, rotation=90 if max(map(len, classes)) > 2 else 0)
        axes.set_yticklabels(classes)
        if len(classes) <= 20:
            for (i, j), count in np.ndenumerate(counts):
                if count:
                    axes.text(
                        j,
                        i,
                        count,
                        ha="center",
                        va="center",
                        size=7,
                        color="white" if count > counts[i].sum() / 2 else "black",
                    )


def draw_images(run: Run, name: str, images: ImageSet, rows: Tensor, titles: list[str], columns: int = 4) -> None:
    """A sheet of images with a line above each."""
    if len(rows) == 0:
        return
    lines = -(-len(rows) // columns)
    with run.figure(name, columns, lines, width=1.2, height=1.5) as axes:
        for axis in np.ravel(axes):
            axis.axis("off")
        for axis, image, title in zip(np.ravel(axes), images.fetch(torch.as_tensor(rows)), titles):
            axis.imshow(image.permute(1, 2, 0).squeeze(-1), cmap="gray", vmin=0, vmax=255)
            axis.set_title("\n".join(line[:16] for line in title.split("\n")), size=8)
