"""What a quick classifier says of labelled images that it did not learn from."""

from __future__ import annotations

import torch
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from caudex.core.seeds import derive_seed
from caudex.data import ImageSet
from caudex.data.stratified import stratified_folds
from caudex.evaluation.calibration import fit_temperature
from caudex.trunks import FeatureTrunk

FOLDS, REPEATS = 5, 3
COMPONENTS = 300
"""of the kernel's approximation"""


@torch.no_grad()
def input_vectors(images: ImageSet, encoder: nn.Module | None) -> Tensor:
    """float32 [N, D]: the features of encoded images, centred and of one length; else their pixels in [0, 1]."""
    if encoder is None:
        return images.fetch(slice(None)).flatten(1).float() / 255
    trunk = FeatureTrunk(encoder, images.shape[0]).eval()
    trunk.set_statistics(images.inputs(slice(None)))
    return trunk(images.inputs(slice(None))).pooled


def quick_classifier(vectors: Tensor, are_features: bool):
    """Logistic regression of scikit-learn: on features as they are, on pixels by an approximate RBF kernel (Nystroem) of the width that the
    variance of these vectors [N, D] gives, as `SVC` chooses it."""
    if are_features:
        return LogisticRegression(C=0.1, max_iter=1000)
    gamma = 1 / max(1e-9, vectors.shape[1] * vectors.var().item())
    kernel = Nystroem(gamma=gamma, n_components=min(COMPONENTS, len(vectors)), random_state=0)
    return make_pipeline(kernel, LogisticRegression(C=100.0, max_iter=1000))


def cross_fit(
    vectors: Tensor, labels: Tensor, num_classes: int, are_features: bool, seed: int, repeats: int = REPEATS
) -> tuple[Tensor, Tensor]:
    """Rows [M] of vectors [N, D] with labels [N], -1 where unlabelled, and the probabilities [M, K] of each by classifiers that learned from
    the other folds, calibrated; the mean of several divisions. Images of a class that has no other are left out."""
    counts = labels[labels >= 0].bincount(minlength=num_classes)
    rows = ((labels >= 0) & (counts[labels.clamp_min(0)] > 1)).nonzero().flatten()
    probabilities = torch.zeros(len(labels), num_classes, dtype=torch.double)
    for number in range(repeats):
        for fold in stratified_folds(labels[rows], FOLDS, derive_seed(seed, "cross-fitting", number), "folds"):
            is_other = torch.ones(len(rows), dtype=torch.bool).index_fill(0, fold, False)
            others, predicted = rows[is_other], rows[fold]
            if not len(fold):
                continue
            with threadpool_limits(1):  # so small that threads only wait for each other
                model = quick_classifier(vectors[others], are_features)
                model.fit(vectors[others].numpy(), labels[others].numpy())
                output = torch.from_numpy(model.predict_proba(vectors[predicted].numpy())).double()
            probabilities[predicted[:, None], torch.from_numpy(model.classes_)] += output / repeats
    if not len(rows):
        return rows, probabilities[rows]
    logits = probabilities[rows].clamp_min(1e-9).log()
    return rows, (logits / fit_temperature(logits, labels[rows])).softmax(1)
