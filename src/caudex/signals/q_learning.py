"""Q-learning: what will an action have earned in the end? The signal of DQN, and with all its parts of Rainbow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of
from caudex.signals.policies import layers


class QLearning(Signal):
    """The worth of each of `actions` actions, taught by the reward and by what a slow copy thinks of what came after.

    `double`: the action after is chosen by the network itself (van Hasselt et al. 2016, equation 4). `duelling`: worth of
    the state and advantages apart (Wang et al. 2016, equation 9). `noisy`: weights with learned noise, at first of
    `deviation`, explore (Fortunato et al. 2018). `atoms`: a distribution over so many returns within `span` (Bellemare et
    al. 2017, algorithm 1); the mean counts. The slow copy is renewed `every` steps. Without noise, the chance to act at
    random falls from 1 to `explore` over the first `exploring` of training. Sources: Mnih et al. 2015, algorithm 1; Hessel
    et al. 2018.
    """

    needs = "replay"

    def __init__(
        self, actions: int, hidden: Sequence[int] = (), double: bool = False, dueling: bool = False, noisy: bool = False,
        atoms: int = 1, span: float = 10.0, every: int = 500, explore: float = 0.05, exploration_fraction: float = 0.3,
        deviation: float = 0.5,
    ):  # fmt: skip
        super().__init__()
        self.actions, self.hidden, self.double, self.dueling, self.noisy = actions, hidden, double, dueling, noisy
        self.every, self.final_epsilon, self.exploration_fraction, self.deviation = (
            every,
            explore,
            exploration_fraction,
            deviation,
        )
        self.register_buffer("atoms", torch.linspace(-span, span, atoms) if atoms > 1 else torch.ones(1))

    def build(self, trunk):
        count = len(self.atoms)
        linear = partial(NoisyLinear, deviation=self.deviation) if self.noisy else nn.Linear
        self.advantages = layers(width_of(trunk), self.actions * count, self.hidden, linear)
        self.state = layers(width_of(trunk), count, self.hidden, linear) if self.dueling else None
        self.target = Shadow(
            nn.ModuleList([trunk, self.advantages, *([self.state] if self.dueling else [])]), 0.0, self.every
        )

    def loss(self, trunk, batch):
        scores = self.q_logits(trunk(batch.observations).pooled, self.advantages, self.state)  # [B, K, atoms]
        told = gather_actions(scores, batch.actions)  # [B, atoms]
        with torch.no_grad():
            slow_trunk, *slow_heads = self.target.copy
            after = self.q_logits(slow_trunk(batch.next_observations).pooled, *slow_heads)
            chosen = (
                self.q_logits(trunk(batch.next_observations).pooled, self.advantages, self.state)
                if self.double
                else after
            )
            after = gather_actions(after, self.q_values(chosen).argmax(1))  # [B, atoms]
        if len(self.atoms) == 1:
            targets = batch.rewards + batch.discounts * after.squeeze(1)
            errors = F.smooth_l1_loss(told.squeeze(1), targets, reduction="none")
            examples = (told.squeeze(1) - targets).detach().abs()
        else:
            targets = project_distribution(after.softmax(1), self.atoms, batch.rewards, batch.discounts)
            errors = F.cross_entropy(told, targets, reduction="none")
            examples = errors.detach()
        loss = errors.mean() if batch.weights is None else (errors * batch.weights).mean()
        return SignalOutput(loss, {"value": lambda: self.q_values(scores).amax(1).mean()}, examples)

    def q_logits(self, features: Tensor, advantages: nn.Module, state: nn.Module | None = None) -> Tensor:
        """[B, K, atoms]: worth, or logits of a distribution over worths."""
        made = advantages(features).view(len(features), self.actions, -1)
        if state is None:
            return made
        return state(features).unsqueeze(1) + made - made.mean(1, keepdim=True)

    def q_values(self, scores: Tensor) -> Tensor:
        """[B, K]"""
        return scores.squeeze(2) if len(self.atoms) == 1 else scores.softmax(2) @ self.atoms

    def act(self, trunk: nn.Module, observations: Tensor, greedy: bool = True) -> Tensor:
        """The best actions int64 [B], without noise; or, of a twentieth, any."""
        with quiet(self):
            best = self.q_values(self.q_logits(trunk(observations).pooled, self.advantages, self.state)).argmax(1)
        return best if greedy else self.epsilon_greedy(best, 0.05)

    def explore(self, trunk: nn.Module, observations: Tensor, progress: float) -> Tensor:
        """Actions int64 [B] for learning."""
        best = self.q_values(self.q_logits(trunk(observations).pooled, self.advantages, self.state)).argmax(1)
        chance = 1 + (self.final_epsilon - 1) * min(1.0, progress / self.exploration_fraction)
        return best if self.noisy else self.epsilon_greedy(best, chance)

    def random_actions(self, count: int) -> Tensor:
        """Any actions int64 [count], before learning begins."""
        return torch.randint(self.actions, (count,))

    def epsilon_greedy(self, actions: Tensor, chance: float) -> Tensor:
        wild = torch.rand(len(actions), device=actions.device) < chance
        return torch.where(wild, torch.randint_like(actions, self.actions), actions)


def gather_actions(scores: Tensor, actions: Tensor) -> Tensor:
    """[B, K, atoms] and [B] to [B, atoms]. An index like scores[rows, actions] takes twice as long, and its gradient too."""
    return scores.gather(1, actions.view(-1, 1, 1).expand(-1, 1, scores.shape[2])).squeeze(1)


def project_distribution(shares: Tensor, atoms: Tensor, rewards: Tensor, discounts: Tensor) -> Tensor:
    """The distribution `shares` [B, atoms] over returns, moved by rewards [B] and discounts [B], back on the atoms.

    Source: Bellemare et al. 2017, algorithm 1.
    """
    low, high, step = atoms[0], atoms[-1], atoms[1] - atoms[0]
    moved = (rewards[:, None] + discounts[:, None] * atoms).clamp(low, high)
    places = ((moved - low) / step).clamp(0, len(atoms) - 1)  # [B, atoms], between two atoms
    below = places.floor()
    above = (places - below) * shares
    found = torch.zeros_like(shares).scatter_add_(1, below.long(), shares - above)
    return found.scatter_add_(1, (below.long() + 1).clamp_max(len(atoms) - 1), above)


class NoisyLinear(nn.Linear):
    """A linear map whose weights are drawn anew at each pass, factorised (Fortunato et al. 2018, section 3.1)."""

    def __init__(self, inputs: int, outputs: int, deviation: float = 0.5):
        super().__init__(inputs, outputs)
        self.quiet = False
        bound = inputs**-0.5
        self.weight_deviation = nn.Parameter(torch.full((outputs, inputs), deviation * bound))
        self.bias_deviation = nn.Parameter(torch.full((outputs,), deviation * bound))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if self.quiet:
            return super().forward(x)
        one, other = (scaled(torch.randn(size, device=x.device)) for size in (self.in_features, self.out_features))
        weight = self.weight + self.weight_deviation * torch.outer(other, one)
        return F.linear(x, weight, self.bias + self.bias_deviation * other)

    def forward_flops(self, inputs, output):
        return 2 * output.numel() * self.in_features


def scaled(noise: Tensor) -> Tensor:
    return noise.sign() * noise.abs().sqrt()


class quiet:
    """Within it the noisy layers of a module are without noise."""

    def __init__(self, module: nn.Module):
        self.noisy = [part for part in module.modules() if isinstance(part, NoisyLinear)]

    def __enter__(self):
        for part in self.noisy:
            part.quiet = True

    def __exit__(self, *error):
        for part in self.noisy:
            part.quiet = False
