"""Deterministic policy: the loss of DDPG."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, frozen
from caudex.core.specs import ActionSpec
from caudex.core.trunk import width_of
from caudex.signals.policies import ActionScaler, relu_mlp


class DeterministicPolicy(Signal):
    """DDPG: a policy that gives one action, [A] numbers, and the critic that teaches it.

    The critic's target is the reward and what the target networks expect after it; its weights decay
    (`critic_weight_decay`). The policy climbs the frozen critic and does not move the trunk; it learns at `actor_lr`, if
    given. To explore, Gaussian noise of `noise_std` is added to actions scaled to [-1, 1].
    Source: Lillicrap et al. 2016, section 3, algorithm 1, section 7; left out are batch normalisation and noise that
    depends on the previous step; all losses see the weights before the step.
    """

    needs = "replay"

    def __init__(
        self, actions: ActionSpec, hidden: Sequence[int] = (400, 300), noise_std: float = 0.1, target_decay: float = 0.999,
        critic_weight_decay: float = 1e-2, actor_lr: float | None = None,
    ):  # fmt: skip
        super().__init__()
        self.scaler, self.hidden, self.noise_std, self.target_decay = (
            ActionScaler(actions),
            hidden,
            noise_std,
            target_decay,
        )
        self.critic_weight_decay, self.actor_lr = critic_weight_decay, actor_lr

    def build(self, trunk):
        width = width_of(trunk)
        self.policy = nn.Sequential(relu_mlp(width, self.scaler.size, self.hidden), nn.Tanh())
        self.critic = Critic(width, self.scaler.size, self.hidden)
        for output in (self.policy[0][-1], self.critic.head[-1]):
            nn.init.uniform_(output.weight, -3e-3, 3e-3)
            nn.init.uniform_(output.bias, -3e-3, 3e-3)
        self.target = Shadow(nn.ModuleList([trunk, self.policy, self.critic]), self.target_decay)

    def groups(self):
        lr = {"lr": self.actor_lr} if self.actor_lr else {}
        return [
            {"params": self.policy.parameters(), "weight_decay": 0.0, **lr},
            {"params": self.critic.parameters(), "weight_decay": self.critic_weight_decay},
        ]

    def loss(self, trunk, batch):
        features = trunk(batch.observations).pooled
        with torch.no_grad():
            target_trunk, target_policy, target_critic = self.target.copy
            next_features = target_trunk(batch.next_observations).pooled
            next_q_values = target_critic(next_features, target_policy(next_features))
            target_q_values = batch.rewards + batch.discounts * next_q_values
        q_values = self.critic(features, self.scaler.scale(batch.actions))  # [B]
        critic_loss = F.mse_loss(q_values, target_q_values)

        detached = features.detach()
        with frozen(self.critic):
            actor_loss = -self.critic(detached, self.policy(detached)).mean()
        return SignalOutput(critic_loss + actor_loss, {"critic_loss": critic_loss, "q_value": q_values.detach().mean()})

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions [B, A] for the environment: the policy's, or with noise."""
        actions = self.policy(trunk(observations).pooled)
        if not greedy:
            actions = (actions + self.noise_std * torch.randn_like(actions)).clamp(-1, 1)
        return self.scaler.unscale(actions)

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions [B, A] to collect experience."""
        return self.act(trunk, observations, greedy=False)

    def random_actions(self, observations: Tensor) -> Tensor:
        """Uniform actions [B, A], before learning starts."""
        return self.scaler.sample(len(observations))


class Critic(nn.Module):
    """Features [B, W] and actions [B, A] to Q-values [B]; the actions come in behind the first layer (section 7)."""

    def __init__(self, width: int, action_dim: int, hidden: Sequence[int]):
        super().__init__()
        self.feature_layer = nn.Linear(width, hidden[0])
        self.head = relu_mlp(hidden[0] + action_dim, 1, hidden[1:])

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        return self.head(torch.cat([self.feature_layer(features).relu(), actions], 1)).squeeze(1)
