"""Updates a second of curl, each observation encoded once, beside encoding it for each head; results/curl.csv.

    python benchmarks/curl.py              # some two minutes

One process, one thread, in turns; the gradients are compared at equal weights first. `separately` encodes as the published
code does: critic, actor, critics of the actor and contrast each have a pass of their own; it too is stepped once.
"""

import csv
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from caudex.core.learner import Learner
from caudex.core.signal import SignalOutput, frozen
from caudex.core.specs import ActionSpec, EnvSpec
from caudex.experience.augmented import augmented_batch_type
from caudex.experience.replay import Transition
from caudex.signals.soft_actor_critic import SoftActorCritic, q_values
from caudex.systems.reward.curl import CURL

TURNS = 7
SIZES = {"48 pixels, batch 64": ((3, 48, 48), 64, 20), "84 pixels, batch 128": ((9, 84, 84), 128, 2)}


class Separately(SoftActorCritic):
    """As the published code: what each head needs is encoded for it."""

    def loss(self, trunk, batch):
        temperature = self.log_temperature.detach().exp()
        features = self.critic_features(trunk(batch.observations).pooled)
        predictions = q_values(self.critics, features, self.scaler.scale(batch.actions))
        errors = predictions - self.target_q_values(trunk, batch, temperature)
        critic_loss = 0.5 * errors.square().mean(1).sum()
        actions, log_probs = self.action_distribution(trunk(batch.observations).pooled.detach()).sample()
        with frozen(self.critics):
            features = self.critic_features(trunk(batch.observations).pooled).detach()
            lower_q_values = q_values(self.critics, features, actions).amin(0)
        actor_loss = (temperature * log_probs - lower_q_values).mean()
        temperature_loss = self.log_temperature * (self.scaler.size - log_probs.detach().mean())
        return SignalOutput(critic_loss + actor_loss + temperature_loss, {})


class Apart(Learner):
    """Nothing is remembered within a step."""

    def forward(self, batches):
        return {name: signal.loss(self.trunk, batches[name]) for name, signal in self.signals.items()}


def batch(shape: tuple[int, int, int], size: int, actions: int):
    """Frames and all that belongs to them, drawn."""
    draw = torch.Generator().manual_seed(0)
    first, after, other = (torch.randint(256, (size, *shape), dtype=torch.uint8, generator=draw) for _ in range(3))
    whole = Transition(
        first, torch.rand(size, actions, generator=draw) * 2 - 1, torch.rand(size, generator=draw), after,
        torch.full((size,), 0.99), None, torch.arange(size),
    )  # fmt: skip
    return augmented_batch_type(Transition)(*whole, first, other, torch.arange(size))


def made(shape: tuple[int, int, int], kind: type) -> Learner:
    torch.manual_seed(0)
    spec = EnvSpec("", tuple(shape), ActionSpec(low=(-1.0,), high=(1.0,)))
    system = CURL(width=1024 if shape[1] >= 84 else CURL.width)
    learner = system.learner(spec)
    if kind is Learner:
        return learner
    learner.__class__ = kind
    learner.signals["policy"].__class__ = Separately
    return learner


def gradients(learner: Learner, seen) -> torch.Tensor:
    torch.manual_seed(1)
    learner.zero_grad()
    taught = learner(dict.fromkeys(learner.signals, seen))
    sum(learner.signals[name].weight * said.loss for name, said in taught.items()).backward()
    return torch.cat([p.grad.flatten() for p in learner.parameters() if p.grad is not None])


def speed(learner: Learner, seen, updates: int) -> float:
    started = time.perf_counter()
    for _ in range(updates):
        learner.step(dict.fromkeys(learner.signals, seen))
    return updates / (time.perf_counter() - started)


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name, (shape, size, updates) in SIZES.items():
        seen, once, apart = batch(shape, size, 1), made(shape, Learner), made(shape, Apart)
        one, other = (gradients(learner, seen) for learner in (once, apart))
        difference = float((one - other).norm() / one.norm())
        found = np.array([[speed(learner, seen, updates) for learner in (once, apart)] for _ in range(TURNS)])[1:]
        mine, its = (statistics.median(column) for column in found.T)
        ratios = found[:, 0] / found[:, 1]
        low, high, ratio = ratios.min(), ratios.max(), statistics.median(ratios)
        rows.append((name, *(f"{x:.3g}" for x in (mine, its, ratio, low, high)), f"{difference:.1e}"))
        print(*rows[-1], flush=True)
    header = ("frames", "once updates/s", "separately updates/s", "ratio", "lowest", "highest", "gradients differ by")
    with Path("results/curl.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
