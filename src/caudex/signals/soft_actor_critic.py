"""Soft actor-critic: the loss of SAC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, frozen
from caudex.core.specs import ActionSpec
from caudex.core.trunk import width_of
from caudex.signals.policies import ActionScaler, feature_projection, relu_mlp


class SoftActorCritic(Signal):
    """SAC: a policy over vectors that earns reward and entropy, two critics that teach it, and their temperature.

    The critics' target is the reward and the lower of both target critics for a sampled next action. The policy climbs the
    frozen critics and does not move the trunk. The temperature holds the entropy at -A. `hidden` are ReLU layers of each;
    with `feature_dim`, for a trunk of convolutions, policy and critics each begin with a linear map to so many features,
    layer-normalised. Inside, actions lie in [-1, 1]: the units of an environment do not matter.
    Source: Haarnoja et al. 2018b, sections 4.2 and 5, algorithm 1; there the critics take their step before the policy's
    loss, here all losses see the weights before the step.
    """

    needs = "replay"

    def __init__(
        self,
        actions: ActionSpec,
        hidden: Sequence[int] = (256, 256),
        temperature: float = 1.0,
        target_decay: float = 0.995,
        feature_dim: int = 0,
    ):
        super().__init__()
        self.scaler, self.hidden, self.feature_dim = ActionScaler(actions), hidden, feature_dim
        self.target_decay = target_decay
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    def build(self, trunk):
        width, action_dim = self.feature_dim or width_of(trunk), self.scaler.size
        policy_features = feature_projection(width_of(trunk), self.feature_dim)
        self.policy = nn.Sequential(policy_features, relu_mlp(width, 2 * action_dim, self.hidden))
        self.critic_features = feature_projection(width_of(trunk), self.feature_dim)  # of both critics
        self.critics = nn.ModuleList(relu_mlp(width + action_dim, 1, self.hidden) for _ in range(2))
        self.target = Shadow(nn.ModuleList([trunk, self.critic_features, self.critics]), self.target_decay)

    def loss(self, trunk, batch):
        features = trunk(batch.observations).pooled
        temperature = self.log_temperature.detach().exp()
        critic_features = self.critic_features(features)
        predictions = q_values(self.critics, critic_features, self.scaler.scale(batch.actions))  # [2, B]
        errors = predictions - self.target_q_values(trunk, batch, temperature)
        critic_loss = 0.5 * errors.square().mean(1).sum()

        actions, log_probs = self.action_distribution(features.detach()).sample()  # [B, A], [B]
        with frozen(self.critics):
            lower_q_values = q_values(self.critics, critic_features.detach(), actions).amin(0)
        actor_loss = (temperature * log_probs - lower_q_values).mean()

        entropy = -log_probs.detach().mean()
        temperature_loss = self.log_temperature * (
            entropy + self.scaler.size
        )  # it falls where the policy is too random
        metrics = {
            "critic_loss": critic_loss,
            "q_value": predictions.detach().mean(),
            "entropy": entropy,
            "temperature": temperature,
        }
        return SignalOutput(critic_loss + actor_loss + temperature_loss, metrics)

    @torch.no_grad()
    def target_q_values(self, trunk: nn.Module, batch, temperature: Tensor) -> Tensor:
        """[B]: the reward, and the lower target critic for a sampled next action, with its entropy."""
        actions, log_probs = self.action_distribution(trunk(batch.next_observations).pooled).sample()
        target_trunk, target_features, target_critics = self.target.copy
        features = target_features(target_trunk(batch.next_observations).pooled)
        next_q_values = q_values(target_critics, features, actions).amin(0)
        return batch.rewards + batch.discounts * (next_q_values - temperature * log_probs)

    def action_distribution(self, features: Tensor) -> SquashedGaussian:
        mean, log_std = self.policy(features).chunk(2, 1)
        return SquashedGaussian(mean, log_std.clamp(-20, 2))

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions [B, A] for the environment: the policy's mode, or sampled."""
        policy = self.action_distribution(trunk(observations).pooled)
        return self.scaler.unscale(policy.mode() if greedy else policy.sample()[0])

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions [B, A] to collect experience."""
        return self.act(trunk, observations, greedy=False)

    def random_actions(self, observations: Tensor) -> Tensor:
        """Uniform actions [B, A], before learning starts."""
        return self.scaler.sample(len(observations))


def q_values(critics: nn.ModuleList, features: Tensor, actions: Tensor) -> Tensor:
    """[critics, B]. Two passes: on a processor one batched product of both takes as long."""
    inputs = torch.cat([features, actions], 1)
    return torch.cat([critic(inputs) for critic in critics], 1).T


class SquashedGaussian(NamedTuple):
    """The tanh of a diagonal Gaussian: `mean` [B, A], `log_std` [B, A]."""

    mean: Tensor
    log_std: Tensor

    def mode(self) -> Tensor:
        return self.mean.tanh()

    def sample(self) -> tuple[Tensor, Tensor]:
        """Actions [B, A] in [-1, 1], reparameterised, and their log-density [B]."""
        noise = torch.randn_like(self.mean)
        gaussian_actions = self.mean + noise * self.log_std.exp()
        return gaussian_actions.tanh(), self.log_prob(gaussian_actions, noise)

    def log_prob(self, gaussian_actions: Tensor, noise: Tensor) -> Tensor:
        """[B], of tanh(gaussian_actions), where `gaussian_actions` are mean + noise * std.

        Source: Haarnoja et al. 2018b, appendix C. The log of tanh's slope 1 - tanh(u)^2 is 2 (log 2 - u - softplus(-2u)),
        which does not round to log 0.
        """
        gaussian = -0.5 * noise.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        log_slope = 2 * (math.log(2) - gaussian_actions - F.softplus(-2 * gaussian_actions))
        return (gaussian - log_slope).sum(1)
