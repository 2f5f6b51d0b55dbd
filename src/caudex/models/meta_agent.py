"""The result of learning to learn: a trunk with memory and a policy that adapts to new tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import EnvSpec
from caudex.core.trunk import Features, Trunk
from caudex.envs import Policy, describe_spaces
from caudex.envs.meta.trials import (
    Trials,
    TrialStatistics,
    make_trials,
    play_trials,
    sample_task_seeds,
    split_observations,
)
from caudex.experience import StatefulTrunk
from caudex.trunks import NatureCNN


class MetaAgent(nn.Module):
    """Observations of trials to actions, by the signal `policy` of a learner whose trunk has memory."""

    def __init__(self, learner: Learner, spec: EnvSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.env, self.sizes, self.spec = spec.env, spec.sizes, spec

    def make_policy(self, greedy: bool = False) -> Policy:
        """A policy with a fresh memory, for trials that begin now: observations [N, ...] to actions."""
        self.eval()
        trunk, policy, device = StatefulTrunk(self.trunk), self.signals["policy"], next(self.parameters()).device

        @torch.inference_mode()
        def act(observations: np.ndarray) -> np.ndarray:
            return policy.act(trunk, torch.from_numpy(observations).to(device), greedy).cpu().numpy()

        return act

    def make_trials(self, num_tasks: int, env: str | None = None, **settings) -> Trials:
        """New tasks, none of which was learned from; of another environment or with other settings where given.

        Raises CaudexError where their observations or actions differ from those learned from.
        """
        env = env or self.env
        trials = make_trials(env, num_tasks, test=True, **(self.sizes if env == self.env else {}) | settings)
        spec = EnvSpec(env, trials.family.observation_space.shape, trials.actions)
        if (spec.shape, spec.actions) != (self.spec.shape, self.spec.actions):
            words = ", ".join(f"{name} {value}" for name, value in settings.items())
            raise CaudexError(
                f"{env} with {words or 'these tasks'}: {describe_spaces(spec)}; the agent learned with "
                f"{describe_spaces(self.spec)}. What it sees and does must stay; pulls, horizon, episodes, size and limit "
                "can change."
            )
        return trials

    def play(
        self, num_tasks: int = 1000, seed: int = 0, greedy: bool = False, chunk_size: int = 10_000, **settings
    ) -> TrialStatistics:
        """A trial of each of `num_tasks` new tasks; the same seed gives the same tasks."""
        seeds = sample_task_seeds(seed, num_tasks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = []
            for chunk in np.array_split(seeds, -(-num_tasks // chunk_size)):
                parts.append(play_trials(self.make_trials(len(chunk), **settings), self.make_policy(greedy), chunk))
        return TrialStatistics(*map(np.concatenate, zip(*parts)))


class TrialEncoder(Trunk):
    """The task's observation, [N, ...] of `shape`, and the feedback on the last step, as one vector; images go through
    convolutions.

    The first takes tiles of 4 x 4 pixels: a third of the time of two of 5 x 5 with stride 2, which are published.
    """

    def __init__(self, shape: tuple[int, ...], feedback_size: int, width: int = 64):
        super().__init__()
        self.shape, self.encoder = shape, NatureCNN(shape, width, ((16, 4, 4), (32, 3, 2))) if len(shape) == 3 else None
        self.width = (width if self.encoder else int(np.prod(shape))) + feedback_size

    def forward(self, x: Tensor, state: Any = None) -> Features:
        if self.encoder is None:
            return Features(x)
        task_observation, feedback = split_observations(x, self.shape)
        return Features(torch.cat([self.encoder(task_observation).pooled, feedback], -1))

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.encoder.flops(self.shape) if self.encoder else 0.0
