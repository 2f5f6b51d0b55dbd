"""Deterministic policy gradients: targets by hand, and the paper's settings."""

from functools import partial

import pytest
import torch
from helpers.continuous_control import line_replay, make_learner, set_constant
from torch.optim import Adam

from caudex.signals.deterministic_policy import DeterministicPolicy

# -- targets -------------------------------------------------------------------------------------------------------


def test_ddpg_bootstraps_from_a_time_limit_and_not_from_an_end():
    learner, batch = line_replay(DeterministicPolicy)
    signal, lost = learner.signals["policy"], batch.lost
    set_constant(signal.target.copy[2], 4.0)
    set_constant(signal.critic, 1.0)
    output = learner({"policy": batch})["policy"]
    errors = 1 - (batch.rewards + torch.where(lost, 0.0, 0.5) * 4)
    assert output.metrics["critic_loss"].item() == pytest.approx(errors.square().mean().item(), rel=1e-5)


# -- what moves what -----------------------------------------------------------------------------------------------


def test_settings_of_ddpg_stand_where_the_paper_has_them():
    learner = make_learner(DeterministicPolicy, optimizer=partial(Adam, lr=1e-3), actor_lr=1e-4)
    signal, groups = learner.signals["policy"], learner.optimizer.param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups[:2]] == [(1e-4, 0), (1e-3, 1e-2)]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in signal.critic.parameters()}
    for last in (signal.policy[0][-1], signal.critic.head[-1]):
        assert last.weight.abs().max() <= 3e-3
        assert last.weight.abs().max() > 2e-3
    set_constant(signal.policy, 0.0, 0.5)
    observations = torch.zeros(4000, 3)
    assert torch.equal(
        signal.act(learner.trunk, observations[:1]), signal.scaler.unscale(torch.tensor([[0.0, 0.5]]).tanh())
    )
    actions = signal.explore(learner.trunk, observations, 0.5)
    assert torch.allclose(actions.std(0), torch.tensor([0.2, 0.05]), rtol=0.1)  # a tenth of half the range
