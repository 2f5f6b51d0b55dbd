"""Calibration: is a prediction of 80% confidence right four times of five?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from caudex.core.run import Run
from caudex.evaluation.plots.reliability import plot_reliability

BINS = 15
"""of confidence, equally wide (Guo et al. 2017, section 5)"""
MIN_CALIBRATION_LABELS = 20
"""held-out labels that a temperature is fitted to"""
MAX_LOG_TEMPERATURE = 3.0


class ReliabilityBins(NamedTuple):
    """Predictions by their confidence, bin m holding those in ((m - 1) / M, m / M]."""

    counts: Tensor  # int64 [M]
    confidence: Tensor  # [M] the mean; 0 where a bin is empty
    accuracy: Tensor  # [M] the share that is right; 0 where a bin is empty


def reliability_bins(probabilities: Tensor, labels: Tensor, num_bins: int = BINS) -> ReliabilityBins:
    """Of probabilities [N, K] and class numbers [N] (Guo et al. 2017, section 2)."""
    confidence, predictions = probabilities.double().max(1)
    bins = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    counts = bins.bincount(minlength=num_bins)
    sums = [bins.bincount(values, num_bins) for values in (confidence, (predictions == labels).double())]
    return ReliabilityBins(counts, *(total / counts.clamp_min(1) for total in sums))


def expected_calibration_error(bins: ReliabilityBins) -> float:
    """The mean distance between confidence and accuracy, over bins weighed by their counts (Guo et al. 2017, equation 3)."""
    gaps = (bins.accuracy - bins.confidence).abs() * bins.counts
    return (gaps.sum() / bins.counts.sum()).item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that logits [N, K] are divided by for the least negative log-likelihood of held-out labels [N]
    (Guo et al. 2017, section 4.2).

    Its logarithm has a standard normal prior, which counts about as much as one label: without it, few labels that are all
    predicted rightly would call for a temperature of zero.
    """
    logits = logits.double()

    def loss(log_temperature: float) -> float:
        scaled = logits * torch.exp(torch.tensor(-log_temperature, dtype=torch.float64))
        return F.cross_entropy(scaled, labels, reduction="sum").item() + log_temperature**2 / 2

    bounds = (-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
    return float(torch.tensor(minimize_scalar(loss, bounds=bounds, method="bounded").x).exp())


def evaluate_calibration(run: Run, logits: Tensor, temperature: float, labels: Tensor) -> dict[str, float]:
    """The expected calibration error of logits [N, K] divided by the temperature, and of those that are not, for a row of
    results.json; figures/reliability.png shows both."""
    before, after = (reliability_bins((logits / t).softmax(1), labels) for t in (1.0, temperature))
    errors = [expected_calibration_error(bins) for bins in (before, after)]
    panels = {"uncalibrated": before} | ({f"temperature {temperature:.2f}": after} if temperature != 1 else {})
    plot_reliability(run, {f"{name}: error {error:.1%}": bins for (name, bins), error in zip(panels.items(), errors)})
    return {"temperature": temperature, "calibration_error": errors[1], "uncalibrated_error": errors[0]}
