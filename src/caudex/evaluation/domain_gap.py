"""How much of the gap between a simulator and reality an arm closes, and the table of the arms."""

from __future__ import annotations

from collections.abc import Mapping

from caudex.data import ImageSet
from caudex.evaluation.classification import MAJORITY, evaluate_predictions
from caudex.evaluation.verdicts import format_difference, format_interval, format_verdict
from caudex.models.image_classifier import ImageClassifier


def evaluate_on_target(classifier: ImageClassifier, test: ImageSet) -> dict:
    """`evaluate_predictions`; empty where nothing has a label to measure with."""
    return (
        evaluate_predictions(test.labels, classifier.probabilities(test).argmax(1), test.classes) if len(test) else {}
    )


def gap_closed(arms: Mapping[str, Mapping], name: str, floor: str, ceiling: str) -> float | None:
    """The share of the gap between the arms `floor` and `ceiling` that an arm closes; None where there is no gap."""
    if ceiling not in arms or arms[ceiling]["accuracy"] <= arms[floor]["accuracy"]:
        return None
    low, high = arms[floor]["accuracy"], arms[ceiling]["accuracy"]
    return (arms[name]["accuracy"] - low) / (high - low)


def domain_rows(results: Mapping, ceiling: str) -> list[tuple]:
    """The table of `result_kinds.DomainResults`; the gap is that up to `ceiling`."""
    rows = [("", "accuracy on the target", "95% interval", "domains told by a new discriminator", "by its own")]
    for name, arm in results["arms"].items():
        is_measured = "accuracy" in arm
        interval = f"{arm['low']:.1%} to {arm['high']:.1%} of {arm['test_size']:,}" if is_measured else ""
        shares = (f"{arm[key]:.1%}" if key in arm else "" for key in ("probe", "discriminator"))
        rows.append((name, f"{arm['accuracy']:.1%}" if is_measured else "not measured", interval, *shares))
    if majority := next(iter(results["arms"].values())).get("majority"):
        rows.append((f"{MAJORITY}: {majority['class']}", f"{majority['accuracy']:.1%}", "", "", ""))
    if gain := results.get("gain"):
        interval = format_interval(gain["low"], gain["high"], ".1%")
        difference = format_difference(gain["gain"], None, ".1%")
        rows.append((f"gain over source only: {format_verdict(gain, '.1%')}", difference, interval, "", ""))
    if results.get("gap_closed") is not None:
        rows.append((f"gap closed, of that to {ceiling}", f"{results['gap_closed']:.0%}", "", "", ""))
    return rows
