"""Labels: classification by the labels of people or of a teacher."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from caudex.core.collectives import mean_over_processes
from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of


class Labels(Signal):
    """Predict the class: cross-entropy with the labels of people or of a teacher.

    Labels are class numbers [B] (-1: not labelled) or probabilities [B, K].
    Probabilities are a teacher's soft labels (Xie et al. 2020, section 2); a row of zeros is ignored.
    `smoothing` takes that much from a hard label and spreads it over all classes (Szegedy et al. 2016, section 7).
    `column` names another column of labels of the same images. `zero_init`: the head begins with zeros, as logistic regression does.
    """

    needs = "labelled"

    def __init__(self, classes: int, smoothing: float = 0.0, column: str | None = None, zero_init: bool = False):
        super().__init__()
        self.classes, self.smoothing, self.column, self.zero_init = classes, smoothing, column, zero_init

    @classmethod
    def from_spec(cls, argument, spec):
        columns = spec.columns
        if argument not in columns:
            available = ", ".join(f"labels:{name}" for name in columns) or "none in this data"
            raise CaudexError(
                f"--also labels:{argument or 'COLUMN'} names no further column of labels; known: {available}."
            )
        if len(columns[argument]) < 2:
            problem = f"one class, {columns[argument][0]!r}" if columns[argument] else "no label"
            raise CaudexError(f"--also labels:{argument}: column {argument!r} has {problem}; a head needs two classes.")
        return cls(len(columns[argument]), column=argument)

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), self.classes)
        if self.zero_init:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def chance_loss(self):
        return math.log(self.classes)

    def logits(self, trunk, observations):
        """[B, K] from observations."""
        return self.head(trunk(observations).pooled)

    def loss(self, trunk, batch):
        labels = batch.columns[self.column] if self.column else batch.labels
        hard = labels.ndim == 1
        labelled = labels >= 0 if hard else labels.sum(1) > 0  # [B]
        count = mean_over_processes(labelled.sum())
        if count == 0:
            return None
        logits = self.logits(trunk, batch[0])  # the observation stands first in every batch
        targets, smoothing = (labels.clamp_min(0), self.smoothing) if hard else (labels, 0.0)
        errors = F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)  # [B]
        weights = labelled if batch.weights is None else labelled * batch.weights  # [B]
        correct = (logits.detach().argmax(1) == (labels if hard else labels.argmax(1))) & labelled
        return SignalOutput((errors * weights).sum() / count, {"accuracy": correct.sum() / count})


@torch.no_grad()
def one_hot(labels, classes: int):
    """[B] class numbers to [B, K]; -1 becomes a row of zeros."""
    return F.one_hot(labels.clamp_min(0), classes).float() * (labels >= 0).unsqueeze(1)
