"""Trust region: the loss and the step of TRPO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import vector_to_parameters

from caudex.core.learner import Learner
from caudex.core.signal import SignalOutput
from caudex.core.specs import ActionSpec
from caudex.signals.policy_gradient import ActorCritic, explained_variance, standardise_advantages
from caudex.trunks import select_rows, twice_differentiable


class TrustRegion(ActorCritic):
    """TRPO: a policy that steps along its natural gradient until its KL divergence from the old one is `target_kl`, and a value.

    `policy_step` takes the policy's step; the loss is that of the value alone, which does not move the policy's trunk.
    Source: Schulman et al. 2015, section 6 and appendix C.
    """

    needs = "rollouts"  # also for `caudex list`, which imports nothing

    def __init__(
        self,
        actions: ActionSpec,
        hidden: Sequence[int] = (),
        target_kl: float = 0.01,
        cg_damping: float = 0.1,
        cg_steps: int = 10,
        baseline: nn.Module | None = None,
    ):
        super().__init__(actions, hidden, baseline=baseline)
        self.target_kl, self.cg_damping, self.cg_steps = target_kl, cg_damping, cg_steps

    def loss(self, trunk, batch):
        x = batch.observations
        values = self.value(self.baseline(x).pooled if self.baseline else trunk(x).pooled.detach())
        metrics = {"explained_variance": lambda: explained_variance(values, batch.returns)}
        return SignalOutput(F.mse_loss(values, batch.returns), metrics)

    def policy_step(self, trunk: nn.Module, batch) -> dict[str, Tensor]:
        """One step of the policy and its trunk; returns the metrics of the step."""
        parameters = [p for part in (trunk, self.policy) for p in part.parameters() if p.requires_grad]
        advantages = standardise_advantages(batch.advantages)
        subsample = select_rows(batch.observations, slice(None, None, 5))  # a fifth suffices for the curvature

        def surrogate() -> Tensor:
            policy = self.policy(trunk(batch.observations).pooled)
            return ((policy.log_prob(batch.actions) - batch.log_probs).exp() * advantages).mean()

        with torch.no_grad():
            old, old_subsample = (self.policy(trunk(x).pooled) for x in (batch.observations, subsample))
        old_surrogate = surrogate()
        gradient = flatten(torch.autograd.grad(old_surrogate, parameters)).double()
        with twice_differentiable():
            kl = old_subsample.kl(self.policy(trunk(subsample).pooled)).mean()
            kl_grads = torch.autograd.grad(kl, parameters, create_graph=True)
        kl_gradient = flatten(kl_grads)

        def fisher_product(vector: Tensor) -> Tensor:  # the gradient of (gradient of KL, vector)
            parts = torch.autograd.grad(kl_gradient @ vector.to(kl_gradient.dtype), parameters, retain_graph=True)
            return flatten(parts).double() + self.cg_damping * vector

        direction = conjugate_gradient(fisher_product, gradient, self.cg_steps)
        full_step = (2 * self.target_kl / (direction @ fisher_product(direction)).clamp_min(1e-12)).sqrt() * direction
        start, kl, new_surrogate = flatten(parameters).detach(), torch.zeros(()), old_surrogate.detach()
        with torch.no_grad():
            for shrinkage in (0.8**j for j in range(10)):  # backtracking line search
                vector_to_parameters(start + (shrinkage * full_step).to(start.dtype), parameters)
                kl, new_surrogate = old.kl(self.policy(trunk(batch.observations).pooled)).mean(), surrogate()
                if new_surrogate > old_surrogate and kl <= self.target_kl:
                    break
            else:
                vector_to_parameters(start, parameters)
                kl, new_surrogate = torch.zeros(()), old_surrogate.detach()
        return {"kl": kl, "surrogate_gain": new_surrogate - old_surrogate.detach(), "entropy": old.entropy().mean()}


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """One vector of all; torch's `parameters_to_vector` does not take weights of convolutions whose channels lie last."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], target: Tensor, steps: int, tolerance: float = 1e-10
) -> Tensor:
    """x with `product(x)` = target (Hestenes and Stiefel 1952)."""
    x, residual = torch.zeros_like(target), target.clone()
    direction, squared_norm = residual.clone(), residual @ residual
    for _ in range(steps):
        if squared_norm < tolerance:
            break
        image = product(direction)
        step = squared_norm / (direction @ image)
        x, residual = x + step * direction, residual - step * image
        squared_norm, previous = residual @ residual, squared_norm
        direction = residual + squared_norm / previous * direction
    return x


def trpo_step(learner: Learner, batches: Mapping, epochs: int = 5, batch: int = 128) -> dict[str, SignalOutput]:
    """What `fit` takes instead of a gradient step: the policy's step on the whole rollout, then `epochs` passes of the value
    over it, in batches of `batch` examples."""
    signal, rollout = learner.signals["policy"], batches["policy"]
    policy_metrics, outputs = signal.policy_step(learner.trunk, rollout), {}
    for _ in range(epochs):
        for rows in torch.randperm(rollout.num_examples).split(batch):
            outputs = learner.step({"policy": rollout.select(rows.to(rollout.actions.device))})
    return {"policy": outputs["policy"]._replace(metrics={**outputs["policy"].metrics, **policy_metrics})}
