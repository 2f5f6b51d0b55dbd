"""On-policy batches: act for `horizon` steps in every environment, then learn from these steps alone."""

from __future__ import annotations

from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.source import Source
from caudex.core.typed_json import Amount, Count, check_kind
from caudex.core.weights import check_tensor
from caudex.experience.gae import gae
from caudex.experience.reward_normalizer import RewardNormalizer
from caudex.experience.runner import EnvRunner


class Rollout(NamedTuple):
    """The observation stands first."""

    observations: Tensor  # [B, ...]
    actions: Tensor  # int64 [B], or float32 [B, A], as sampled: not clipped to the bounds of the action space
    log_probs: Tensor  # [B], of these actions under the policy that took them
    values: Tensor  # [B], its estimates then
    advantages: Tensor  # [B]
    returns: Tensor  # [B]: advantages + values

    @property
    def num_examples(self) -> int:
        return len(self.actions)

    def select(self, rows: Tensor) -> Rollout:
        """The steps int64 [R]."""
        return Rollout(*(part[rows] for part in self))


class RolloutsState(TypedDict):
    runner: dict
    env_steps: Count
    flops: Amount
    generator: Tensor
    unobserved: Tensor | None
    reward_normalizer: NotRequired[dict]


class Rollouts(Source):
    """Act for `horizon` steps in every environment by the learner's signal `name`, then give `epochs` passes of shuffled batches.

    The signal has `sample(features)`, actions from the trunk's features; `clip_actions(actions)`, what the environment takes;
    and, of a whole rollout at once, `evaluate_actions(features, actions)`, log-probabilities and values, and
    `value(features)`. Advantages are those of `gae`; with `normalize_rewards`, rewards are divided by the standard deviation
    of the discounted return. A trunk that standardises observations updates its statistics with each rollout after it was
    used, unless `update_statistics` is False.
    """

    sample_unit = "env steps"

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
        normalize_rewards: bool = False,
        update_statistics: bool = True,
        seed: int = 0,
    ):
        num_envs = runner.env.num_envs
        self.runner, self.learner, self.name = runner, (learner,), name  # in a tuple: no part of this source
        self.horizon, self.batch, self.epochs, self.gamma, self.gae_lambda = horizon, batch, epochs, gamma, gae_lambda
        self.reward_normalizer = RewardNormalizer(num_envs, gamma) if normalize_rewards else None
        self.update_statistics = getattr(learner.trunk, "update_statistics", None) if update_statistics else None
        self.rollout_size = horizon * num_envs
        check_memory("--horizon", horizon, 2.0 * horizon * runner.observations.nbytes)  # as it is filled, there are two
        self.batches_per_epoch = -(-self.rollout_size // batch)
        self.generator = torch.Generator().manual_seed(seed)
        self.env_steps, self.rollout, self.pass_counter = 0, None, PassCounter()
        self.epochs_left, self.pending_batches = 0, []  # of the rollout; of the current epoch

    @property
    def flops(self) -> float:
        """Of acting."""
        return self.pass_counter.flops

    @property
    def samples_seen(self) -> int:
        """Steps that were learned from: a budget of them ends with a rollout's last batch, not with its first."""
        batches_left = len(self.pending_batches) + self.epochs_left * self.batches_per_epoch
        return self.env_steps - batches_left * self.rollout_size // (self.epochs * self.batches_per_epoch)

    def __next__(self) -> Rollout:
        if self.can_checkpoint:
            if self.rollout is not None and self.update_statistics:
                self.update_statistics(self.rollout.observations)
            self.rollout, self.epochs_left = self.collect(), self.epochs
        if not self.pending_batches:
            self.epochs_left -= 1
            order = torch.randperm(len(self.rollout.actions), generator=self.generator)
            parts = (part[order].split(self.batch) for part in self.rollout)
            self.pending_batches = [Rollout(*batch) for batch in zip(*parts)]
        return self.pending_batches.pop(0)

    @property
    def can_checkpoint(self) -> bool:
        """No rollout is half used."""
        return not (self.epochs_left or self.pending_batches)

    @torch.inference_mode()
    def collect(self) -> Rollout:
        """Act for `horizon` steps in every environment."""
        (learner,) = self.learner
        trunk, signal, runner = learner.trunk, learner.signals[self.name], self.runner
        device = learner.device
        num_envs, features, actions = runner.env.num_envs, [], []
        observations = np.empty((self.horizon, num_envs, *runner.observation_shape), runner.observations.dtype)
        rewards, next_values = np.empty((2, self.horizon, num_envs))
        terminated, truncated = np.zeros((2, self.horizon, num_envs), bool)
        cut_off = []  # (t, truncated [N], final observations), which bootstrap
        learner.eval()
        for t in range(self.horizon):
            observations[t] = runner.observations
            with self.pass_counter.count_pass("sample", learner, num_envs):
                features.append(trunk(torch.from_numpy(runner.observations).to(device)).pooled)
                actions.append(signal.sample(features[t]))
            step = runner.step(signal.clip_actions(actions[t]).cpu().numpy())
            rewards[t], terminated[t], truncated[t] = step.rewards, step.terminated, step.truncated
            if step.truncated.any():
                cut_off.append((t, step.truncated, step.next_observations[step.truncated]))
        features, actions = torch.stack(features), torch.stack(actions)
        with self.pass_counter.count_pass("evaluate_actions", learner, self.horizon * num_envs):
            # [T, N], at once: small batches pay for each pass
            log_probs, values = signal.evaluate_actions(features, actions)
        last_observations = np.concatenate([runner.observations, *(final for _, _, final in cut_off)])
        with self.pass_counter.count_pass("value", learner, len(last_observations)):
            last_features = trunk(torch.from_numpy(last_observations).to(device)).pooled
            last_values = signal.value(last_features).cpu().numpy()
        values_array = values.cpu().numpy()
        next_values[:-1], next_values[-1] = values_array[1:], last_values[:num_envs]
        final_values = last_values[num_envs:]
        for t, mask, final in cut_off:
            next_values[t, mask], final_values = final_values[: len(final)], final_values[len(final) :]
        learner.train()
        if self.reward_normalizer:
            rewards = self.reward_normalizer(rewards, terminated | truncated)
        advantages = gae(rewards, values_array, next_values, terminated, truncated, self.gamma, self.gae_lambda)
        advantages = torch.from_numpy(advantages).to(device)
        self.env_steps += self.rollout_size
        observations = torch.from_numpy(observations).to(device)
        parts = (observations, actions, log_probs, values, advantages, advantages + values)
        return Rollout(*(part.flatten(0, 1) for part in parts))

    def metrics(self) -> dict[str, float]:
        return self.runner.metrics()

    def state_dict(self) -> dict:
        state = {"runner": self.runner.state_dict(), "env_steps": self.env_steps, "flops": self.flops}
        state["generator"] = self.generator.get_state()
        state["unobserved"] = self.rollout.observations if self.rollout is not None and self.update_statistics else None
        normalizer = self.reward_normalizer
        return state | ({"reward_normalizer": normalizer.state_dict()} if normalizer else {})

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, RolloutsState)
        self.runner.load_state_dict(state["runner"])
        self.env_steps, self.epochs_left, self.pending_batches = state["env_steps"], 0, []
        self.pass_counter.flops = state["flops"]
        check_tensor("generator", state["generator"], torch.uint8, self.generator.get_state().shape)
        self.generator.set_state(state["generator"])
        if state["unobserved"] is not None:  # the trunk's statistics are updated with it before the next rollout
            shape = (self.rollout_size, *self.runner.observation_shape)
            check_tensor("unobserved", state["unobserved"], torch.from_numpy(self.runner.observations).dtype, shape)
            self.rollout = Rollout(state["unobserved"], *[None] * 5)
        if self.reward_normalizer:
            self.reward_normalizer.load_state_dict(state.get("reward_normalizer", {}))
