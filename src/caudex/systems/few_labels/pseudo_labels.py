"""What a teacher says of unlabelled images, smoothed over their neighbours; and which of them it labels: the surest, with the class
shares that they should have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caudex.core.compute import add_flops
from caudex.data.sampling import evenly_spaced

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


NEIGHBOURS, SMOOTHING = 5, 0.8
"""chosen on draws 100 to 119 (docs/pretrained.md)"""
MAX_COMPARED = 20_000


def smooth_over_neighbours(
    probabilities: Tensor, features: Tensor, neighbours: int = NEIGHBOURS, amount: float = SMOOTHING
) -> Tensor:
    """Probabilities [N, K] drawn to those of their neighbours in features [N, W]: the fixed point of F = amount * S F +
    (1 - amount) * probabilities, each row then brought to the sum 1 (Zhou et al. 2004, section 2; Huang et al. 2021, section 2.3)."""
    graph, smoothed = neighbour_graph(features, neighbours), probabilities
    for _ in range(50):  # 0.8 ** 50: the fifth digit
        smoothed = amount * (graph @ smoothed) + (1 - amount) * probabilities
    return smoothed / smoothed.sum(1, keepdim=True)


def neighbour_graph(features: Tensor, neighbours: int) -> Tensor:
    """Sparse [N, N], S = D^-1/2 W D^-1/2: W is 1 between two rows of features [N, W] of which one is among the nearest of the other,
    and D its degrees. The nearest are sought among `MAX_COMPARED` rows, evenly spaced, where there are more."""
    count = len(features)
    others = evenly_spaced(count, MAX_COMPARED)
    other_features = features[others]
    squares = other_features.square().sum(1)
    nearest = []
    for rows in torch.arange(count).split(1000):
        distances = squares - 2 * features[rows] @ other_features.T  # without the row's own square, which ranks nothing
        distances[rows.unsqueeze(1) == others] = torch.inf  # none is its own neighbour
        nearest.append(others[distances.topk(min(neighbours, len(others) - 1), largest=False).indices])
    add_flops(2.0 * count * other_features.numel())
    ends = torch.cat(nearest)
    pairs = torch.stack([torch.arange(count).repeat_interleave(ends.shape[1]), ends.flatten()])
    pairs = torch.cat([pairs, pairs.flip(0)], 1).unique(dim=1)
    inverse_root = pairs[0].bincount(minlength=count).rsqrt()
    return torch.sparse_coo_tensor(pairs, inverse_root[pairs].prod(0), (count, count), check_invariants=False)
