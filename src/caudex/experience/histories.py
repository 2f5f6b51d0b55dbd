"""On-policy batches of whole trials: what happens in one depends on all that happened before in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from caudex.compute import Passes
from caudex.experience.returns import gae
from caudex.learner import Learner
from caudex.run import derived
from caudex.trunks import Padded
from caudex.worlds.trials import Trials, drawn


class History(NamedTuple):
    """B trials, of M steps together. The observation stands first."""

    observations: Padded  # [B, T, ...]
    actions: Tensor  # int64 [M], or float32 [M, A]
    log_probs: Tensor  # [M], of these actions by the policy that took them
    values: Tensor  # [M], as it thought then
    advantages: Tensor  # [M]
    returns: Tensor  # [M]


class Within:
    """A trunk with memory, as those see it who know of one observation [N, ...] at a time."""

    def __init__(self, trunk: nn.Module):
        self.trunk, self.state = trunk, None

    def __call__(self, x: Tensor):
        found = self.trunk(x.unsqueeze(1), self.state)
        self.state = found.state
        return found._replace(pooled=found.pooled[:, 0])


class Histories:
    """A trial of each of the world's tasks by the learner's signal `name`, then `epochs` passes of batches of whole trials.

    Nothing is cut inside a trial: not the memory, not what a reward is worth later, not the advantage (Duan et al. 2016,
    section 2). Each round has new tasks, which follow from the seed and the round; between rounds nothing is under way.
    The signal tells `draw(features)`, `bounded(actions)` and `judge(features, actions)`, as for `Rollouts`.
    """

    def __init__(
        self,
        trials: Trials,
        learner: Learner,
        name: str,
        batch: int,
        epochs: int,
        gamma: float = 0.99,
        lam: float = 0.3,
        seed: int = 0,
    ):
        self.trials, self.learner, self.name = trials, (learner,), name  # in a tuple: no part of this source
        self.batch, self.epochs, self.gamma, self.lam, self.seed = batch, epochs, gamma, lam, seed
        self.rounds, self.experience, self.waiting, self.ended, self.passes = 0, 0, [], [], Passes()

    @property
    def flops(self) -> float:
        """What acting took."""
        return self.passes.flops

    def __iter__(self):
        return self

    def __next__(self) -> History:
        if not self.waiting:
            self.whole, self.lengths = self.collect()
            self.rounds += 1
            draw = torch.Generator().manual_seed(derived(self.seed, "order", self.rounds))
            for _ in range(self.epochs):
                self.waiting += torch.randperm(self.trials.count, generator=draw).split(self.batch)
        return self.of(self.waiting.pop(0))

    def of(self, rows: Tensor) -> History:
        """The trials of these rows, as far as the longest of them."""
        lengths = self.lengths[rows]
        seen, *parts = (part[rows, : int(lengths.max())] for part in self.whole)
        padded = Padded(seen, lengths)
        return History(padded, *(part[padded.real()] for part in parts))

    @property
    def resting(self) -> bool:
        """No round is half used."""
        return not self.waiting

    @torch.inference_mode()
    def collect(self) -> tuple[list[Tensor], Tensor]:
        """What a `History` has, each [N, T, ...], and the lengths of the trials [N]."""
        (learner,), trials = self.learner, self.trials
        signal, trunk, device = learner.signals[self.name], Within(learner.trunk), next(learner.parameters()).device
        seeds = drawn(derived(self.seed, "tasks", self.rounds), trials.count)
        live, lengths = np.ones(trials.count, bool), np.zeros(trials.count, np.int64)
        seen, features, actions, rewards, ends = [], [], [], [], []
        learner.eval()
        observations = trials.reset(seeds, live)
        while live.any():
            seen.append(torch.from_numpy(observations))
            with self.passes.of("draw", learner, trials.count):
                features.append(trunk(seen[-1].to(device)).pooled)
                actions.append(signal.draw(features[-1]))
            lengths += live
            found = trials.step(signal.bounded(actions[-1]).cpu().numpy())
            rewards.append(np.where(live, found.rewards, 0))
            ends.append(found.terminated)
            live &= ~found.terminated
            observations = found.observations
            if found.terminated.any() and live.any():  # what they do from now on is not learned from
                observations = trials.reset(seeds, found.terminated)
        learner.train()
        actions = torch.stack(actions)  # [T, N]
        with self.passes.of("judge", learner, len(seen) * trials.count):
            log_probs, values = signal.judge(torch.stack(features), actions)  # [T, N]
        own, over = values.cpu().numpy(), np.stack(ends)
        after = np.concatenate([own[1:], own[:1]])  # the last is never asked for: the trial ends there
        advantages = torch.from_numpy(gae(rewards, own, after, over, np.zeros_like(over), self.gamma, self.lam)).to(
            device
        )
        self.ended.append(np.sum(rewards, 0).mean())
        self.experience += int(lengths.sum())
        parts = (torch.stack(seen).to(device), actions, log_probs, values, advantages, advantages + values)
        return [part.transpose(0, 1).contiguous() for part in parts], torch.from_numpy(lengths).to(device)

    def told(self) -> dict[str, float]:
        """Mean return of the trials since it was last asked."""
        ended, self.ended = self.ended, []
        return {"trials/return": float(np.mean(ended))} if ended else {}

    def state_dict(self) -> dict:
        state = {"rounds": self.rounds, "experience": self.experience, "flops": self.flops}
        return state | {"ended": [float(each) for each in self.ended]}

    def load_state_dict(self, state: dict) -> None:
        self.rounds, self.experience, self.ended = state["rounds"], state["experience"], list(state["ended"])
        self.waiting, self.passes.flops = [], state["flops"]
