"""The temperature of a classifier of few labels, by cross-validation within them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from caudex.core.run import Run
from caudex.core.run_records import Finished
from caudex.data import Split
from caudex.data.stratified import stratified_folds
from caudex.evaluation.calibration import MIN_CALIBRATION_LABELS, fit_temperature
from caudex.models.image_classifier import ImageClassifier

FOLDS = 2


def calibrate(
    run: Run, classifier: ImageClassifier, split: Split, stage: str, refit: Callable[..., ImageClassifier]
) -> dict:
    """Set the temperature of the classifier, which was fitted in `stage`; returns what results.json says of it.

    Labels are few, so none are held out for good: each of two networks learns as the classifier did, by
    `refit(run, split, flops=...)`, without half of the labels, and predicts these. It sees each image as often as the
    classifier did, so that it is about as sure of itself. Where labels are too few, the temperature stays 1.
    """
    labelled, flops = split.labelled, run.stage(stage).read_struct("finished", Finished).flops
    folds = stratified_folds(labelled.labels, FOLDS, run.seed, "calibration")
    calibration = {"labels": sum(map(len, folds))}
    if calibration["labels"] < MIN_CALIBRATION_LABELS:
        return calibration
    logits = []
    for number, rows in enumerate(folds, 1):
        is_kept = torch.ones(len(labelled), dtype=torch.bool).index_fill(0, rows, False)
        remaining = replace(split, labelled=labelled.take(is_kept), test=split.test.take(slice(0, 0)))
        budget = {"flops": flops * len(remaining.labelled) / len(labelled)}
        logits.append(refit(run.stage(f"calibration-{number}"), remaining, **budget).logits(labelled.take(rows)))
    temperature = fit_temperature(torch.cat(logits), labelled.labels[torch.cat(folds)])
    classifier.temperature.fill_(temperature)
    return calibration | {"temperature": temperature}


def calibration_warning(results: dict) -> list[str]:
    """A sentence where the confidences could not be calibrated."""
    if "temperature" in results.get("calibration", {"temperature": 1.0}):
        return []
    return [
        f"{results['calibration']['labels']} labels, of classes that have two, are too few to calibrate confidences "
        f"({MIN_CALIBRATION_LABELS} are needed): they are the network's own, and often too high."
    ]
