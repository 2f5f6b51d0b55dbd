"""What is wrong with a set of images: labels, duplicates, leaks, images of other things and of other shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from caudex.core.errors import counted
from caudex.data import ImageSet
from caudex.data.images.decode import describe_cropping
from caudex.data.images.near_duplicates import near_duplicates
from caudex.data.images.off_topic import labelled_distances, share_beyond
from caudex.data.stratified import class_counts
from caudex.evaluation.cross_fitting import cross_fit, input_vectors
from caudex.evaluation.label_errors import find_label_errors

MIN_LABELLED_FOR_TOPIC = 10
MAX_IMBALANCE = 5
"""the largest class has so many times the labels of the smallest, and a sentence says so"""


class Finding(NamedTuple):
    """What is odd about the image of a row, what it might be instead, and the row of another that is nearly the same."""

    row: int
    reason: str
    suggestion: str = ""
    other: int | None = None


class Examination(NamedTuple):
    """Findings by kind, the worst first; and sentences on the set as a whole."""

    findings: dict[str, list[Finding]]
    sentences: list[str]


def examine_images(images: ImageSet, is_test: Tensor, encoder: nn.Module | None, seed: int) -> Examination:
    """Of all images [N], labelled or not, `is_test` [N] those that are held out; `encoder` as in `Split`."""
    labels, classes = images.labels, images.classes
    findings = {"probably wrong labels": wrong_labels(images, encoder, seed)}
    findings |= duplicate_findings(images, is_test)
    off_topic, off_topic_sentence = off_topic_findings(images, is_test)
    findings["unlike all labelled images"] = off_topic
    counts = class_counts(labels[~is_test], classes)
    cropping = describe_cropping(map(images.name, range(len(images))), images.cropped_shares, images.shape)
    sentences = [sentence for sentence in (off_topic_sentence, cropping and f"{cropping}.") if sentence]
    if len(counts) > 1 and max(counts) > MAX_IMBALANCE * min(counts):
        largest, smallest = classes[counts.index(max(counts))], classes[counts.index(min(counts))]
        sentences.append(
            f"{largest!r} has {counted(max(counts), 'label')}, {smallest!r} {min(counts):,}; training with --balanced shows each class as often."
        )
    return Examination({kind: part for kind, part in findings.items() if part}, sentences)


def wrong_labels(images: ImageSet, encoder: nn.Module | None, seed: int) -> list[Finding]:
    """Labels that a quick classifier, which did not see the image, finds unlikely."""
    if encoder is not None:  # features are centred by the mean of all
        return unlikely_labels(input_vectors(images, encoder), images.labels, images.classes, True, seed)
    rows = images.is_labelled.nonzero().flatten().tolist()
    images = images.take(images.is_labelled)
    findings = unlikely_labels(input_vectors(images, None), images.labels, images.classes, False, seed)
    return [finding._replace(row=rows[finding.row]) for finding in findings]


def unlikely_labels(
    vectors: Tensor, labels: Tensor, classes: Sequence[str], are_features: bool, seed: int
) -> list[Finding]:
    """The same of any examples, by their vectors [N, D]; labels int64 [N], -1 where there is none."""
    if len(classes) < 2:
        return []
    rows, probabilities = cross_fit(vectors, labels, len(classes), are_features, seed)
    if not len(rows):
        return []
    errors = find_label_errors(probabilities, labels[rows])
    findings = []
    for row, other, share in zip(rows[errors.rows].tolist(), errors.classes.tolist(), errors.probabilities.tolist()):
        label, suggestion = classes[labels[row]], classes[other]
        findings.append(Finding(row, f"{label!r} is {share:.1%} likely; rather {suggestion!r}", suggestion))
    return findings


def duplicate_findings(images: ImageSet, is_test: Tensor) -> dict[str, list[Finding]]:
    """Nearly equal images: on both sides of the split, with different labels, and others; each image once, with one of them."""
    duplicates = near_duplicates(images, is_test)

    def findings(part: dict[int, int], names_class: bool = False) -> list[Finding]:
        reasons = (
            f"nearly the same as {images.name(other)}"
            + (f", which is {images.classes[images.labels[other]]!r}" if names_class else "")
            for other in part.values()
        )
        return [Finding(row, reason, other=other) for (row, other), reason in zip(part.items(), reasons)]

    return {
        "in training and in the test": findings(duplicates.leaks),
        "twice with other labels": findings(duplicates.contradictions, names_class=True),
        "twice": findings(duplicates.copies),
    }


def off_topic_findings(images: ImageSet, is_test: Tensor) -> tuple[list[Finding], str]:
    """The unlabelled images that are farthest from all labelled ones, as many as are probably of other things."""
    labelled, unlabelled = images.is_labelled & ~is_test, ~images.is_labelled
    if labelled.sum() < MIN_LABELLED_FOR_TOPIC or not unlabelled.any():
        return [], ""
    own, distances = labelled_distances(images.take(labelled), images.take(unlabelled), len(images))
    count = round(share_beyond(own, distances) * len(distances))
    rows = unlabelled.nonzero().flatten()[distances.argsort(descending=True)[:count]]
    sentence = (
        f"about {counted(count, 'unlabelled image')} of {len(distances):,} look unlike every labelled one."
        if count
        else ""
    )
    return [Finding(row, "unlike every labelled image") for row in rows.tolist()], sentence


def queue_rows(images: ImageSet, findings: Sequence[Finding], names: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """path, label, suggestion and reason of each labelled image and of each that something was found of, what was found first: a table that
    `--labels` takes. `names` [N]: what an image is called there."""
    reasons: dict[int, list[Finding]] = {}
    for finding in findings:
        reasons.setdefault(finding.row, []).append(finding)
    rest = [row for row in images.is_labelled.nonzero().flatten().tolist() if row not in reasons]
    rows = []
    for row in [*reasons, *rest]:
        label = images.classes[images.labels[row]] if images.labels[row] >= 0 else ""
        odd = reasons.get(row, [])
        suggestion = next((finding.suggestion for finding in odd if finding.suggestion), "")
        rows.append((names[row], label, suggestion, "; ".join(finding.reason for finding in odd)))
    return rows
