"""LARS: steps by hand, what is left out, and resuming."""

from copy import deepcopy
from functools import partial
from math import sqrt

import pytest
import torch
from helpers.parameters import parameter, step_with_gradients
from torch import nn

from caudex.core.learner import Learner
from caudex.core.optim.lars import LARS
from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import ResNet


def test_two_steps_by_hand():
    matrix, bias = parameter([3.0, 4.0]), parameter(1.0)
    optimizer = LARS([matrix, bias], lr=2.0, momentum=0.5, weight_decay=0.5, trust_coefficient=0.1)
    # with decay (2.5, -5) + 0.5 (3, 4) = (4, -3): both norms are 5, the ratio is 0.1; the bias has neither
    step_with_gradients(optimizer, matrix=[[2.5, -5.0]], bias=[3.0])
    assert matrix.tolist() == [pytest.approx([3 - 0.8, 4 + 0.6])]
    assert bias.tolist() == [1 - 6]
    # with decay (0, 2); the weights' norm is sqrt(26); half of each earlier step comes again, at the earlier rate
    optimizer.param_groups[0]["lr"] = 1.0
    step_with_gradients(optimizer, matrix=[[-1.1, -0.3]], bias=[1.0])
    assert matrix.tolist() == [pytest.approx([2.2 - 0.4, 4.6 + 0.3 - 0.1 * sqrt(26) / 2 * 2])]
    assert bias.tolist() == [-5 - 3 - 1]


def test_where_a_norm_is_zero_the_ratio_is_one():
    new, still = parameter([0.0, 0.0]), parameter([3.0, 4.0])
    step_with_gradients(LARS([new, still], lr=0.5, weight_decay=0.0), new=[[2.0, 4.0]], still=[[0.0, 0.0]])
    assert new.tolist() == [[-1.0, -2.0]]
    assert still.tolist() == [[3.0, 4.0]]


def test_the_length_of_a_step_is_that_of_the_weights_not_of_the_gradient():
    weights = [nn.Parameter(torch.randn(4, 3, 3, 3)) for _ in range(2)]
    before = [weight.detach().clone() for weight in weights]
    for weight, factor in zip(weights, (1e-4, 1e4)):
        weight.grad = factor * torch.randn_like(weight)
    LARS(weights, lr=0.2, weight_decay=0.0, trust_coefficient=0.01).step()
    for weight, old in zip(weights, before):
        assert (weight - old).norm().item() == pytest.approx(0.2 * 0.01 * old.norm().item(), rel=1e-3)


def test_what_has_no_gradient_rests():
    matrix, silent = parameter([3.0, 4.0]), parameter([1.0, 1.0])
    optimizer = LARS([matrix, silent], lr=1.0)
    step_with_gradients(optimizer, matrix=[[1.0, 0.0]], silent=[[1.0, 0.0]])
    at = silent.tolist()
    step_with_gradients(optimizer, matrix=[[1.0, 0.0]], silent=None)
    assert silent.tolist() == at
    assert optimizer.state[silent]["momentum_buffer"].abs().sum() > 0


def test_a_closure_is_called_with_gradients():
    weight = parameter([3.0, 4.0])
    optimizer = LARS([weight], lr=1.0, weight_decay=0.0, trust_coefficient=0.1)

    def closure():
        loss = weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 7
    assert weight.tolist() == [pytest.approx([3 - 0.5 / sqrt(2), 4 - 0.5 / sqrt(2)])]


class Small(Signal):
    """What the head says of an image shall be small."""

    def build(self, trunk):
        self.head = nn.Linear(trunk.width, 1)

    def loss(self, trunk, batch):
        return SignalOutput(self.head(trunk(batch).pooled).square().mean(), {})


def make_learner():
    torch.manual_seed(0)
    return Learner(ResNet(1, width=4, depth=1), {"small": Small()}, partial(LARS, lr=1.0), max_grad_norm=None)


def test_a_resumed_training_is_the_same_bit_for_bit():
    batches = [{"small": torch.rand(8, 1, 8, 8)} for _ in range(4)]
    uninterrupted = make_learner()
    for batch in batches[:2]:
        uninterrupted.step(batch)
    weights, state = deepcopy(uninterrupted.state_dict()), deepcopy(uninterrupted.optimizer.state_dict())
    for batch in batches[2:]:
        uninterrupted.step(batch)
    resumed = make_learner()
    resumed.load_state_dict(weights)
    resumed.optimizer.load_state_dict(state)
    for batch in batches[2:]:
        resumed.step(batch)
    assert all(torch.equal(a, b) for a, b in zip(uninterrupted.state_dict().values(), resumed.state_dict().values()))
    fresh = make_learner()
    fresh.load_state_dict(weights)
    fresh.step(batches[2])
    fresh.step(batches[3])
    assert not torch.equal(fresh.trunk.stem.weight, uninterrupted.trunk.stem.weight)  # the momentum matters
