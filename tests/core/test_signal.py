"""Freezing: gradients pass through what is frozen, but not into it."""

import pytest
import torch
from helpers.learners import scalar_linear
from torch import nn

from caudex.core.signal import frozen


def test_gradients_pass_through_what_is_frozen_but_not_into_it():
    frozen_one, free = scalar_linear(3.0), scalar_linear(2.0)
    frozen_one.bias = nn.Parameter(torch.zeros(1), requires_grad=False)
    with frozen(frozen_one):
        frozen_one(free(torch.ones(1, 1))).sum().backward()
    assert frozen_one.weight.grad is None
    assert free.weight.grad.item() == 3
    assert frozen_one.weight.requires_grad
    assert not frozen_one.bias.requires_grad  # as it was


def test_what_is_frozen_thaws_after_an_error():
    module = scalar_linear()
    with pytest.raises(StopIteration), frozen(module):
        raise StopIteration
    assert module.weight.requires_grad
