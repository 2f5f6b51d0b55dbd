"""Rollouts count the operations of acting and of bootstrapping."""

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
