"""Rollouts: operations are counted; the environment gets clipped actions, the policy learns from what it drew."""

import torch
from helpers.continuous_control import Line
from helpers.environments import Clock

from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.experience import EnvRunner, Rollouts
from caudex.signals.policy_gradient import ActorCritic
from caudex.trunks import Identity


def test_acting_and_bootstrapping_are_counted():
    learner = Learner(Identity(2), {"policy": ActorCritic(ActionSpec(count=2))})
    source = Rollouts(EnvRunner(Clock(2), 0), learner, "policy", 12, 24, 1)
    rollout = next(source)
    late = int(((rollout.observations[:, 1] == 3) & (rollout.observations[:, 0] % 2 == 1)).sum())
    draws, judges, value_flops = 2 * 2 * 2, 2 * 2 * 2 + 2 * 2, 2 * 2
    assert source.flops == 24 * (draws + judges) + (2 + late) * value_flops and late


def test_actions_are_clipped_for_the_environment_and_learned_from_as_drawn():
    learner = Learner(Identity(1), {"policy": ActorCritic(ActionSpec(low=(-0.1,), high=(0.1,)))})
    rollout = next(Rollouts(EnvRunner(Line(4, scale=0.1), 0), learner, "policy", 12, 48, 1))  # Line refuses others
    assert rollout.actions.abs().max() > 0.1
    log_probs, _ = learner.signals["policy"].evaluate_actions(rollout.observations, rollout.actions)
    torch.testing.assert_close(rollout.log_probs, log_probs)
