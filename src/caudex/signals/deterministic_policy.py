"""DDPG: Q-learning where actions are numbers: a network says which action is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, frozen
from caudex.core.trunk import width_of
from caudex.signals.policies import Bounds, layers


class DeterministicPolicy(Signal):
    """A policy that gives one action, [A] numbers, and the critic that teaches it.

    The critic learns from the reward and from what slow copies do and think after it; its weights decay (`decaying`). The
    policy climbs the critic, which stands still for it, and does not move the trunk; it learns at `rate`, if given. To
    explore, normal noise of deviation `noise` is added, where the bounds of the actions are -1 and 1.
    Source: Lillicrap et al. 2016, section 3, algorithm 1, section 7; left out are batch normalisation and noise that
    depends on the step before; all losses see the weights before the step.
    """

    needs = "replay"

    def __init__(
        self, actions: Mapping, hidden: Sequence[int] = (400, 300), noise: float = 0.1, decay: float = 0.999,
        decaying: float = 1e-2, rate: float | None = None,
    ):  # fmt: skip
        super().__init__()
        self.bounds, self.hidden, self.noise, self.decay = Bounds(actions), hidden, noise, decay
        self.decaying, self.rate = decaying, rate

    def build(self, trunk):
        width = width_of(trunk)
        self.policy = nn.Sequential(layers(width, self.bounds.count, self.hidden), nn.Tanh())
        self.critic = Critic(width, self.bounds.count, self.hidden)
        for last in (self.policy[0][-1], self.critic.rest[-1]):
            nn.init.uniform_(last.weight, -3e-3, 3e-3)
            nn.init.uniform_(last.bias, -3e-3, 3e-3)
        self.target = Shadow(nn.ModuleList([trunk, self.policy, self.critic]), self.decay)

    def groups(self):
        own = {"lr": self.rate} if self.rate else {}
        return [
            {"params": self.policy.parameters(), "weight_decay": 0.0, **own},
            {"params": self.critic.parameters(), "weight_decay": self.decaying},
        ]

    def loss(self, trunk, batch):
        features = trunk(batch.observations).pooled
        with torch.no_grad():
            slow_trunk, slow_policy, slow_critic = self.target.copy
            after = slow_trunk(batch.next_observations).pooled
            targets = batch.rewards + batch.discounts * slow_critic(after, slow_policy(after))
        told = self.critic(features, self.bounds.unit(batch.actions))  # [B]
        critic = F.mse_loss(told, targets)

        still = features.detach()
        with frozen(self.critic):
            actor = -self.critic(still, self.policy(still)).mean()
        return SignalOutput(critic + actor, {"critic": critic, "value": told.detach().mean()})

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions [B, A] for the environment: the policy's, or near them."""
        actions = self.policy(trunk(observations).pooled)
        if not greedy:
            actions = (actions + self.noise * torch.randn_like(actions)).clamp(-1, 1)
        return self.bounds.env(actions)

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions [B, A] for learning."""
        return self.act(trunk, observations, greedy=False)

    def random_actions(self, count: int) -> Tensor:
        """Any actions [count, A], before learning begins."""
        return self.bounds.any(count)


class Critic(nn.Module):
    """Features [B, W] and actions [B, A] to worths [B]; the actions come in behind the first layer (section 7)."""

    def __init__(self, width: int, count: int, hidden: Sequence[int]):
        super().__init__()
        self.first = nn.Linear(width, hidden[0])
        self.rest = layers(hidden[0] + count, 1, hidden[1:])

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        return self.rest(torch.cat([self.first(features).relu(), actions], 1)).squeeze(1)
