"""Tags and numbers: they are found, and what knows nothing has the chance loss."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import Adam

from caudex.core.learner import Learner
from caudex.data import Batch
from caudex.signals.targets import NumberLabels, TagLabels
from caudex.trunks import Identity


def learn(signal, labels, steps):
    observations = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
    batch = Batch(observations, labels(observations), torch.arange(256))
    learner = Learner(Identity(3), {"labels": signal}, partial(Adam, lr=0.05))
    losses = [learner.step({"labels": batch})["labels"].loss.item() for _ in range(steps)]
    return learner, batch, losses


def test_each_tag_is_learned_by_itself():
    learner, batch, losses = learn(TagLabels((0.5, 0.5)), lambda x: (x[:, :2] > 0).float(), 200)
    logits = learner.signals["labels"].logits(learner.trunk, batch.images)
    assert ((logits > 0) == (batch.labels > 0)).float().mean() > 0.97 and losses[-1] < 0.2


def test_the_share_of_each_tag_has_the_chance_loss():
    signal = TagLabels((0.25, 0.5))
    signal.build(Identity(3))
    nn.init.zeros_(signal.head.weight)
    signal.head.bias.data = torch.tensor([0.25, 0.5]).logit()
    labels = torch.tensor([[1.0, 1], [0, 1], [0, 0], [0, 0]])
    loss = signal.loss(Identity(3), Batch(torch.zeros(4, 3), labels, torch.arange(4))).loss.item()
    entropies = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)), math.log(2)
    assert loss == pytest.approx(sum(entropies) / 2) == pytest.approx(signal.chance_loss())


@pytest.mark.parametrize(("mean", "std"), [(1.7e9, 100.0), (-3e-9, 1e-9)])
def test_numbers_of_any_size_are_predicted_in_their_units(mean, std):
    def numbers(observations):
        return mean + std * observations[:, 0].double()

    learner, batch, losses = learn(NumberLabels(mean, std), numbers, 300)
    predicted = learner.averaged[1]["labels"].predict(learner.trunk, batch.images).squeeze(1)
    assert losses[-1] < 1e-3
    assert ((predicted - batch.labels) / std).abs().max() < 0.2
