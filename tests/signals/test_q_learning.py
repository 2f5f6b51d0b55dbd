"""Q-learning: distributions projected by hand, double, dueling and noisy networks."""

import numpy as np
import pytest
import torch
from helpers.environments import clock_replay
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from caudex.core.learner import Learner
from caudex.core.specs import ObservationPart
from caudex.experience import Transition
from caudex.signals.q_learning import NoisyLinear, QLearning, project_distribution, without_noise
from caudex.trunks import Identity, MultiInput


def test_a_distribution_is_projected_by_hand():
    atoms = torch.linspace(-1, 1, 3)
    shares = torch.tensor([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    projected = project_distribution(shares, atoms, torch.tensor([0.25, 5.0]), torch.tensor([0.5, 0.0]))
    # atoms -1, 0, 1 become -0.25, 0.25, 0.75
    assert projected[0].tolist() == approx([0.2 * 0.25, 0.2 * 0.75 + 0.3 * 0.75 + 0.5 * 0.25, 0.3 * 0.25 + 0.5 * 0.75])
    assert projected[1].tolist() == approx([0, 0, 1])  # beyond the last atom, where nothing follows


@given(st.integers(2, 11), st.floats(-0.5, 0.5), st.floats(0, 0.5))
def test_projecting_keeps_the_mean_where_no_edge_is_near(count, reward_, discount):
    shares, atoms = torch.softmax(torch.randn(4, count), 1), torch.linspace(-1, 1, count)
    projected = project_distribution(shares, atoms, torch.full((4,), reward_), torch.full((4,), discount))
    assert projected.sum(1) == approx(np.ones(4), abs=1e-5)
    assert (projected @ atoms).numpy() == approx((reward_ + discount * (shares @ atoms)).numpy(), abs=1e-5)


def test_double_takes_the_online_networks_action_and_the_target_networks_value():
    batch = next(clock_replay())._replace(rewards=torch.zeros(64), discounts=torch.ones(64))
    for double, target in ((False, 5.0), (True, 2.0)):
        signal = QLearning(2, double=double)
        learner = Learner(Identity(2), {"policy": signal})
        with torch.no_grad():
            for layer, bias in ((signal.advantage_head[-1], [1.0, 0.0]), (signal.target.copy[1][-1], [2.0, 5.0])):
                layer.weight.zero_()
                layer.bias.copy_(torch.tensor(bias))
        values = torch.where(batch.actions == 0, 1.0, 0.0)
        errors = signal.loss(learner.trunk, batch).examples
        assert errors.tolist() == approx((values - target).abs().tolist())


def test_dueling_advantages_have_no_mean():
    signal = QLearning(3, dueling=True)
    Learner(Identity(2), {"policy": signal})
    x = torch.randn(5, 2)
    means = signal.q_logits(x, signal.advantage_head, signal.value_head).mean(1)
    torch.testing.assert_close(means, signal.value_head(x), atol=1e-6, rtol=0)


@torch.no_grad()
def test_noise_is_sampled_at_every_pass_and_left_out_without_noise():
    layer = NoisyLinear(6, 3)
    x = torch.randn(2, 6)
    assert not torch.equal(layer(x), layer(x))
    with without_noise(layer):
        assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
    outputs = torch.stack([layer(x) for _ in range(4000)])
    mean_output = torch.nn.functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(outputs.mean(0), mean_output, atol=0.05, rtol=0)


@pytest.mark.parametrize("parts", [{}, {"double": True}, {"dueling": True, "num_atoms": 11}, {"noisy": True}])
def test_forbidden_actions_are_never_taken_nor_expected(parts):
    layout = (ObservationPart("vector", (1,)), ObservationPart("mask", (3,)))
    signal = QLearning(3, **parts)
    learner = Learner(MultiInput(layout, normalise=False), {"policy": signal})
    masks = torch.eye(3, dtype=torch.uint8)[torch.arange(60) % 3]
    masks[::2] = 1 - masks[::2]  # one or two of three are allowed
    rows = torch.cat([torch.zeros(60, 4, dtype=torch.uint8), masks], 1)
    for actions in (
        signal.act(learner.trunk, rows), signal.act(learner.trunk, rows, greedy=False), signal.random_actions(rows),
        signal.explore(learner.trunk, rows, 0.0), signal.explore(learner.trunk, rows, 1.0),
    ):  # fmt: skip
        assert masks.gather(1, actions[:, None]).all() and len(actions.unique()) == 3
    if not parts or "double" in parts:
        for network in (signal.advantage_head[-1], signal.target.copy[1][-1]):
            torch.nn.init.zeros_(network.weight)
            network.bias.data = torch.tensor([5.0, 3.0, 1.0])
        ones, zeros = torch.ones(60), torch.zeros(60)
        batch = Transition(rows, torch.full((60,), 2), zeros, rows, ones, None, torch.arange(60))
        best = torch.where(masks.bool(), torch.tensor([5.0, 3.0, 1.0]), -torch.inf).amax(1)
        assert signal.loss(learner.trunk, batch).examples.tolist() == (best - 1.0).abs().tolist()
