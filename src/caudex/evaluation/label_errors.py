"""Which labels are probably wrong."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

MAX_PROBABILITY = 0.08
"""of a label that is probably wrong: chosen on draws 100 to 105 of 5% flipped labels, where confident learning (Northcutt et al. 2021,
section 3) found fewer of them at the same precision (docs/advise.md)"""


class LabelErrors(NamedTuple):
    """Rows whose label is probably wrong, the surest first, the class that each probably has, and the probability of its label."""

    rows: Tensor  # int64 [M]
    classes: Tensor  # int64 [M]
    probabilities: Tensor  # [M]


def find_label_errors(probabilities: Tensor, labels: Tensor, max_probability: float = MAX_PROBABILITY) -> LabelErrors:
    """Of labels [N] and calibrated probabilities [N, K] of a model that did not learn from the image in question: labels that are less
    likely than `max_probability` and than another class, ranked by their probability (self-confidence, Northcutt et al. 2021, section
    3.2)."""
    own = probabilities.gather(1, labels[:, None])[:, 0]
    likeliest = probabilities.argmax(1)
    rows = ((own < max_probability) & (likeliest != labels)).nonzero().flatten()
    rows = rows[own[rows].argsort(stable=True)]
    return LabelErrors(rows, likeliest[rows], own[rows])
