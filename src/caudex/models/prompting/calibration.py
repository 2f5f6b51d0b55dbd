"""Where the threshold between classes lies: a language model ranks texts well, and prefers some words whatever the text."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

EMPTY_TEXTS = ("N/A", "", "[MASK]")
"""without content (Zhao et al. 2021, section 5)"""
OFFSET_STD = 10.0
"""nats, of the normal prior of a fitted offset: it holds a class back that is rare among few examples"""


class Calibration(NamedTuple):
    """Scores of classes: `scale` times the centred log-likelihoods less the `offsets` [K]."""

    kind: str
    offsets: Tensor
    scale: float = 1.0

    def probabilities(self, log_likelihoods: Tensor) -> Tensor:
        """[N, K] of log-likelihoods [N, K]."""
        return (self.scale * (centre(log_likelihoods) - self.offsets)).softmax(1)


def centre(log_likelihoods: Tensor) -> Tensor:
    """[N, K] less the mean of each text: of two classes, plus and minus half their log-ratio."""
    return log_likelihoods - log_likelihoods.mean(1, keepdim=True)


def no_calibration(num_classes: int) -> Calibration:
    return Calibration("none", torch.zeros(num_classes))


def median_calibration(log_likelihoods: Tensor) -> Calibration:
    """Subtracts each class's median over the texts [N, K]: of two classes, as many texts go to the one as to the other."""
    return Calibration("median", centre(log_likelihoods).quantile(0.5, 0))


def empty_calibration(log_likelihoods: Tensor) -> Calibration:
    """Subtracts the mean over texts without content [M, K] (Zhao et al. 2021 take the mean of probabilities)."""
    return Calibration("empty", centre(log_likelihoods).mean(0))


def threshold_calibration(log_likelihoods: Tensor, labels: Tensor) -> Calibration:
    """Offsets and one scale fitted on examples [N, K] with class numbers [N], by maximum likelihood: logistic regression on the
    log-ratio where there are two classes.

    The logarithm of the scale has a standard normal prior, the offsets one of `OFFSET_STD`.
    """
    scores = centre(log_likelihoods).double()
    parameters = torch.zeros(1 + scores.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        log_scale, offsets = parameters[0], parameters[1:]
        logits = log_scale.exp() * (scores - offsets)
        value = F.cross_entropy(logits, labels, reduction="sum")
        value = value + log_scale**2 / 2 + (offsets**2).sum() / (2 * OFFSET_STD**2)
        value.backward()
        return value

    with torch.inference_mode(False), torch.enable_grad():
        optimizer.step(loss)
    log_scale, offsets = parameters[0].item(), parameters[1:].detach()
    return Calibration("threshold", (offsets - offsets.mean()).float(), float(torch.tensor(log_scale).exp()))
