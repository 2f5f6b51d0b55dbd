"""What learning to learn leaves: a trunk with memory and a policy that finds its way into new tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caudex.experience import Within
from caudex.learner import Learner
from caudex.trunks import Features, Nature, Trunk
from caudex.worlds import trials
from caudex.worlds.trials import Played, Trials


class Agent(nn.Module):
    """Observations of trials to actions, by the signal `policy` of a learner whose trunk has memory."""

    def __init__(self, learner: Learner, facts: dict):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.world, self.settings = facts["world"], facts["settings"]

    def begin(self, greedy: bool = False) -> Callable[[np.ndarray], np.ndarray]:
        """What turns observations [N, ...] of trials that begin now into actions, and remembers."""
        self.eval()
        trunk, policy, device = Within(self.trunk), self.signals["policy"], next(self.parameters()).device

        @torch.inference_mode()
        def act(observations: np.ndarray) -> np.ndarray:
            return policy.act(trunk, torch.from_numpy(observations).to(device), greedy).cpu().numpy()

        return act

    def tasks(self, count: int, **changed) -> Trials:
        """New tasks, such that none of them was learned from; `changed` settings of the world."""
        return trials.make(self.world, count, test=True, **self.settings | changed)

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
    """What a trial shows, [N, ...] of `shape`, and what came before, as one vector: pictures go through convolutions."""

    def __init__(self, shape: tuple[int, ...], before: int, width: int = 128):
        super().__init__()
        self.shape, self.eye = shape, Nature(shape, width, ((16, 5, 2), (16, 5, 2))) if len(shape) == 3 else None
        self.width = (width if self.eye else int(np.prod(shape))) + before

    def forward(self, x: Tensor, state: Any = None) -> Features:
        if self.eye is None:
            return Features(x)
        shown, before = trials.seen(x, self.shape)
        return Features(torch.cat([self.eye(shown).pooled, before], -1))

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.eye.flops(self.shape) if self.eye else 0.0
