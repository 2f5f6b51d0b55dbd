"""Policy gradient: take more often what turned out better than was thought. The signals of A3C and of PPO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of
from caudex.signals.policies import Policy, tanh_layers


class ActorCritic(Signal):
    """A policy and the value of what is seen: [B] each. `hidden` layers of their own where the trunk is no network; with a
    `baseline` the value has a trunk of its own, and does not move the policy's.

    The loss is that of A3C: the advantage of an action times its log-probability, the squared error of the value, and a
    bonus on entropy. Source: Mnih et al. 2016, section 4.
    """

    needs = "rollouts"

    def __init__(
        self,
        actions: Mapping,
        hidden: Sequence[int] = (),
        entropy_coef: float = 0.01,
        value_coef: float = 0.5,
        baseline: nn.Module | None = None,
    ):
        super().__init__()
        self.actions, self.hidden, self.entropy_coef, self.value_coef = actions, hidden, entropy_coef, value_coef
        self.baseline = baseline

    def build(self, trunk):
        self.policy = Policy(width_of(trunk), self.actions, self.hidden)
        self.worth_head = tanh_layers(width_of(self.baseline or trunk), 1, self.hidden, 1.0)

    def loss(self, trunk, batch):
        policy, values = self.both(trunk, batch.observations)
        gain = (batch.advantages * policy.log_prob(batch.actions)).mean()
        error, entropy = F.mse_loss(values, batch.returns), policy.entropy().mean()
        figures = {"entropy": entropy, "explained": lambda: explained(values, batch.returns)}
        return SignalOutput(self.value_coef * error - gain - self.entropy_coef * entropy, figures)

    def both(self, trunk: nn.Module, observations: Tensor):
        """The distribution over actions, and values [B]."""
        own = self.baseline and self.baseline(observations).pooled
        features = trunk(observations).pooled
        return self.policy(features), self.value(features if own is None else own)

    def sample(self, features: Tensor) -> Tensor:
        """Actions as drawn, [B] or [B, A]."""
        return self.policy(features).sample()

    def evaluate_actions(self, features: Tensor, actions: Tensor, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-probabilities [B] of actions as drawn, values [B]; `own` are the baseline's features, where there is one."""
        return self.policy(features).log_prob(actions), self.value(features if own is None else own)

    def value(self, features: Tensor) -> Tensor:
        return self.worth_head(features).squeeze(-1)

    def clip_actions(self, actions: Tensor) -> Tensor:
        return self.policy.clip_actions(actions)

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """Actions for the environment: the likeliest, or drawn."""
        policy = self.policy(trunk(observations).pooled)
        return self.policy.clip_actions(policy.mode() if greedy else policy.sample())


class ClippedPolicy(ActorCritic):
    """The same with several passes over a rollout: an action gains no more once its probability has changed by `clip`.

    With `fading` the bonus on entropy falls to 0 in the course of training (Wang et al. 2016, section 3.1). Advantages are
    standardised in each batch. Source: Schulman et al. 2017, equations 7 and 9.
    """

    def __init__(
        self,
        actions: Mapping,
        hidden: Sequence[int] = (),
        entropy_coef: float = 0.0,
        value_coef: float = 0.5,
        clip: float = 0.2,
        fading: bool = False,
        baseline: nn.Module | None = None,
    ):
        super().__init__(actions, hidden, entropy_coef, value_coef, baseline)
        self.clip, self.fading = clip, fading

    def loss(self, trunk, batch):
        policy, values = self.both(trunk, batch.observations)
        change = policy.log_prob(batch.actions) - batch.log_probs
        ratio, advantages = change.exp(), standardised(batch.advantages)
        kept = ratio.detach().clamp(1 - self.clip, 1 + self.clip)
        least = torch.where(kept * advantages < ratio.detach() * advantages, kept, ratio)
        gain = (least * advantages).mean()  # the minimum of equation 7; where it is that of `kept`, nothing is learned
        loss = self.value_coef * F.mse_loss(values, batch.returns) - gain
        if self.entropy_coef:
            left = 1 - self.progress if self.fading else 1.0
            loss = loss - left * self.entropy_coef * policy.entropy().mean()
        figures = {
            "entropy": lambda: policy.entropy().mean(),
            "kl": lambda: (ratio - 1 - change).mean(),  # Schulman 2020: its mean is right, its variance small
            "clipped": lambda: (ratio != kept).float().mean(),
            "explained": lambda: explained(values, batch.returns),
        }
        return SignalOutput(loss, figures)


def standardised(advantages: Tensor) -> Tensor:
    """[B] of mean 0 and deviation 1; as one kernel, for small batches pay for each."""
    return F.layer_norm(advantages, advantages.shape) if len(advantages) > 1 else advantages


def explained(values: Tensor, returns: Tensor) -> Tensor:
    """Share of the variance of returns that the values explain; below 0 they are worse than the mean."""
    values, returns = values.detach(), returns.detach()
    return 1 - (returns - values).var(correction=0) / returns.var(correction=0).clamp_min(1e-8)
