"""Trust region: the best step of a policy that changes it by so much and no more. The signal of TRPO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from caudex.core.learner import Learner
from caudex.core.signal import SignalOutput
from caudex.signals.policy_gradient import ActorCritic, explained, standardised
from caudex.trunks import chosen, twice_differentiable


class TrustRegion(ActorCritic):
    """A policy that is moved along its natural gradient until it differs from the old one by `size` nats, and a value.

    `improve` takes the policy's step; the loss is that of the value alone, which does not move the policy's trunk.
    Source: Schulman et al. 2015, section 6 and appendix C.
    """

    needs = "rollouts"  # also for `caudex list`, which imports nothing

    def __init__(
        self,
        actions: Mapping,
        hidden: Sequence[int] = (),
        size: float = 0.01,
        damping: float = 0.1,
        rounds: int = 10,
        baseline: nn.Module | None = None,
    ):
        super().__init__(actions, hidden, baseline=baseline)
        self.size, self.damping, self.rounds = size, damping, rounds

    def loss(self, trunk, batch):
        seen = batch.observations
        values = self.value(self.baseline(seen).pooled if self.baseline else trunk(seen).pooled.detach())
        return SignalOutput(F.mse_loss(values, batch.returns), {"explained": lambda: explained(values, batch.returns)})

    def improve(self, trunk: nn.Module, batch) -> dict[str, Tensor]:
        """One step of the policy, and of the trunk with it; figures of it."""
        parameters = [p for part in (trunk, self.policy) for p in part.parameters() if p.requires_grad]
        advantages = standardised(batch.advantages)
        some = chosen(batch.observations, slice(None, None, 5))  # a fifth tells the curvature

        def gain() -> Tensor:
            policy = self.policy(trunk(batch.observations).pooled)
            return ((policy.log_prob(batch.actions) - batch.log_probs).exp() * advantages).mean()

        with torch.no_grad():
            old, old_some = (self.policy(trunk(seen).pooled) for seen in (batch.observations, some))
        before = gain()
        gradient = parameters_to_vector(torch.autograd.grad(before, parameters)).double()
        with twice_differentiable():
            apart = old_some.kl(self.policy(trunk(some).pooled)).mean()
            slopes = torch.autograd.grad(apart, parameters, create_graph=True)
        slope = torch.cat([part.flatten() for part in slopes])

        def curved(vector: Tensor) -> Tensor:  # the Fisher matrix times it: the gradient of (gradient of KL, vector)
            parts = torch.autograd.grad(slope @ vector.to(slope.dtype), parameters, retain_graph=True)
            return torch.cat([part.flatten() for part in parts]).double() + self.damping * vector

        direction = solved(curved, gradient, self.rounds)
        whole = (2 * self.size / (direction @ curved(direction)).clamp_min(1e-12)).sqrt() * direction
        start, apart, after = parameters_to_vector(parameters).detach(), torch.zeros(()), before.detach()
        with torch.no_grad():
            for shorter in (0.8**j for j in range(10)):
                vector_to_parameters(start + (shorter * whole).to(start.dtype), parameters)
                apart, after = old.kl(self.policy(trunk(batch.observations).pooled)).mean(), gain()
                if after > before and apart <= self.size:
                    break
            else:
                vector_to_parameters(start, parameters)
                apart, after = torch.zeros(()), before.detach()
        return {"kl": apart, "gain": after - before.detach(), "entropy": old.entropy().mean()}


def solved(product: Callable[[Tensor], Tensor], right: Tensor, rounds: int, least: float = 1e-10) -> Tensor:
    """x with `product(x)` = right, by conjugate gradients (Hestenes and Stiefel 1952)."""
    x, rest = torch.zeros_like(right), right.clone()
    way, size = rest.clone(), rest @ rest
    for _ in range(rounds):
        if size < least:
            break
        moved = product(way)
        step = size / (way @ moved)
        x, rest = x + step * way, rest - step * moved
        size, before = rest @ rest, size
        way = rest + size / before * way
    return x


def by_trust_region(learner: Learner, batches: Mapping, epochs: int = 5, batch: int = 128) -> dict[str, SignalOutput]:
    """The policy's step on all that was lived through, then passes for the value, in batches of so many examples: what `fit`
    takes instead of a gradient step."""
    signal, whole = learner.signals["policy"], batches["policy"]
    figures, said = signal.improve(learner.trunk, whole), {}
    for _ in range(epochs):
        for rows in torch.randperm(whole.examples).split(batch):
            said = learner.step({"policy": whole.of(rows.to(whole.actions.device))})
    return {"policy": said["policy"]._replace(metrics={**said["policy"].metrics, **figures})}
