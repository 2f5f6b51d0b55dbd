"""Whether features tell two domains apart: a new discriminator on frozen features knows, the one that taught them may be fooled."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from caudex.core.seeds import derive_seed
from caudex.evaluation.probing import COLLAPSED_STD, feature_spectrum

CONFUSED_BELOW = 0.6
"""accuracy of a discriminator; 0.5 is chance"""


def probe_domains(source: Tensor, target: Tensor, seed: int) -> dict[str, float]:
    """Accuracy of a new discriminator on features [N, W] and [M, W], as many of each, of which it learns from half and is tested on the
    other; and the proxy A-distance, 2 (1 - 2 error): 0 where domains are the same to it, 2 where it never errs (Ben-David et al.
    2010; Ganin et al. 2016, section 5.1.5). `std` is that of `feature_spectrum`: features that have collapsed tell nothing at all.
    """
    count = min(len(source), len(target)) // 2
    generator = torch.Generator().manual_seed(derive_seed(seed, "domain probe"))
    parts = [features[torch.randperm(len(features), generator=generator)[: 2 * count]] for features in (source, target)]
    train, test = (torch.cat([part[rows] for part in parts]) for rows in (slice(count), slice(count, None)))
    domains = torch.arange(2).repeat_interleave(count)
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # it stopped after 300 rounds: good enough
        model = make_pipeline(StandardScaler(), MLPClassifier((100,), alpha=0.01, max_iter=300, random_state=0))
        accuracy = float(model.fit(train.numpy(), domains.numpy()).score(test.numpy(), domains.numpy()))
    spectrum = feature_spectrum(torch.cat(parts))
    return {"probe": accuracy, "a_distance": 2 * (2 * accuracy - 1), "std": spectrum["std"]}


@torch.no_grad()
def discriminator_accuracy(discriminator: nn.Module, source: Tensor, target: Tensor) -> float:
    """Of a discriminator, features [N, W] and [M, W] to logits of two domains: the mean of its accuracies on each."""
    device = next(discriminator.parameters()).device
    domains = [discriminator(features.to(device)).argmax(1).float().mean().item() for features in (source, target)]
    return (1 - domains[0] + domains[1]) / 2


def describe_confusion(row: Mapping[str, float]) -> str:
    """What `probe`, `std` and the accuracy of the `discriminator` that taught the trunk say together."""
    own, new = (f"{row[name]:.0%}" for name in ("discriminator", "probe"))
    if row["std"] < COLLAPSED_STD:
        return "the features have collapsed: they are nearly the same for all images, so that they tell neither domains nor classes"
    if row["probe"] < CONFUSED_BELOW:
        return f"the domains are confused: a new discriminator on the frozen features tells {new} of held-out images, chance is 50%"
    if row["discriminator"] < CONFUSED_BELOW:
        return (
            f"the discriminator was fooled, the domains are not confused: it tells {own} of the images, a new one {new}"
        )
    return f"the domains are not confused: the discriminator tells {own} of the images, a new one {new}"
