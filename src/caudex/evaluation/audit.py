"""An unbiased accuracy from few labels: images are drawn by confidence, and the estimate knows how."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caudex.data.stratified import apportion, seeded_permutation
from caudex.evaluation.intervals import wilson_interval

STRATA = 4
MIN_PER_STRATUM = 2
"""images drawn of each, without which it has no variance"""
PRIOR = 4.0


class AccuracyEstimate(NamedTuple):
    """With its 95% interval."""

    accuracy: float
    low: float
    high: float


def confidence_strata(confidence: Tensor, num_strata: int = STRATA) -> Tensor:
    """int64 [N]: the stratum of each image, by its confidence [N]; 0 is the least sure.

    Bounds share out the cumulated square root of the variance c (1 - c) that the confidence c promises evenly (after Dalenius and Hodges
    1959), so that the unsure, from whom most is learned, are told apart finely. None is smaller than `MIN_PER_STRATUM`.
    """
    order = confidence.argsort(stable=True)
    spread = _spread(confidence)[order].cumsum(0)
    bounds = spread[-1] * torch.arange(1, num_strata) / num_strata
    starts = [0]
    for start in torch.searchsorted(spread, bounds).tolist():
        if start - starts[-1] >= MIN_PER_STRATUM and len(order) - start >= MIN_PER_STRATUM:
            starts.append(start)
    strata = torch.empty(len(order), dtype=torch.int64)
    for stratum, (start, end) in enumerate(zip(starts, [*starts[1:], len(order)])):
        strata[order[start:end]] = stratum
    return strata


def draw_audit(confidence: Tensor, count: int, seed: int) -> Tensor:
    """int64 [count]: the images to label, drawn at random within the strata of their confidence [N], from each as many as its size times
    its spread (Neyman 1934); in random order, so that any beginning of them is such a draw, too."""
    strata = confidence_strata(confidence)
    sizes = strata.bincount().tolist()
    count = min(count, len(confidence))
    parts = [min(MIN_PER_STRATUM, size) for size in sizes]
    while sum(parts) < count:  # a stratum of which all are drawn leaves its share to the others
        room = [h for h, size in enumerate(sizes) if parts[h] < size]
        weights = [_spread(confidence[strata == h]).sum().item() for h in room]
        for h, extra in zip(room, apportion(weights, count - sum(parts))):
            parts[h] = min(sizes[h], parts[h] + extra)
    shuffled = seeded_permutation(len(confidence), seed, "audit")
    drawn = torch.cat([shuffled[strata[shuffled] == h][:part] for h, part in enumerate(parts)])
    return drawn[seeded_permutation(len(drawn), seed, "order of the audit")][:count]


def estimate_accuracy(confidence: Tensor, rows: Tensor, is_right: Tensor) -> AccuracyEstimate:
    """The accuracy on all N images, of their confidences [N] and of whether the predictions for the drawn `rows` [M] are right [M].

    Each stratum is estimated by itself and weighs as much as its size (stratified sampling, Cochran 1977, section 5.3). Within it the
    mean confidence of all its images corrects that of the drawn ones, as far as confidences tell who is right: a difference estimator with
    a factor fitted for the least variance (prediction-powered inference, Angelopoulos et al. 2023, PPI++, section 6); where they do not,
    the factor is near zero.

    Few images of a stratum may all be right by chance, and then show no variance. So its share of right ones is drawn towards what
    confidence promises, shifted by how far it was wrong on all that were drawn, with the weight of `PRIOR` images.
    """
    strata, confidence, is_right = confidence_strata(confidence), confidence.double(), is_right.double()
    drawn, sampled = strata[rows], confidence[rows]
    factor = _power(sampled, is_right, drawn)
    remaining = _residual_share(is_right, sampled, drawn, factor)
    shift = float((is_right - sampled).mean())
    total, variance = 0.0, 0.0
    for h, size in enumerate(strata.bincount().tolist()):
        is_drawn, promised = drawn == h, confidence[strata == h].mean().item()
        count, share = int(is_drawn.sum()), size / len(confidence)
        expected = min(0.98, max(0.02, promised + shift))
        mean = expected
        if count:
            mean = (is_right - factor * sampled)[is_drawn].mean().item() + factor * promised
        smoothed = (is_right[is_drawn].sum().item() + PRIOR * expected) / (count + PRIOR)
        total += share * mean
        variance += share**2 * smoothed * (1 - smoothed) * remaining / max(1, count) * (1 - count / size)
    effective = total * (1 - total) / variance if 0 < total < 1 and variance > 0 else len(rows)
    low, high = wilson_interval(min(1.0, max(0.0, total)), max(1.0, effective))
    return AccuracyEstimate(min(1.0, max(0.0, total)), low, high)


def _spread(confidence: Tensor) -> Tensor:
    """The standard deviation of being right, that a confidence promises; never 0."""
    confidence = confidence.double()
    return (confidence * (1 - confidence)).clamp_min(0.01).sqrt()


def _power(confidence: Tensor, is_right: Tensor, strata: Tensor) -> float:
    """The factor on confidences that leaves the least variance within strata, from 0 to 1."""
    a, b = _centred(confidence, strata), _centred(is_right, strata)
    return float(((a * b).sum() / (a * a).sum().clamp_min(1e-9)).clamp(0, 1))


def _residual_share(is_right: Tensor, confidence: Tensor, strata: Tensor, factor: float) -> float:
    """The share of the variance within strata that the confidences leave."""
    whole, rest = _centred(is_right, strata), _centred(is_right - factor * confidence, strata)
    return float((rest * rest).sum() / (whole * whole).sum().clamp_min(1e-9)) if whole.any() else 1.0


def _centred(values: Tensor, strata: Tensor) -> Tensor:
    """Each minus the mean of its stratum."""
    counts = strata.bincount().clamp_min(1)
    means = torch.zeros(len(counts), dtype=torch.double).index_add(0, strata, values.double()) / counts
    return values.double() - means[strata]
