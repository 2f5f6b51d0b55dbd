"""The base of classifiers: what is the same for images and for texts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Classifier(nn.Module):
    """Names the likeliest of its `classes` for each input."""

    classes: tuple[str, ...]

    def probabilities(self, inputs: Sequence) -> Tensor:
        """[N, K]"""
        raise NotImplementedError

    def predict(self, inputs: Sequence) -> list[tuple[str, float]]:
        """(class, confidence) for each input."""
        return name_likeliest(self.probabilities(inputs), self.classes)


def name_likeliest(probabilities: Tensor, classes: Sequence[str]) -> list[tuple[str, float]]:
    """(class, confidence) for each row of probabilities [N, K]."""
    return [ranking[0] for ranking in rank_classes(probabilities, classes, 1)]


def rank_classes(probabilities: Tensor, classes: Sequence[str], top: int) -> list[list[tuple[str, float]]]:
    """(class, confidence) of the likeliest classes, at most `top` of them, for each row of probabilities [N, K]."""
    confidences, indices = (part[:, :top].tolist() for part in probabilities.sort(dim=1, descending=True, stable=True))
    return [[(classes[k], confidence) for k, confidence in zip(*row)] for row in zip(indices, confidences)]
