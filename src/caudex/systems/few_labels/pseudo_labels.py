"""Which unlabelled images a teacher labels: the surest, with the class shares that they should have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SHARES_MARGIN = 0.1
"""what class shares may differ by, on top of what the teacher's errors explain"""


def compare_shares(probabilities: Tensor, class_shares: Tensor, classes: Sequence[str]) -> dict:
    """Whether the predictions of probabilities [N, K] differ in their class shares from `class_shares` [K] by more than their own
    errors explain; and the class that is farthest off, with both shares.

    The share of errors, by the teacher's own confidence, bounds the total variation distance between the shares of the predictions
    and those of the truth.
    """
    confidence, predictions = probabilities.max(1)
    shares = predictions.bincount(minlength=len(classes)) / len(predictions)
    distance, errors = (shares - class_shares).abs().sum().item() / 2, 1 - confidence.mean().item()
    farthest = int((shares - class_shares).argmax())
    return {
        "differ": distance > errors + SHARES_MARGIN,
        "distance": distance,
        "errors": errors,
        "class": classes[farthest],
        "teacher": shares[farthest].item(),
        "labels": class_shares[farthest].item(),
    }


def align_distribution(probabilities: Tensor, class_shares: Tensor, iterations: int = 10) -> Tensor:
    """Probabilities [N, K] rescaled so that their mean is nearly `class_shares` [K] (after Berthelot et al. 2020,
    section 3.1)."""
    for _ in range(iterations):
        probabilities = probabilities * (class_shares / probabilities.mean(0).clamp_min(1e-8))
        probabilities = probabilities / probabilities.sum(1, keepdim=True)
    return probabilities


def select_confident(
    confidence: Tensor, predictions: Tensor, class_counts: Tensor | None, share: float, threshold: float
) -> Tensor:
    """Rows above `threshold`, the most confident first: `class_counts[k]` of each class, repeated where there are too few;
    or, without `class_counts`, that share of all (Xie et al. 2020, section 3.1, and the released filter)."""
    order = confidence.argsort(descending=True, stable=True)
    order = order[confidence[order] >= threshold]
    if class_counts is None:
        return order[: max(1, round(share * len(confidence)))]
    rows = []
    for k, count in enumerate(class_counts.round().long().clamp_min(1).tolist()):
        class_rows = order[predictions[order] == k][:count]
        if len(class_rows):
            rows.append(class_rows.repeat(-(-count // len(class_rows)))[:count])
    return torch.cat(rows) if rows else order[:0]
