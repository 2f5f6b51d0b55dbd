"""On-policy batches of whole trials: what happens in one depends on all that happened before in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.seeds import derive_seed
from caudex.core.source import Source
from caudex.envs.meta.trials import Trials, drawn, seen
from caudex.experience.gae import Scale, gae
from caudex.trunks import PaddedSequences

SPARE = 0.75
"""share of the trials that are acted in from which on those that have ended are no longer encoded: to leave them out costs a
copy of what is remembered of the others"""


class History(NamedTuple):
    """B trials, of M steps together. The observation stands first."""

    observations: PaddedSequences  # [B, T, ...]
    actions: Tensor  # int64 [M], or float32 [M, A]
    log_probs: Tensor  # [M], of these actions by the policy that took them
    values: Tensor  # [M], as it thought then
    advantages: Tensor  # [M]
    returns: Tensor  # [M]
    rewards: Tensor  # [M]

    @property
    def examples(self) -> int:
        return len(self.observations.lengths)

    def of(self, rows: Tensor) -> History:
        """The trials int64 [R], as far as the longest of them."""
        lengths = self.observations.lengths
        longest, begins = int(lengths[rows].max()), (lengths.cumsum(0) - lengths)[rows]
        observations = PaddedSequences(self.observations.values[rows, :longest], lengths[rows])
        steps = (begins[:, None] + torch.arange(longest, device=rows.device))[observations.mask()]
        return History(observations, *(part[steps] for part in self[1:]))

    def next_shown(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """What the task, whose observations have this shape, showed next, [L, *shape], and after which steps: bool [M], L
        of them true. After a trial's last step nothing is seen."""
        values, real = self.observations.values, self.observations.mask()
        goes_on = torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], 1)
        return seen(values[:, 1:][real[:, 1:]], shape).shown, goes_on[real]


def placed(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """[R, ...] at these rows of [count, ...], whose others are 0."""
    if len(rows) == count:
        return values
    return values.new_zeros(count, *values.shape[1:]).index_copy_(0, rows, values)


class Within:
    """A trunk with memory, as those see it who know of one observation [N, ...] at a time."""

    def __init__(self, trunk: nn.Module):
        self.trunk, self.state = trunk, None

    def __call__(self, x: Tensor):
        if self.state is None:
            self.state = self.trunk.initial_state(len(x))
        found = self.trunk(x.unsqueeze(1), self.state)
        self.state = found.state
        return found._replace(pooled=found.pooled[:, 0])

    def keep(self, rows: Tensor) -> None:
        """Go on with the sequences int64 [R] alone."""
        self.state = self.trunk.select_rows(self.state, rows)


class Histories(Source):
    """A trial of each of the environment's tasks by the learner's signal `name`, then `epochs` passes of batches of whole trials.

    Nothing is cut inside a trial: not the memory, not what a reward is worth later, not the advantage (Duan et al. 2016,
    section 2). Rewards count over the deviation of their discounted sum: in long trials values are large, and learning them
    would drown the policy. `lam` rises to 1 as training goes: it keeps advantages from noise at the cost of a bias, which in
    the end turned policies away from trying what they did not know. Each round has new tasks, which follow from the seed and
    the round; between rounds nothing is under way. The signal tells `draw(features)`, `bounded(actions)` and
    `judge(features, actions, own)`, as for `Rollouts`; what the `baseline` of its value makes of the trials, where it has
    one, is seen in one call and not step by step.
    """

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
        longest, shown = trials.wanted * trials.family.limit, trials.observation
        check_memory(
            "--tasks", trials.count, 2.0 * trials.count * longest * np.prod(shown.shape) * shown.dtype.itemsize
        )
        self.trials, self.learner, self.name = trials, (learner,), name  # in a tuple: no part of this source
        self.batch, self.epochs, self.gamma, self.gae_lambda, self.seed = batch, epochs, gamma, gae_lambda, seed
        self.rounds, self.acted, self.latest, self.waiting, self.ended, self.passes = 0, 0, 0, [], [], PassCounter()
        self.scale = Scale(trials.count, gamma)

    @property
    def flops(self) -> float:
        """What acting took."""
        return self.passes.flops

    @property
    def samples_seen(self) -> int:
        """Steps that were learned from: a budget of them ends with a round's last batch, not with its first."""
        return self.acted - len(self.waiting) * self.latest // (self.epochs * -(-self.trials.count // self.batch))

    def __next__(self) -> History:
        if not self.waiting:
            self.whole = self.collect()
            self.rounds += 1
            draw = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.rounds))
            for _ in range(self.epochs):
                self.waiting += torch.randperm(self.trials.count, generator=draw).split(self.batch)
        return self.whole.of(self.waiting.pop(0).to(self.whole.actions.device))

    @property
    def can_checkpoint(self) -> bool:
        """No round is half used."""
        return not self.waiting

    @torch.inference_mode()
    def collect(self) -> History:
        """A trial of each task."""
        (learner,), trials = self.learner, self.trials
        signal, trunk, device = learner.signals[self.name], Within(learner.trunk), next(learner.parameters()).device
        seeds = drawn(derive_seed(self.seed, "tasks", self.rounds), trials.count)
        live, lengths = np.ones(trials.count, bool), np.zeros(trials.count, np.int64)
        rows = torch.arange(trials.count, device=device)  # of the trials that go on, and of some that have ended
        shown, features, actions, rewards, ends = [], [], [], [], []
        learner.eval()
        observations = trials.reset(seeds, live)
        while live.any():
            shown.append(torch.from_numpy(observations))
            if live.sum() < SPARE * len(rows):
                going = torch.from_numpy(live).to(device)[rows]
                trunk.keep(going.nonzero()[:, 0])
                rows = rows[going]
            with self.passes.count_pass(f"sample {len(actions)}", learner, len(rows)):  # to attend to more costs more
                found = trunk(shown[-1].to(device)[rows]).pooled
                chosen = signal.sample(found)
            features.append(placed(found, rows, trials.count))
            actions.append(placed(chosen, rows, trials.count))
            lengths += live
            found = trials.step(signal.clip_actions(actions[-1]).cpu().numpy())
            rewards.append(np.where(live, found.rewards, 0))
            ends.append(found.terminated)
            live &= ~found.terminated
            observations = found.observations
            if found.terminated.any() and live.any():  # what they do from now on is not learned from
                observations = trials.reset(seeds, found.terminated)
        whole, features, actions = (torch.stack(each, 1).to(device) for each in (shown, features, actions))
        with self.passes.count_pass("evaluate_actions", learner, len(shown) * trials.count):
            own = signal.baseline and torch.cat([signal.baseline(part).pooled for part in whole.split(self.batch)])
            log_probs, values = signal.evaluate_actions(features, actions, own)  # [N, T]
        learner.train()
        own, over, rewards = values.T.cpu().numpy(), np.stack(ends), np.stack(rewards)  # [T, N]
        after = np.concatenate([own[1:], own[:1]])  # the last is never asked for: the trial ends there
        gae_lambda = self.gae_lambda + (1 - self.gae_lambda) * learner.progress
        advantages = gae(self.scale(rewards, over), own, after, over, np.zeros_like(over), self.gamma, gae_lambda)
        advantages, earned = (torch.from_numpy(each).to(device, values.dtype).T for each in (advantages, rewards))
        self.ended.append(rewards.sum(0).mean())
        self.latest = int(lengths.sum())
        self.acted += self.latest
        observations = PaddedSequences(whole, torch.from_numpy(lengths).to(device))
        parts = (actions, log_probs, values, advantages, advantages + values, earned)
        return History(observations, *(part[observations.mask()] for part in parts))

    def metrics(self) -> dict[str, float]:
        """Mean return of the trials since it was last asked."""
        ended, self.ended = self.ended, []
        return {"trials/return": float(np.mean(ended))} if ended else {}

    def state_dict(self) -> dict:
        state = {"rounds": self.rounds, "acted": self.acted, "flops": self.flops}
        return state | {"ended": [float(each) for each in self.ended], "scale": self.scale.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.rounds, self.acted, self.ended = state["rounds"], state["acted"], list(state["ended"])
        self.waiting, self.passes.flops = [], state["flops"]
        self.scale.load_state_dict(state["scale"])
