"""Test a classifier, and write the tables and figures of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.metrics import f1_score, recall_score
from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet, Split
from caudex.evaluation.calibration import evaluate_calibration
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.plots.confusion import plot_confusion
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.evaluation.verdicts import format_difference, format_interval, format_verdict, paired_gain, with_verdicts
from caudex.models.image_classifier import ImageClassifier

MAX_RECALL_ROWS = 10
"""classes whose recall is printed; of more, the worst `WORST_RECALL_ROWS`"""
WORST_RECALL_ROWS = 5
MAJORITY = "one class for all"


def evaluate_accuracy(classifier: ImageClassifier, test: ImageSet) -> dict[str, float]:
    """Test accuracy with its 95% interval; empty where nothing was held out."""
    if len(test) == 0:
        return {}
    return accuracy_with_interval(classifier.accuracy(test), len(test))


def accuracy_with_interval(accuracy: float, test_size: int) -> dict[str, float]:
    """An accuracy as it stands in results.json."""
    low, high = wilson_interval(accuracy, test_size)
    return {"accuracy": accuracy, "low": low, "high": high, "test_size": test_size}


def evaluate_classifier(run: Run, classifier: ImageClassifier, split: Split, name: str) -> dict[str, float]:
    """`evaluate_predictions`, calibration, and accuracy on corrupted images, unless images are encoded: a corrupted one would have to be
    encoded again. Tables and figures of errors. Empty where nothing was held out."""
    test = split.test
    if len(test) == 0:
        return {}
    with run.counting(classifier):
        logits = classifier.logits(test)
        corruptions = classifier.corruption_accuracies(test) if test.features is None else []
    temperature = classifier.temperature.item()
    confidence, predictions = (logits / temperature).softmax(1).max(1)
    if corruptions:
        run.table(f"corruption-{name}", corruptions)
    plot_confusion(run, confusion_matrix(test.labels, predictions, len(test.classes)), test.classes)
    order = confidence.argsort(descending=True)
    errors = order[predictions[order] != test.labels[order]]
    for figure, rows in {
        "most-confident": order[:16],
        "least-confident": order.flip(0)[:16],
        "confident-errors": errors[:16],
    }.items():
        captions = []
        for i in rows:
            label = "" if predictions[i] == test.labels[i] else f"\nis {test.classes[test.labels[i]][:13]}"
            captions.append(f"{test.classes[predictions[i]][:11]} {confidence[i]:.0%}{label}")
        if len(rows):
            plot_image_tiles(run, figure, test.fetch(rows), 4, captions)
    corrupted = {"corrupted": float(np.mean([row["accuracy"] for row in corruptions]))} if corruptions else {}
    calibration = evaluate_calibration(run, logits, temperature, test.labels)
    return evaluate_predictions(test.labels, predictions, test.classes) | corrupted | calibration


def corrupted_accuracies(results: dict, baseline_results: dict, baseline: str) -> dict[str, float]:
    """For a claim, of two results of `evaluate_classifier`: the accuracies on corrupted images, and their difference; {} where there are none."""
    if "corrupted" not in results:
        return {}
    accuracy, baseline_accuracy = results["corrupted"], baseline_results["corrupted"]
    return {
        "corrupted": accuracy,
        f"corrupted, {baseline}": baseline_accuracy,
        "corrupted gain": accuracy - baseline_accuracy,
    }


def evaluate_columns(run: Run, classifier: ImageClassifier, test: ImageSet, name: str) -> dict[str, dict]:
    """`evaluate_predictions` for each further column of labels that the classifier learned, on the test images that have one;
    without figures where none has."""
    if not classifier.columns or len(test) == 0:
        return {}
    with run.counting(classifier):
        predictions = {column: x.argmax(1) for column, x in classifier.column_probabilities(test).items()}
    rows = {}
    for column, predicted in predictions.items():
        labels, classes = test.columns[column]
        is_known = labels >= 0
        row = evaluate_predictions(labels[is_known], predicted[is_known], classes) if is_known.any() else {}
        rows[f"{name}, {column}"] = {"column": column, **row}
    return rows


def evaluate_predictions(labels: Tensor, predictions: Tensor, classes: Sequence[str]) -> dict:
    """Accuracy with its interval, macro-F1, the recall of each class that is tested, and the gain over predicting one class
    for all: the commonest of the test, so that no such constant has more."""
    numbers = np.arange(len(classes))
    options = {"labels": numbers, "zero_division": 0.0}
    recall = recall_score(labels.numpy(), predictions.numpy(), average=None, **options)
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    correct, majority = predictions == labels, labels == int(np.argmax(counts))  # the first of equally common ones
    return accuracy_with_interval(correct.float().mean().item(), len(labels)) | {
        "macro_f1": float(f1_score(labels.numpy(), predictions.numpy(), average="macro", **options)),
        "recall": {classes[k]: {"recall": float(recall[k]), "count": counts[k]} for k in numbers if counts[k]},
        "majority": {"class": classes[int(np.argmax(counts))], "accuracy": majority_share(labels)},
        "gain_over_majority": paired_gain(correct.tolist(), majority.tolist()).to_json(),
    }


def compare_predictions(
    predictions: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], suffix: str = ""
) -> dict[str, dict]:
    """`evaluate_predictions` of each, and the gains of the first over the others, paired by example and judged together. The names end
    with `suffix`."""
    rows = {name + suffix: evaluate_predictions(labels, predicted, classes) for name, predicted in predictions.items()}
    correct, *others = [(predicted == labels).tolist() for predicted in predictions.values()]
    gains = with_verdicts([paired_gain(correct, other) for other in others])
    return rows | {f"gain over {name}{suffix}": gain.to_json() for name, gain in zip(list(predictions)[1:], gains)}


def majority_share(labels: Tensor) -> float:
    """The accuracy of predicting the commonest of these labels for all."""
    return labels.bincount().max().item() / len(labels)


def classification_rows(results: dict) -> list[tuple]:
    """The table of everything in `results` that has an accuracy: accuracies with intervals, macro-F1, accuracy on corrupted
    images; what predicting one class for all has, of further columns of labels too; the gains; calibration and the recall by
    class of the first that has them. A column that is empty is left out."""
    rows = [("", "accuracy", "95% interval", "macro-F1", "corrupted images")]
    measured = {name: row for name, row in results.items() if isinstance(row, dict) and "accuracy" in row}
    for name, row in measured.items():
        interval = f"{row['low']:.1%} to {row['high']:.1%} of {row['test_size']:,}"
        f1, corrupted = (f"{row[key]:.1%}" if key in row else "" for key in ("macro_f1", "corrupted"))
        rows.append((name, f"{row['accuracy']:.1%}", interval, f1, corrupted))
    tested = next((row for row in measured.values() if "majority" in row), None)
    baselines = {row.get("column", ""): row["majority"] for row in measured.values() if "majority" in row}
    for column, majority in baselines.items():
        name = f"{MAJORITY}{column and f' of {column}'}: {majority['class']}"
        rows.append((name, f"{majority['accuracy']:.1%}", "", "", ""))
    for name, gain in results.items():
        if isinstance(gain, dict) and "gain" in gain:
            interval = format_interval(gain["low"], gain["high"], ".1%")
            cell = format_difference(gain["gain"], None, ".1%")
            rows.append((f"{name}: {format_verdict(gain, '.1%')}", cell, interval, "", ""))
    if tested:
        rows += [(*row, "", "") for row in calibration_rows(tested) + recall_rows(tested["recall"])]
    filled = [any(row[i] for row in rows[1:]) or i == 0 for i in range(5)]
    return [tuple(cell for cell, keep in zip(row, filled) if keep) for row in rows] if len(rows) > 1 else []


def calibration_rows(row: dict) -> list[tuple]:
    """(name, error, the error before) of the confidences; none where they were not measured."""
    if "calibration_error" not in row:
        return []
    before = f"uncalibrated {row['uncalibrated_error']:.1%}, temperature {row['temperature']:.2f}"
    before = before if row["temperature"] != 1 else ""
    return [("expected calibration error of confidences", f"{row['calibration_error']:.1%}", before)]


def recall_rows(recall: dict[str, dict]) -> list[tuple]:
    """(name, recall, interval) of each class; of many classes, the worst."""
    names, worst = list(recall), ""
    if len(names) > MAX_RECALL_ROWS:
        names, worst = sorted(names, key=lambda name: recall[name]["recall"])[:WORST_RECALL_ROWS], ", among the worst"
    rows = []
    for name in names:
        low, high = wilson_interval(recall[name]["recall"], recall[name]["count"])
        interval = f"{low:.1%} to {high:.1%} of {recall[name]['count']:,}"
        rows.append((f"recall of {name}{worst}", f"{recall[name]['recall']:.1%}", interval))
    return rows


def majority_warning(name: str, row: dict) -> list[str]:
    """A sentence where a classifier is not shown to be better than predicting one class for all."""
    if "gain_over_majority" not in row or row["gain_over_majority"]["verdict"] == "better":
        return []
    majority = row["majority"]
    return [
        f"{name} is not shown to be better than predicting {majority['class']!r} for all ({row['accuracy']:.1%} against "
        f"{majority['accuracy']:.1%}): look at the recall by class."
    ]


def accuracy_gain(classifier: ImageClassifier, baseline: ImageClassifier, test: ImageSet) -> dict:
    """Accuracy gain over the baseline, paired image by image; empty for fewer than two images."""
    (gain,) = accuracy_gains([(classifier, baseline)], test)
    return gain


def accuracy_gains(pairs: Sequence[tuple[ImageClassifier, ImageClassifier]], test: ImageSet) -> list[dict]:
    """`accuracy_gain` of each pair, judged together."""
    if len(test) < 2:
        return [{} for _ in pairs]
    correct = [[(net.probabilities(test).argmax(1) == test.labels).tolist() for net in pair] for pair in pairs]
    return [gain.to_json() for gain in with_verdicts([paired_gain(*pair) for pair in correct])]


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> np.ndarray:
    """[K, K] counts; row: label, column: prediction."""
    counts = np.bincount((labels * num_classes + predictions).numpy(), minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes)
