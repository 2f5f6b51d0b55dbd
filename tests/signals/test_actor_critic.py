"""What soft actor-critic and deterministic policy gradients have in common."""

from types import SimpleNamespace

import pytest
import torch
from helpers.continuous_control import make_batch, make_learner, nonzero_gradients

from caudex.core.specs import ActionSpec
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.signals.soft_actor_critic import SoftActorCritic

BOTH = pytest.mark.parametrize("kind", [SoftActorCritic, DeterministicPolicy])


# -- the squashed normal distribution ------------------------------------------------------------------------------


@BOTH
def test_the_unit_of_actions_does_not_matter(kind):
    losses, given = [], make_batch()
    for scale in (1.0, 1024.0):
        torch.manual_seed(0)
        learner = make_learner(kind, actions=ActionSpec(low=(-2.0 * scale, 0.0), high=(2.0 * scale, 1.0 * scale)))
        torch.manual_seed(1)
        losses.append(
            learner({"policy": SimpleNamespace(**vars(given) | {"actions": given.actions * scale})})["policy"].loss
        )
    assert torch.allclose(*losses, rtol=1e-5)


# -- what moves what -----------------------------------------------------------------------------------------------


def gradients_equal(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other))


@BOTH
def test_each_part_moves_its_own_weights(kind):
    learner = make_learner(kind)
    signal, output = learner.signals["policy"], learner({"policy": make_batch()})["policy"]
    critics = signal.critics if kind is SoftActorCritic else signal.critic
    for taught_by_critic in (learner.trunk, critics):
        part = nonzero_gradients(output.metrics["critic_loss"], taught_by_critic)
        assert all(each is not None for each in part)
        assert gradients_equal(nonzero_gradients(output.loss, taught_by_critic), part)  # the other parts add nothing
    assert not any(each is not None for each in nonzero_gradients(output.metrics["critic_loss"], signal.policy))
    assert all(each is not None for each in nonzero_gradients(output.loss, signal.policy))
    assert all(p.requires_grad for p in critics.parameters())
    assert not any(p.requires_grad for p in signal.target.parameters())


@BOTH
def test_slow_copies_follow_by_their_decay(kind):
    learner = make_learner(kind, target_decay=0.9)
    signal = learner.signals["policy"]
    before = [p.clone() for p in signal.target.parameters()]
    learner.step({"policy": make_batch()})
    parameters = [p for module in signal.target.online[0] for p in module.parameters()]
    for old, new, now in zip(before, parameters, signal.target.parameters()):
        assert not torch.equal(old, new)
        assert torch.allclose(now, 0.9 * old + 0.1 * new, atol=1e-6)
