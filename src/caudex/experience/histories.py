"""On-policy batches of whole trials: what happens in a trial depends on all that happened before in it."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.seeds import derive_seed
from caudex.core.source import Source
from caudex.core.typed_json import Amount, Count, check_kind
from caudex.envs.meta.trials import Trials, sample_task_seeds, split_observations
from caudex.experience.gae import gae
from caudex.experience.reward_normalizer import RewardNormalizer
from caudex.trunks import PaddedSequences

COMPACT_BELOW = 0.75
"""share of running trials among those encoded below which the finished ones are dropped: that costs a copy of the others' memory"""


class History(NamedTuple):
    """B trials, of M steps together. The observation stands first."""

    observations: PaddedSequences  # [B, T, ...]
    actions: Tensor  # int64 [M], or float32 [M, A]
    log_probs: Tensor  # [M], of these actions under the policy that took them
    values: Tensor  # [M], its estimates then
    advantages: Tensor  # [M]
    returns: Tensor  # [M]
    rewards: Tensor  # [M]

    @property
    def num_examples(self) -> int:
        return len(self.observations.lengths)

    def select(self, rows: Tensor) -> History:
        """The trials int64 [R], as far as the longest of them."""
        lengths = self.observations.lengths
        longest, begins = int(lengths[rows].max()), (lengths.cumsum(0) - lengths)[rows]
        observations = PaddedSequences(self.observations.values[rows, :longest], lengths[rows])
        steps = (begins[:, None] + torch.arange(longest, device=rows.device))[observations.mask()]
        return History(observations, *(part[steps] for part in self[1:]))

    def next_task_observations(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The task's next observations, [L, *shape], and the steps that have one: bool [M], L of them true. The last step of a
        trial has none."""
        values, real = self.observations.values, self.observations.mask()
        has_next = torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], 1)
        return split_observations(values[:, 1:][real[:, 1:]], shape).task_observation, has_next[real]


def scatter_rows(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """[count, ...] with values [R, ...] at these rows, and 0 in the others."""
    if len(rows) == count:
        return values
    return values.new_zeros(count, *values.shape[1:]).index_copy_(0, rows, values)


class StatefulTrunk:
    """A trunk with memory, called with one observation [N, ...] at a time; it keeps the state in between."""

    def __init__(self, trunk: nn.Module):
        self.trunk, self.state = trunk, None

    def __call__(self, x: Tensor):
        if self.state is None:
            self.state = self.trunk.initial_state(len(x))
        features = self.trunk(x.unsqueeze(1), self.state)
        self.state = features.state
        return features._replace(pooled=features.pooled[:, 0])

    def select(self, rows: Tensor) -> None:
        """Go on with the sequences int64 [R] alone."""
        self.state = self.trunk.select_rows(self.state, rows)


class HistoriesState(TypedDict):
    rounds: Count
    env_steps: Count
    flops: Amount
    mean_returns: list[float]
    reward_normalizer: dict


class Histories(Source):
    """A trial of each task by the learner's signal `name`, then `epochs` passes of batches of whole trials.

    Nothing is cut inside a trial: neither the memory, nor the discounting, nor the advantage (Duan et al. 2016, section 2).
    Rewards are divided by the standard deviation of the discounted return: in long trials values are large, and learning them
    would drown the policy. `gae_lambda` rises to 1 as training goes: it keeps advantages from noise at the cost of a bias,
    which in the end turned policies away from exploring. Each round has new tasks, which follow from the seed and the round;
    between rounds nothing is under way. The signal has `sample(features)`, `clip_actions(actions)` and
    `evaluate_actions(features, actions, baseline_features)`, as for `Rollouts`; the features of its `baseline`, where it
    has one, are computed in one call and not step by step.
    """

    sample_unit = "env steps"

    def __init__(
        self,
        trials: Trials,
        learner: Learner,
        name: str,
        batch: int,
        epochs: int,
        gamma: float = 0.99,
        gae_lambda: float = 0.3,
        seed: int = 0,
    ):
        num_tasks, space = trials.num_envs, trials.observation_space
        longest = trials.num_episodes * trials.family.max_episode_steps
        check_memory("--tasks", num_tasks, 2.0 * num_tasks * longest * np.prod(space.shape) * space.dtype.itemsize)
        self.trials, self.learner, self.name = trials, (learner,), name  # in a tuple: no part of this source
        self.batch, self.epochs, self.gamma, self.gae_lambda, self.seed = batch, epochs, gamma, gae_lambda, seed
        self.rounds, self.env_steps, self.round_steps = 0, 0, 0
        self.pending_rows, self.mean_returns, self.pass_counter = [], [], PassCounter()
        self.reward_normalizer = RewardNormalizer(num_tasks, gamma)

    @property
    def flops(self) -> float:
        """Of acting."""
        return self.pass_counter.flops

    @property
    def samples_seen(self) -> int:
        """Steps that were learned from: a budget of them ends with a round's last batch, not with its first."""
        batches_per_epoch = -(-self.trials.num_envs // self.batch)
        return self.env_steps - len(self.pending_rows) * self.round_steps // (self.epochs * batches_per_epoch)

    def __next__(self) -> History:
        if not self.pending_rows:
            self.history = self.collect()
            self.rounds += 1
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.rounds))
            for _ in range(self.epochs):
                self.pending_rows += torch.randperm(self.trials.num_envs, generator=generator).split(self.batch)
        return self.history.select(self.pending_rows.pop(0).to(self.history.actions.device))

    @property
    def can_checkpoint(self) -> bool:
        """No round is half used."""
        return not self.pending_rows

    @torch.inference_mode()
    def collect(self) -> History:
        """A trial of each task."""
        (learner,), trials, num_tasks = self.learner, self.trials, self.trials.num_envs
        signal, trunk = learner.signals[self.name], StatefulTrunk(learner.trunk)
        device = learner.device
        seeds = sample_task_seeds(derive_seed(self.seed, "tasks", self.rounds), num_tasks)
        live, lengths = np.ones(num_tasks, bool), np.zeros(num_tasks, np.int64)
        rows = torch.arange(num_tasks, device=device)  # of the trials that go on, and of some that have ended
        observed, features, actions, rewards, terminated = [], [], [], [], []
        learner.eval()
        observations = trials.reset(seeds, live)
        while live.any():
            observed.append(torch.from_numpy(observations))
            if live.sum() < COMPACT_BELOW * len(rows):
                live_rows = torch.from_numpy(live).to(device)[rows]
                trunk.select(live_rows.nonzero()[:, 0])
                rows = rows[live_rows]
            with self.pass_counter.count_pass(f"sample {len(actions)}", learner, len(rows)):  # attention grows
                row_features = trunk(observed[-1].to(device)[rows]).pooled
                row_actions = signal.sample(row_features)
            features.append(scatter_rows(row_features, rows, num_tasks))
            actions.append(scatter_rows(row_actions, rows, num_tasks))
            lengths += live
            step = trials.step(signal.clip_actions(actions[-1]).cpu().numpy())
            rewards.append(np.where(live, step.rewards, 0))
            terminated.append(step.terminated)
            live &= ~step.terminated
            observations = step.observations
            if step.terminated.any() and live.any():  # what they do from now on is not learned from
                observations = trials.reset(seeds, step.terminated)
        observed, features, actions = (torch.stack(part, 1).to(device) for part in (observed, features, actions))
        with self.pass_counter.count_pass("evaluate_actions", learner, observed.shape[1] * num_tasks):
            baseline_features = signal.baseline and torch.cat(
                [signal.baseline(part).pooled for part in observed.split(self.batch)]
            )
            log_probs, values = signal.evaluate_actions(features, actions, baseline_features)  # [N, T]
        learner.train()
        rewards, terminated = np.stack(rewards), np.stack(terminated)  # [T, N]
        advantages = self._advantages(rewards, values.T.cpu().numpy(), terminated)
        advantages, rewards_tensor = (torch.from_numpy(a).to(device, values.dtype).T for a in (advantages, rewards))
        self.mean_returns.append(rewards.sum(0).mean())
        self.round_steps = int(lengths.sum())
        self.env_steps += self.round_steps
        padded = PaddedSequences(observed, torch.from_numpy(lengths).to(device))
        parts = (actions, log_probs, values, advantages, advantages + values, rewards_tensor)
        return History(padded, *(part[padded.mask()] for part in parts))

    def _advantages(self, rewards: np.ndarray, values: np.ndarray, terminated: np.ndarray) -> np.ndarray:
        next_values = np.concatenate([values[1:], values[:1]])  # the last is not used: the trial ends there
        gae_lambda = self.gae_lambda + (1 - self.gae_lambda) * self.learner[0].progress
        normalized, truncated = self.reward_normalizer(rewards, terminated), np.zeros_like(terminated)
        return gae(normalized, values, next_values, terminated, truncated, self.gamma, gae_lambda)

    def metrics(self) -> dict[str, float]:
        """Mean return of the trials since the last call."""
        mean_returns, self.mean_returns = self.mean_returns, []
        return {"trials/return": float(np.mean(mean_returns))} if mean_returns else {}

    def state_dict(self) -> dict:
        return {
            "rounds": self.rounds,
            "env_steps": self.env_steps,
            "flops": self.flops,
            "mean_returns": [float(mean) for mean in self.mean_returns],
            "reward_normalizer": self.reward_normalizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, HistoriesState)
        self.rounds, self.env_steps, self.mean_returns = (
            state["rounds"],
            state["env_steps"],
            list(state["mean_returns"]),
        )
        self.pending_rows, self.pass_counter.flops = [], state["flops"]
        self.reward_normalizer.load_state_dict(state["reward_normalizer"])
