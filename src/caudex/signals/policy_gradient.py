"""Policy gradients: the losses of A3C and A2C (`ActorCritic`) and of PPO (`PPOActorCritic`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import ActionSpec
from caudex.core.trunk import mask_size_of, width_of
from caudex.signals.policies import PolicyNetwork, tanh_mlp


class ActorCritic(Signal):
    """A policy and a value function, with the loss of A3C and A2C.

    The loss is minus the advantage of an action times its log-probability, plus the squared error of the value, minus a bonus
    on entropy. `hidden` are layers of both heads, for a trunk that is no network. With a `baseline` the value has that trunk
    to itself, and does not move the policy's. Source: Mnih et al. 2016, section 4.
    """

    needs = "rollouts"

    def __init__(
        self,
        actions: ActionSpec,
        hidden: Sequence[int] = (),
        entropy_coef: float = 0.01,
        value_coef: float = 0.5,
        baseline: nn.Module | None = None,
    ):
        super().__init__()
        self.actions, self.hidden, self.entropy_coef, self.value_coef = actions, hidden, entropy_coef, value_coef
        self.baseline = baseline

    def build(self, trunk):
        self.policy = PolicyNetwork(width_of(trunk), self.actions, self.hidden, mask_size_of(trunk))
        self.value_head = tanh_mlp(width_of(self.baseline or trunk), 1, self.hidden, 1.0)

    def loss(self, trunk, batch):
        policy, values = self.policy_and_values(trunk, batch.observations)
        policy_objective = (batch.advantages * policy.log_prob(batch.actions)).mean()
        value_loss, entropy = F.mse_loss(values, batch.returns), policy.entropy().mean()
        metrics = {"entropy": entropy, "explained_variance": lambda: explained_variance(values, batch.returns)}
        return SignalOutput(self.value_coef * value_loss - policy_objective - self.entropy_coef * entropy, metrics)

    def policy_and_values(self, trunk: nn.Module, observations: Tensor):
        """The distribution over actions, and values [B]."""
        value_features = self.baseline and self.baseline(observations).pooled
        features = trunk(observations).pooled
        return self.policy(features), self.value(features if value_features is None else value_features)

    def sample(self, features: Tensor) -> Tensor:
        """Sampled actions, [B] or [B, A], not clipped."""
        return self.policy(features).sample()

    def evaluate_actions(
        self, features: Tensor, actions: Tensor, value_features: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities [B] of sampled actions, and values [B]; `value_features` are those of the baseline, if any."""
        values = self.value(features if value_features is None else value_features)
        return self.policy(features).log_prob(actions), values

    def value(self, features: Tensor) -> Tensor:
        return self.value_head(features).squeeze(-1)

    def clip_actions(self, actions: Tensor) -> Tensor:
        return self.policy.clip_actions(actions)

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions for the environment: the policy's mode, or sampled."""
        policy = self.policy(trunk(observations).pooled)
        return self.policy.clip_actions(policy.mode() if greedy else policy.sample())


class PPOActorCritic(ActorCritic):
    """A policy and a value function, with the clipped loss of PPO, for several epochs over each rollout.

    An action gains nothing more once the ratio of its probabilities has left [1 - clip_range, 1 + clip_range]. Advantages are
    standardised in each batch. With `anneal_entropy` the bonus on entropy falls linearly to 0 (Wang et al. 2016, section
    3.1). Source: Schulman et al. 2017, equations 7 and 9.
    """

    def __init__(
        self,
        actions: ActionSpec,
        hidden: Sequence[int] = (),
        entropy_coef: float = 0.0,
        value_coef: float = 0.5,
        clip_range: float = 0.2,
        anneal_entropy: bool = False,
        baseline: nn.Module | None = None,
    ):
        super().__init__(actions, hidden, entropy_coef, value_coef, baseline)
        self.clip_range, self.anneal_entropy = clip_range, anneal_entropy

    def loss(self, trunk, batch):
        policy, values = self.policy_and_values(trunk, batch.observations)
        log_ratio = policy.log_prob(batch.actions) - batch.log_probs
        ratio, advantages = log_ratio.exp(), standardise_advantages(batch.advantages)
        clipped = ratio.detach().clamp(1 - self.clip_range, 1 + self.clip_range)
        # the minimum of equation 7; where the clipped ratio is the lower, it has no gradient
        lower = torch.where(clipped * advantages < ratio.detach() * advantages, clipped, ratio)
        surrogate = (lower * advantages).mean()
        loss = self.value_coef * F.mse_loss(values, batch.returns) - surrogate
        if self.entropy_coef:
            remaining = 1 - self.progress if self.anneal_entropy else 1.0
            loss = loss - remaining * self.entropy_coef * policy.entropy().mean()
        metrics = {
            "entropy": lambda: policy.entropy().mean(),
            "approx_kl": lambda: (ratio - 1 - log_ratio).mean(),  # Schulman 2020: unbiased, and of low variance
            "clip_fraction": lambda: (ratio != clipped).float().mean(),
            "explained_variance": lambda: explained_variance(values, batch.returns),
        }
        return SignalOutput(loss, metrics)


def standardise_advantages(advantages: Tensor) -> Tensor:
    """[B] of mean 0 and standard deviation 1; one kernel, because small batches pay for each call."""
    return F.layer_norm(advantages, advantages.shape) if len(advantages) > 1 else advantages


def explained_variance(values: Tensor, returns: Tensor) -> Tensor:
    """Share of the variance of the returns that the values explain; below 0 they are worse than the mean."""
    values, returns = values.detach(), returns.detach()
    return 1 - (returns - values).var(correction=0) / returns.var(correction=0).clamp_min(1e-8)
