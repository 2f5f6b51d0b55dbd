"""Test what predicts tags or numbers, beside what is trivial: the share of each tag, and the mean of the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caudex.core.run import Run
from caudex.data import ImageSet, Split
from caudex.evaluation.classification import MAJORITY
from caudex.evaluation.intervals import MIN_SEEDS, bootstrap_interval, t_interval
from caudex.evaluation.plots.predicted_numbers import plot_predicted_numbers
from caudex.evaluation.verdicts import format_interval, format_verdict, paired_gain
from caudex.models.image_targets import ImageRegressor, ImageTagger

RESAMPLES = 1000
MAX_TAG_ROWS, WORST_TAG_ROWS = 10, 5
"""tags that are printed; of more, the worst"""


def evaluate_targets(run: Run, model: ImageTagger | ImageRegressor, split: Split) -> dict:
    """The row of results.json; empty where nothing was held out."""
    test = split.test
    if len(test) == 0:
        return {}
    with run.counting(model):
        if test.target == "tags":
            return {"tags": evaluate_tags(test, model.probabilities(test).double().numpy())}
        predictions = model.numbers(test).numpy()
    plot_predicted_numbers(run, test.labels.numpy(), predictions, test.target_name)
    mean = split.labelled.labels.mean().item()
    return {"number": evaluate_numbers(test.labels.numpy(), predictions, mean) | {"name": test.target_name}}


def average_precision(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[...] of labels of zeros and ones [..., N] and their scores: the mean, over the positives from the highest score on, of the
    share of positives down to them (Manning et al. 2008, section 8.4). NaN without a positive."""
    order = np.argsort(-scores, -1, kind="stable")
    ranked = np.take_along_axis(labels, order, -1)
    precision = ranked.cumsum(-1) / np.arange(1, labels.shape[-1] + 1)
    with np.errstate(invalid="ignore"):
        return (precision * ranked).sum(-1) / ranked.sum(-1)


def evaluate_tags(test: ImageSet, probabilities: np.ndarray) -> dict:
    """The average precision of each tag that is tested, and their mean with its interval over resampled images; beside them
    the share of the images that have the tag, which is what random scores would get."""
    labels = test.labels.double().numpy()
    rows = {}
    for k, tag in enumerate(test.classes):
        if count := int(labels[:, k].sum()):
            precision = average_precision(labels[:, k], probabilities[:, k])
            rows[tag] = {"average_precision": float(precision), "share": count / len(labels), "count": count}
    tested = [k for k, tag in enumerate(test.classes) if tag in rows]

    def mean_precision(samples: Sequence[np.ndarray]) -> np.ndarray:
        (images,) = samples
        precisions = [average_precision(labels[images, k], probabilities[images, k]) for k in tested]
        is_tested = ~np.isnan(precisions)
        return np.nansum(precisions, 0) / np.maximum(is_tested.sum(0), 1)

    figures = {"test_size": len(labels), "untested": [tag for tag in test.classes if tag not in rows], "by_tag": rows}
    if not rows:
        return figures
    interval = bootstrap_interval(mean_precision, [np.arange(len(labels))], resamples=RESAMPLES)
    mean, share = (float(np.mean([row[name] for row in rows.values()])) for name in ("average_precision", "share"))
    low, high = (None, None) if interval is None else map(float, interval)
    return {"mean_average_precision": mean, "low": low, "high": high, "share": share} | figures


def evaluate_numbers(labels: np.ndarray, predictions: np.ndarray, mean: float) -> dict:
    """R squared and the mean absolute error with their intervals, beside the error of predicting the `mean` of the labelled
    images for all. R squared is None where all tested numbers are the same."""
    errors, baseline_errors = np.abs(predictions - labels), np.abs(mean - labels)

    def r_squared(samples: Sequence[np.ndarray]) -> np.ndarray:
        (images,) = samples
        tested = labels[images]
        total = np.square(tested - tested.mean(-1, keepdims=True)).sum(-1)
        return 1 - np.square(predictions[images] - tested).sum(-1) / np.where(total > 0, total, np.nan)

    rows = np.arange(len(labels))
    varies = len(labels) > 1 and np.ptp(labels) > 0
    interval = None
    if varies and len(labels) >= MIN_SEEDS:
        resampled = bootstrap_interval(r_squared, [rows], resamples=RESAMPLES)
        interval = None if np.isnan(resampled).any() else resampled.tolist()
    error, *error_interval = t_interval(errors)
    return {
        "test_size": len(labels),
        "r_squared": float(r_squared([rows])) if varies else None,
        "r_squared_interval": interval,
        "absolute_error": error,
        "absolute_error_interval": error_interval if len(labels) > 1 else None,
        "error_of_mean": float(baseline_errors.mean()),
        "gain_over_mean": paired_gain(-errors, -baseline_errors).to_json(),
    }


def target_rows(results: dict) -> list[tuple]:
    """The table of the row that `evaluate_targets` wrote, and of further columns of labels; [] where nothing was tested, or
    classes were."""
    for name, row in results.items():
        if isinstance(row, dict) and ("tags" in row or "number" in row):
            rows = tag_rows(name, row["tags"]) if "tags" in row else number_rows(name, row["number"])
            return rows + column_rows(results, len(rows[0]))
    return []


def column_rows(results: dict, width: int) -> list[tuple]:
    """The accuracy of each further column of labels, in rows of `width` cells, beside predicting one class for all."""
    rows = []
    for name, row in results.items():
        if isinstance(row, dict) and "column" in row and "accuracy" in row:
            interval = f"{row['low']:.1%} to {row['high']:.1%} of {row['test_size']:,}"
            majority = row["majority"]
            rows.append((f"{name}: accuracy", f"{row['accuracy']:.1%}", interval))
            rows.append((f"{MAJORITY} of {row['column']}: {majority['class']}", f"{majority['accuracy']:.1%}", ""))
    return [(*row, *[""] * (width - len(row))) for row in rows]


def tag_rows(name: str, row: dict) -> list[tuple]:
    rows = [("", "average precision", "95% interval", "random scores")]
    if "mean_average_precision" in row:
        interval = "" if row["low"] is None else f"{row['low']:.1%} to {row['high']:.1%} of {row['test_size']:,}"
        rows.append((f"{name}: mean of tags", f"{row['mean_average_precision']:.1%}", interval, f"{row['share']:.1%}"))
    tags, worst = list(row["by_tag"].items()), ""
    if len(tags) > MAX_TAG_ROWS:
        tags, worst = sorted(tags, key=lambda tag: tag[1]["average_precision"])[:WORST_TAG_ROWS], ", among the worst"
    for tag, figures in tags:
        cells = f"{figures['average_precision']:.1%}", "", f"{figures['share']:.1%}"
        rows.append((f"{tag}, on {figures['count']:,} tested{worst}", *cells))
    return rows


def number_rows(name: str, row: dict) -> list[tuple]:
    rows = [("", row["name"], "95% interval")]

    def interval(ends: Sequence[float] | None, number_format: str) -> str:
        return "" if ends is None else f"{ends[0]:{number_format}} to {ends[1]:{number_format}}"

    if row["r_squared"] is not None:
        rows.append((f"{name}: R squared", f"{row['r_squared']:.3f}", interval(row["r_squared_interval"], ".3f")))
    error = f"{row['absolute_error']:.4g}", interval(row["absolute_error_interval"], ".4g")
    rows.append((f"{name}: mean absolute error, of {row['test_size']:,}", *error))
    rows.append(("the mean for all: mean absolute error", f"{row['error_of_mean']:.4g}", ""))
    gain = row["gain_over_mean"]
    difference = format_interval(gain["low"], gain["high"], ".4g")
    rows.append((f"error saved: {format_verdict(gain, '.4g')}", f"{gain['gain']:+.4g}", difference))
    return rows


def target_warnings(results: dict) -> list[str]:
    """Sentences on what is not shown to be learned, and on tags that no test image has."""
    warnings = []
    for name, row in results.items():
        tags, number = (row.get(kind) for kind in ("tags", "number")) if isinstance(row, dict) else (None, None)
        if tags and tags["untested"]:
            names = ", ".join(map(repr, tags["untested"][:5])) + (", ..." if len(tags["untested"]) > 5 else "")
            warnings.append(f"no test image has {names}: learned, and not measured.")
        if tags and tags.get("low") is not None and tags["low"] <= tags["share"]:
            warnings.append(f"{name} is not shown to be better than random scores: look at each tag.")
        if number and number["gain_over_mean"]["verdict"] != "better":
            warnings.append(f"{name} is not shown to be better than predicting the mean for all.")
    return warnings
