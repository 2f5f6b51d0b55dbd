"""SAC: earn much, and act as much at random as that allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, frozen
from caudex.core.trunk import width_of
from caudex.signals.policies import Bounds, layers, summary


class SoftActorCritic(Signal):
    """A policy over vectors of numbers that earns reward and entropy, the two critics that teach it, their temperature.

    The critics learn from the reward and what slow copies of them, the lower of both, think of an action drawn after it.
    The policy follows the critics, which stand still for it; it does not move the trunk. The temperature holds the entropy
    at -A. `hidden` layers with ReLU in each; with `features`, where the trunk is convolutions, policy and critics each begin
    with a linear map to so many numbers, normalised. Inside, actions lie between -1 and 1: the units of an environment do not matter.
    Source: Haarnoja et al. 2018b, sections 4.2 and 5, algorithm 1; there the critics take their step before the policy's
    loss, here all losses see the weights before the step.
    """

    needs = "replay"

    def __init__(
        self,
        actions: Mapping,
        hidden: Sequence[int] = (256, 256),
        temperature: float = 1.0,
        decay: float = 0.995,
        features: int = 0,
    ):
        super().__init__()
        self.bounds, self.hidden, self.decay, self.features = Bounds(actions), hidden, decay, features
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    def build(self, trunk):
        width, count = self.features or width_of(trunk), self.bounds.count
        self.policy = nn.Sequential(summary(width_of(trunk), self.features), layers(width, 2 * count, self.hidden))
        self.seen = summary(width_of(trunk), self.features)  # by both critics
        self.critics = nn.ModuleList(layers(width + count, 1, self.hidden) for _ in range(2))
        self.target = Shadow(nn.ModuleList([trunk, self.seen, self.critics]), self.decay)

    def loss(self, trunk, batch):
        features = trunk(batch.observations).pooled
        temperature = self.log_temperature.detach().exp()
        seen = self.seen(features)
        told = worths(self.critics, seen, self.bounds.unit(batch.actions))  # [2, B]
        critic = 0.5 * (told - self.targets(trunk, batch, temperature)).square().mean(1).sum()

        actions, log_probs = self.policy_of(features.detach()).sample()  # [B, A], [B]
        with frozen(self.critics):
            worth = worths(self.critics, seen.detach(), actions).amin(0)
        actor = (temperature * log_probs - worth).mean()

        entropy = -log_probs.detach().mean()
        cooling = self.log_temperature * (entropy + self.bounds.count)  # too random: colder
        figures = {"critic": critic, "value": told.detach().mean(), "entropy": entropy, "temperature": temperature}
        return SignalOutput(critic + actor + cooling, figures)

    @torch.no_grad()
    def targets(self, trunk: nn.Module, batch, temperature: Tensor) -> Tensor:
        """[B]: the reward, and what the slow critics think of an action after it, with its entropy."""
        actions, log_probs = self.policy_of(trunk(batch.next_observations).pooled).sample()
        slow_trunk, slow_seen, slow_critics = self.target.copy
        worth = worths(slow_critics, slow_seen(slow_trunk(batch.next_observations).pooled), actions).amin(0)
        return batch.rewards + batch.discounts * (worth - temperature * log_probs)

    def policy_of(self, features: Tensor) -> Squashed:
        mean, log_deviation = self.policy(features).chunk(2, 1)
        return Squashed(mean, log_deviation.clamp(-20, 2))

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions [B, A] for the environment: the middle of the policy, or drawn."""
        policy = self.policy_of(trunk(observations).pooled)
        return self.bounds.env(policy.mode() if greedy else policy.sample()[0])

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions [B, A] for learning."""
        return self.act(trunk, observations, greedy=False)

    def random_actions(self, count: int) -> Tensor:
        """Any actions [count, A], before learning begins."""
        return self.bounds.any(count)


def worths(critics: nn.ModuleList, features: Tensor, actions: Tensor) -> Tensor:
    """[critics, B]. Two passes: on a processor one batched product of both takes as long."""
    seen = torch.cat([features, actions], 1)
    return torch.cat([critic(seen) for critic in critics], 1).T


class Squashed(NamedTuple):
    """Normal numbers through tanh, each by itself: `mean` [B, A], `log_deviation` [B, A]."""

    mean: Tensor
    log_deviation: Tensor

    def mode(self) -> Tensor:
        return self.mean.tanh()

    def sample(self) -> tuple[Tensor, Tensor]:
        """Actions [B, A] between -1 and 1, through which gradients flow to mean and deviation; their log-density [B]."""
        noise = torch.randn_like(self.mean)
        before = self.mean + noise * self.log_deviation.exp()
        return before.tanh(), self.log_prob(before, noise)

    def log_prob(self, before: Tensor, noise: Tensor) -> Tensor:
        """[B], of tanh(before), where `before` is mean + noise * deviation.

        Source: Haarnoja et al. 2018b, appendix C. The log of tanh's slope 1 - tanh(u)^2 is 2 (log 2 - u - softplus(-2u)),
        which does not round to log 0.
        """
        normal = -0.5 * noise.square() - self.log_deviation - 0.5 * math.log(2 * math.pi)
        slope = 2 * (math.log(2) - before - F.softplus(-2 * before))
        return (normal - slope).sum(1)
