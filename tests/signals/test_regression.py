"""Regression: it finds the numbers, and has error one at their mean."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import Adam

from caudex.core.learner import Learner
from caudex.signals import Regression
from caudex.trunks import Identity


def test_regression_finds_the_numbers_and_knows_nothing_at_the_mean():
    observations = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
    numbers = observations @ torch.tensor([[2.0, 0.0], [0.0, -50.0], [1.0, 10.0]]) + 7  # of very different sizes
    batch = SimpleNamespace(observations=observations, numbers=numbers)
    learner = Learner(
        Identity(3), {"state": Regression(numbers.mean(0), numbers.std(0, correction=0))}, partial(Adam, lr=0.03)
    )
    head = learner.signals["state"].head
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    assert float(learner.step({"state": batch})["state"].loss.detach()) == pytest.approx(1, abs=1e-5)
    for _ in range(300):
        outputs = learner.step({"state": batch})
    assert float(outputs["state"].loss) < 1e-4
