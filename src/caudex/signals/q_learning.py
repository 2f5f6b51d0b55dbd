"""Q-learning: the loss of DQN, and with all its parts of Rainbow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import mask_size_of, width_of
from caudex.signals.policies import mask_logits, relu_mlp


class QLearning(Signal):
    """The Q-value of each of `num_actions` actions; the target is the reward and what a target network expects after it.

    `double`: the online network selects the next action (van Hasselt et al. 2016, equation 4). `dueling`: state value and
    advantages in heads of their own (Wang et al. 2016, equation 9). `noisy`: weights with learned noise, at first of
    `noise_std`, explore (Fortunato et al. 2018). `num_atoms`: a distribution over so many returns within [-v_max, v_max]
    (Bellemare et al. 2017, algorithm 1). The target network is updated every `target_interval` steps. Without `noisy`,
    epsilon falls from 1 to `final_epsilon` over the first `exploration_fraction` of training. Actions that the mask of an
    observation forbids are never taken, and never the best.
    Sources: Mnih et al. 2015, algorithm 1; Hessel et al. 2018.
    """

    needs = "replay"

    def __init__(
        self, num_actions: int, hidden: Sequence[int] = (), double: bool = False, dueling: bool = False, noisy: bool = False,
        num_atoms: int = 1, v_max: float = 10.0, target_interval: int = 500, final_epsilon: float = 0.05,
        exploration_fraction: float = 0.3, noise_std: float = 0.5,
    ):  # fmt: skip
        super().__init__()
        self.num_actions, self.hidden, self.double, self.dueling, self.noisy = (
            num_actions,
            hidden,
            double,
            dueling,
            noisy,
        )
        self.target_interval, self.final_epsilon, self.noise_std = target_interval, final_epsilon, noise_std
        self.exploration_fraction = exploration_fraction
        self.register_buffer("support", torch.linspace(-v_max, v_max, num_atoms) if num_atoms > 1 else torch.ones(1))

    def build(self, trunk):
        num_atoms, self.mask_size = len(self.support), mask_size_of(trunk)
        linear = partial(NoisyLinear, noise_std=self.noise_std) if self.noisy else nn.Linear
        self.advantage_head = relu_mlp(width_of(trunk), self.num_actions * num_atoms, self.hidden, linear)
        self.value_head = relu_mlp(width_of(trunk), num_atoms, self.hidden, linear) if self.dueling else None
        heads = [self.advantage_head, *([self.value_head] if self.dueling else [])]
        self.target = Shadow(nn.ModuleList([trunk, *heads]), 0.0, self.target_interval)

    def loss(self, trunk, batch):
        features = trunk(batch.observations).pooled
        q_logits = self.online_q_logits(features)  # [B, K, atoms]
        predictions = gather_actions(q_logits, batch.actions)  # [B, atoms]
        with torch.no_grad():
            target_trunk, *target_heads = self.target.copy
            next_features = target_trunk(batch.next_observations).pooled
            next_q_logits = self.q_logits(next_features, *target_heads)
            if self.double:
                next_features = trunk(batch.next_observations).pooled
            selecting = self.online_q_logits(next_features) if self.double else next_q_logits
            # [B, atoms]
            next_predictions = gather_actions(next_q_logits, self.q_values(selecting, next_features).argmax(1))
        if len(self.support) == 1:
            targets = batch.rewards + batch.discounts * next_predictions.squeeze(1)
            errors = F.smooth_l1_loss(predictions.squeeze(1), targets, reduction="none")
            td_errors = (predictions.squeeze(1) - targets).detach().abs()
        else:
            targets = project_distribution(next_predictions.softmax(1), self.support, batch.rewards, batch.discounts)
            errors = F.cross_entropy(predictions, targets, reduction="none")
            td_errors = errors.detach()
        loss = errors.mean() if batch.weights is None else (errors * batch.weights).mean()
        return SignalOutput(loss, {"q_value": lambda: self.q_values(q_logits, features).amax(1).mean()}, td_errors)

    def q_logits(self, features: Tensor, advantage_head: nn.Module, value_head: nn.Module | None = None) -> Tensor:
        """[B, K, atoms]: Q-values, or the logits of a distribution over returns."""
        advantages = advantage_head(features).view(-1, self.num_actions, len(self.support))
        if value_head is None:
            return advantages
        return value_head(features).unsqueeze(1) + advantages - advantages.mean(1, keepdim=True)

    def online_q_logits(self, features: Tensor) -> Tensor:
        return self.q_logits(features, self.advantage_head, self.value_head)

    def q_values(self, q_logits: Tensor, features: Tensor) -> Tensor:
        """[B, K]; those of forbidden actions are very low."""
        q_values = q_logits.squeeze(2) if len(self.support) == 1 else q_logits.softmax(2) @ self.support
        return mask_logits(q_values, features, self.mask_size)

    def best_actions(self, trunk: nn.Module, observations: Tensor) -> Tensor:
        """int64 [B]"""
        features = trunk(observations).pooled
        return self.q_values(self.online_q_logits(features), features).argmax(1)

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """The best actions int64 [B], without noise; or epsilon-greedy ones, with an epsilon of 0.05."""
        with without_noise(self):
            best = self.best_actions(trunk, observations)
        return best if greedy else self.epsilon_greedy(best, observations, 0.05)

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions int64 [B] to collect experience."""
        best = self.best_actions(trunk, observations)
        epsilon = 1 + (self.final_epsilon - 1) * min(1.0, progress / self.exploration_fraction)
        return best if self.noisy else self.epsilon_greedy(best, observations, epsilon)

    def random_actions(self, observations: Tensor) -> Tensor:
        """Uniform actions int64 [B], of those allowed."""
        if not self.mask_size:
            return torch.randint(self.num_actions, (len(observations),), device=observations.device)
        return torch.multinomial(observations[:, -self.mask_size :].float(), 1).squeeze(1)  # the mask is the row's end

    def epsilon_greedy(self, actions: Tensor, observations: Tensor, epsilon: float) -> Tensor:
        random = torch.rand(len(actions), device=actions.device) < epsilon
        return torch.where(random, self.random_actions(observations), actions)


def gather_actions(q_logits: Tensor, actions: Tensor) -> Tensor:
    """[B, K, atoms] and [B] to [B, atoms]. The index q_logits[rows, actions] takes twice as long, and its gradient too."""
    return q_logits.gather(1, actions.view(-1, 1, 1).expand(-1, 1, q_logits.shape[2])).squeeze(1)


def project_distribution(probabilities: Tensor, support: Tensor, rewards: Tensor, discounts: Tensor) -> Tensor:
    """The distribution [B, atoms] over returns, shifted by rewards [B] and scaled by discounts [B], back on the support.

    Source: Bellemare et al. 2017, algorithm 1.
    """
    v_min, v_max, step = support[0], support[-1], support[1] - support[0]
    shifted = (rewards[:, None] + discounts[:, None] * support).clamp(v_min, v_max)
    positions = ((shifted - v_min) / step).clamp(0, len(support) - 1)  # [B, atoms], between two atoms
    lower = positions.floor()
    to_upper = (positions - lower) * probabilities
    projected = torch.zeros_like(probabilities).scatter_add_(1, lower.long(), probabilities - to_upper)
    return projected.scatter_add_(1, (lower.long() + 1).clamp_max(len(support) - 1), to_upper)


class NoisyLinear(nn.Linear):
    """A linear map with new factorised noise on its weights at each pass (Fortunato et al. 2018, section 3.1)."""

    def __init__(self, inputs: int, outputs: int, noise_std: float = 0.5):
        super().__init__(inputs, outputs)
        self.noise_enabled = True
        bound = inputs**-0.5
        self.weight_std = nn.Parameter(torch.full((outputs, inputs), noise_std * bound))
        self.bias_std = nn.Parameter(torch.full((outputs,), noise_std * bound))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if not self.noise_enabled:
            return super().forward(x)
        noise_in, noise_out = (
            scale_noise(torch.randn(n, device=x.device)) for n in (self.in_features, self.out_features)
        )
        weight = self.weight + self.weight_std * torch.outer(noise_out, noise_in)
        return F.linear(x, weight, self.bias + self.bias_std * noise_out)

    def forward_flops(self, inputs, output):
        return 2 * output.numel() * self.in_features


def scale_noise(noise: Tensor) -> Tensor:
    """The f(x) of factorised noise."""
    return noise.sign() * noise.abs().sqrt()


@contextmanager
def without_noise(module: nn.Module) -> Iterator[None]:
    """Within it the noisy layers of a module use the means of their weights."""
    layers = [part for part in module.modules() if isinstance(part, NoisyLinear)]
    for layer in layers:
        layer.noise_enabled = False
    try:
        yield
    finally:
        for layer in layers:
            layer.noise_enabled = True
