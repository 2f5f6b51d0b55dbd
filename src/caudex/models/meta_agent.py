"""What learning to learn leaves: a trunk with memory and a policy that finds its way into new tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import EnvSpec
from caudex.core.trunk import Features, Trunk
from caudex.envs import described
from caudex.envs.meta import trials
from caudex.envs.meta.trials import Played, Trials
from caudex.experience import Within
from caudex.trunks import NatureCNN


class MetaAgent(nn.Module):
    """Observations of trials to actions, by the signal `policy` of a learner whose trunk has memory."""

    def __init__(self, learner: Learner, spec: EnvSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.env, self.sizes, self.spec = spec.env, spec.sizes, spec

    def begin(self, greedy: bool = False) -> Callable[[np.ndarray], np.ndarray]:
        """What turns observations [N, ...] of trials that begin now into actions, and remembers."""
        self.eval()
        trunk, policy, device = Within(self.trunk), self.signals["policy"], next(self.parameters()).device

        @torch.inference_mode()
        def act(observations: np.ndarray) -> np.ndarray:
            return policy.act(trunk, torch.from_numpy(observations).to(device), greedy).cpu().numpy()

        return act

    def tasks(self, count: int, env: str | None = None, **changed) -> Trials:
        """New tasks, such that none of them was learned from, of another environment or with other settings of it.

        Raises CaudexError where these have other observations or actions than those learned from.
        """
        env = env or self.env
        made = trials.make(env, count, test=True, **(self.sizes if env == self.env else {}) | changed)
        spec = EnvSpec(env, made.family.observation.shape, made.actions)
        if (spec.shape, spec.actions) != (self.spec.shape, self.spec.actions):
            given = ", ".join(f"{name} {value}" for name, value in changed.items())
            raise CaudexError(
                f"{env} with {given or 'these tasks'}: {described(spec)}; the agent learned with {described(self.spec)}. What "
                "it sees and does must stay; pulls, horizon, episodes, size and limit can change."
            )
        return made

    def play(self, count: int = 1000, seed: int = 0, greedy: bool = False, together: int = 10_000, **changed) -> Played:
        """A trial of each of `count` new tasks; the same seed has the same."""
        seeds = trials.drawn(seed, count)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = []
            for some in np.array_split(seeds, -(-count // together)):
                parts.append(trials.play(self.tasks(len(some), **changed), self.begin(greedy), some))
        return Played(*map(np.concatenate, zip(*parts)))


class Observed(Trunk):
    """What a trial shows, [N, ...] of `shape`, and what came before, as one vector: images go through convolutions.

    The first takes tiles of 4 x 4 pixels: a third of the time of two of 5 x 5 with stride 2, which are published.
    """

    def __init__(self, shape: tuple[int, ...], before: int, width: int = 64):
        super().__init__()
        self.shape, self.eye = shape, NatureCNN(shape, width, ((16, 4, 4), (32, 3, 2))) if len(shape) == 3 else None
        self.width = (width if self.eye else int(np.prod(shape))) + before

    def forward(self, x: Tensor, state: Any = None) -> Features:
        if self.eye is None:
            return Features(x)
        shown, before = trials.seen(x, self.shape)
        return Features(torch.cat([self.eye(shown).pooled, before], -1))

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.eye.flops(self.shape) if self.eye else 0.0
