"""Policy gradients: clipping, entropy, standardised advantages and log-probabilities."""

import math

import pytest
import torch
from pytest import approx

from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.experience import Rollout
from caudex.signals.policy_gradient import ActorCritic, PPOActorCritic, standardise_advantages
from caudex.trunks import Identity


def test_a_clipped_action_gains_no_more():
    signal = PPOActorCritic(ActionSpec(count=2), entropy_coef=0.0, value_coef=0.0, clip_range=0.2)
    learner = Learner(Identity(2), {"policy": signal})
    x, actions = torch.randn(8, 2), torch.arange(8) % 2
    log_probs = signal.policy_and_values(learner.trunk, x)[0].log_prob(actions).detach()

    def gradient(shift):
        advantages = torch.tensor([1.0, -1.0] * 4)
        batch = Rollout(x, actions, log_probs - shift * advantages, torch.zeros(8), advantages, torch.zeros(8))
        learner.zero_grad()
        signal.loss(learner.trunk, batch).loss.backward()
        return sum(p.grad.abs().sum().item() for p in signal.policy.parameters())

    assert gradient(0.0) > 0.01  # the same policy: the plain policy gradient
    assert gradient(0.5) == 0  # all have gone as far as they may
    assert gradient(-0.5) > 0.01  # the wrong way: nothing holds them


def test_the_bonus_on_entropy_fades_as_training_goes():
    learner = Learner(
        Identity(2),
        {"policy": PPOActorCritic(ActionSpec(count=2), entropy_coef=1.0, value_coef=0.0, anneal_entropy=True)},
    )
    nothing = torch.zeros(8)
    batch = Rollout(torch.randn(8, 2), torch.arange(8) % 2, nothing, nothing, nothing, nothing)

    def loss(progress):
        learner.progress = progress
        return learner({"policy": batch})["policy"].loss.item()

    assert loss(0.0) == approx(-math.log(2), abs=0.01)  # of two actions, at first about as likely
    assert loss(0.75) == approx(loss(0.0) / 4, rel=1e-5) and loss(1.0) == 0


def test_advantages_are_standardised():
    advantages = standardise_advantages(torch.tensor([1.0, 3.0, 5.0]))
    assert advantages.tolist() == approx([-(1.5**0.5), 0, 1.5**0.5], rel=1e-4)
    assert standardise_advantages(torch.tensor([2.0])).tolist() == [2.0]


@pytest.mark.parametrize(
    "actions",
    [
        ActionSpec(count=4),
        ActionSpec(low=(-1.0, -2.0), high=(1.0, 2.0)),
    ],
    ids=["count", "box"],
)
def test_a_policy_gives_the_log_probability_of_what_it_samples(actions):
    signal = ActorCritic(actions)
    learner = Learner(Identity(3), {"policy": signal})
    x = torch.randn(1, 3).expand(20_000, 3)
    samples = signal.sample(x)
    log_probs, values = signal.evaluate_actions(x, samples)
    assert values.shape == (20_000,)
    policy = signal.policy_and_values(learner.trunk, x)[0]
    assert -log_probs.mean().item() == approx(policy.entropy().mean().item(), rel=0.05)
    if actions.low:
        bounded = signal.clip_actions(samples * 10)
        assert bounded.abs().amax(0).tolist() == approx([1, 2])
