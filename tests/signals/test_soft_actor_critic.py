"""Soft actor-critic: densities, targets and the temperature, by hand."""

import math

import pytest
import torch
from helpers.continuous_control import line_replay, make_batch, make_learner, nonzero_gradients, set_constant
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from caudex.signals.soft_actor_critic import SoftActorCritic, SquashedGaussian

# -- the squashed normal distribution ------------------------------------------------------------------------------


def test_the_density_is_that_of_torch_distributions():
    mean, log_std = torch.randn(50, 3).double(), torch.randn(50, 3).double()
    torch.manual_seed(1)
    actions, log_probs = SquashedGaussian(mean, log_std).sample()
    torch.manual_seed(1)
    noise = torch.randn_like(mean)
    theirs = TransformedDistribution(Normal(mean, log_std.exp()), TanhTransform(cache_size=1))
    before = mean + noise * log_std.exp()
    assert torch.equal(actions, before.tanh())
    inside = before.abs().amax(1) < 8  # beyond, theirs rounds
    assert torch.allclose(log_probs[inside], theirs.log_prob(actions).sum(1)[inside], atol=1e-6)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (0.7, 0.9), (-1.5, 0.5)])
def test_the_density_integrates_to_one(mean, std):
    actions = torch.linspace(-1, 1, 200_003, dtype=torch.float64)[1:-1, None]
    before = actions.atanh()
    policy = SquashedGaussian(torch.full_like(before, mean), torch.full_like(before, math.log(std)))
    density = policy.log_prob(before, (before - mean) / std).exp()
    assert torch.trapezoid(density, actions[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_far_out_the_density_is_no_infinity():
    far = torch.tensor([[30.0]])
    log_prob = SquashedGaussian(far, torch.zeros(1, 1)).log_prob(far, torch.zeros(1, 1))
    assert log_prob.item() == pytest.approx(-0.5 * math.log(2 * math.pi) - 2 * (math.log(2) - 30))


# -- targets -------------------------------------------------------------------------------------------------------


def test_sac_bootstraps_from_a_time_limit_and_not_from_an_end():
    learner, batch = line_replay(SoftActorCritic)
    signal = learner.signals["policy"]
    lost, still = batch.lost, batch.actions[:, 0] == 0
    assert lost.any()
    assert torch.equal(batch.next_observations[still], batch.observations[still])  # also where the time was up
    assert torch.equal(batch.discounts, torch.where(lost, 0.0, 0.5))
    for critic, value in zip(signal.target.copy[2], (4.0, 3.0)):
        set_constant(critic, value)
    set_constant(signal.policy, 0.2, -1.0)
    torch.manual_seed(3)
    targets = signal.target_q_values(learner.trunk, batch, torch.tensor(0.1))
    torch.manual_seed(3)
    _, log_probs = SquashedGaussian(torch.full((256, 1), 0.2), torch.full((256, 1), -1.0)).sample()
    assert torch.allclose(targets, batch.rewards + torch.where(lost, 0.0, 0.5) * (3 - 0.1 * log_probs))


# -- what moves what -----------------------------------------------------------------------------------------------


def test_the_policy_climbs_the_lower_critic_and_entropy():
    learner, given = make_learner(SoftActorCritic), make_batch()
    signal = learner.signals["policy"]
    for critic, value in zip(signal.critics, (4.0, 3.0)):
        set_constant(critic, value)
    with torch.no_grad():
        signal.critics[1][-1].weight.fill_(0.01)
    torch.manual_seed(5)
    gradients = nonzero_gradients(learner({"policy": given})["policy"].loss, signal.policy)
    torch.manual_seed(5)
    signal.target_q_values(learner.trunk, given, torch.tensor(1.0))  # draws, too
    features = learner.trunk(given.observations).pooled.detach()
    actions, log_probs = signal.action_distribution(features).sample()
    expected = (log_probs - signal.critics[1](torch.cat([features, actions], 1)).squeeze(1)).mean()
    for one, other in zip(gradients, nonzero_gradients(expected, signal.policy)):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("log_std", "colder"), [(0.0, True), (-6.0, False)])
def test_the_temperature_falls_where_the_policy_is_too_random_and_rises_where_it_is_not(log_std, colder):
    learner = make_learner(SoftActorCritic, temperature=0.5)
    signal = learner.signals["policy"]
    set_constant(signal.policy, 0.0, 0.0, log_std, log_std)
    outputs = learner.step({"policy": make_batch(64)})["policy"]
    assert (signal.log_temperature.exp() < 0.5).item() == colder
    assert signal.log_temperature.grad.item() == pytest.approx(outputs.metrics["entropy"].item() + 2)
