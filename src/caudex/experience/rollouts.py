"""On-policy batches: act for a while in every environment, then learn from that alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.source import Source
from caudex.experience.gae import Scale, gae
from caudex.experience.runner import EnvRunner


class Rollout(NamedTuple):
    """The observation stands first."""

    observations: Tensor  # [B, ...]
    actions: Tensor  # int64 [B], or float32 [B, A], as drawn: not cut to the environment's bounds
    log_probs: Tensor  # [B], of these actions by the policy that took them
    values: Tensor  # [B], as it thought then
    advantages: Tensor  # [B]
    returns: Tensor  # [B]: advantages + values

    @property
    def examples(self) -> int:
        return len(self.actions)

    def of(self, rows: Tensor) -> Rollout:
        """The steps int64 [R]."""
        return Rollout(*(part[rows] for part in self))


class Rollouts(Source):
    """Act for `horizon` steps in every environment by the learner's signal `name`, then give `epochs` passes of shuffled batches.

    The signal tells `draw(features)`, actions for what the trunk makes of what is seen; `bounded(actions)`, what the environment
    takes; and, of a whole rollout at once, `judge(features, actions)`, log-probabilities and values, and `worth(features)`.
    Advantages by `gae`; `scaled` rewards are over the deviation of their discounted sum. Where the trunk has statistics of
    observations, they learn of each rollout after it was used, unless someone else tells them (`observing`).
    """

    def __init__(
        self,
        runner: EnvRunner,
        learner: Learner,
        name: str,
        horizon: int,
        batch: int,
        epochs: int,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        scaled: bool = False,
        observing: bool = True,
        seed: int = 0,
    ):
        self.runner, self.learner, self.name = runner, (learner,), name  # in a tuple: no part of this source
        self.horizon, self.batch, self.epochs, self.gamma, self.gae_lambda = horizon, batch, epochs, gamma, gae_lambda
        self.scale = Scale(runner.env.count, gamma) if scaled else None
        self.update_statistics = getattr(learner.trunk, "update_statistics", None) if observing else None
        self.steps = horizon * runner.env.count
        check_memory("--horizon", horizon, 2.0 * horizon * runner.observations.nbytes)  # as it is filled, there are two
        self.batches = -(-self.steps // batch)
        self.generator = torch.Generator().manual_seed(seed)
        self.acted, self.whole, self.passes = 0, None, PassCounter()
        self.left, self.waiting = 0, []  # epochs of the whole that are still to come, batches of the one that is on

    @property
    def flops(self) -> float:
        """Of acting."""
        return self.passes.flops

    @property
    def samples_seen(self) -> int:
        """Steps that were learned from: a budget of them ends with a rollout's last batch, not with its first."""
        return self.acted - (len(self.waiting) + self.left * self.batches) * self.steps // (self.epochs * self.batches)

    def __next__(self) -> Rollout:
        if self.can_checkpoint:
            if self.whole is not None and self.update_statistics:
                self.update_statistics(self.whole.observations)
            self.whole, self.left = self.collect(), self.epochs
        if not self.waiting:
            self.left -= 1
            order = torch.randperm(len(self.whole.actions), generator=self.generator)
            parts = (part[order].split(self.batch) for part in self.whole)
            self.waiting = [Rollout(*each) for each in zip(*parts)]
        return self.waiting.pop(0)

    @property
    def can_checkpoint(self) -> bool:
        """No rollout is half used."""
        return not (self.left or self.waiting)

    @torch.inference_mode()
    def collect(self) -> Rollout:
        (learner,) = self.learner
        trunk, signal, runner = learner.trunk, learner.signals[self.name], self.runner
        device = next(learner.parameters()).device
        count, features, actions = runner.env.count, [], []
        seen = np.empty((self.horizon, count, *runner.shape), runner.observations.dtype)
        rewards, next_values = np.empty((2, self.horizon, count))
        terminated, truncated = np.zeros((2, self.horizon, count), bool)
        late = []  # (when, which environments, what they showed) where only the time was up
        learner.eval()
        for t in range(self.horizon):
            seen[t] = runner.observations
            with self.passes.count_pass("sample", learner, count):
                features.append(trunk(torch.from_numpy(runner.observations).to(device)).pooled)
                actions.append(signal.sample(features[t]))
            lived = runner.step(signal.clip_actions(actions[t]).cpu().numpy())
            rewards[t], terminated[t], truncated[t] = lived.rewards, lived.terminated, lived.truncated
            if lived.truncated.any():
                late.append((t, lived.truncated, lived.next_observations[lived.truncated]))
        features, actions = torch.stack(features), torch.stack(actions)
        with self.passes.count_pass("evaluate_actions", learner, self.horizon * count):
            log_probs, values = signal.evaluate_actions(
                features, actions
            )  # [T, N], at once: small batches pay for each pass
        ends = np.concatenate([runner.observations, *(shown for _, _, shown in late)])
        with self.passes.count_pass("value", learner, len(ends)):
            told = signal.value(trunk(torch.from_numpy(ends).to(device)).pooled).cpu().numpy()
        own = values.cpu().numpy()
        next_values[:-1], next_values[-1] = own[1:], told[:count]
        told = told[count:]
        for t, which, shown in late:
            next_values[t, which], told = told[: len(shown)], told[len(shown) :]
        learner.train()
        if self.scale:
            rewards = self.scale(rewards, terminated | truncated)
        advantages = gae(rewards, own, next_values, terminated, truncated, self.gamma, self.gae_lambda)
        advantages = torch.from_numpy(advantages).to(device)
        self.acted += self.steps
        observations = torch.from_numpy(seen).to(device)
        parts = (observations, actions, log_probs, values, advantages, advantages + values)
        return Rollout(*(part.flatten(0, 1) for part in parts))

    def metrics(self) -> dict[str, float]:
        return self.runner.metrics()

    def state_dict(self) -> dict:
        state = {"acting": self.runner.state_dict(), "acted": self.acted, "flops": self.flops}
        state["generator"] = self.generator.get_state()
        state["observed"] = self.whole.observations if self.whole is not None and self.update_statistics else None
        return state | ({"scale": self.scale.state_dict()} if self.scale else {})

    def load_state_dict(self, state: dict) -> None:
        self.runner.load_state_dict(state["acting"])
        self.acted, self.left, self.waiting = state["acted"], 0, []
        self.passes.flops = state["flops"]
        self.generator.set_state(state["generator"])
        if state["observed"] is not None:
            self.whole = Rollout(state["observed"], *[None] * 5)
        if self.scale:
            self.scale.load_state_dict(state["scale"])
