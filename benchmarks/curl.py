"""Updates a second of curl, each observation encoded once, beside encoding it for each head; results/curl.csv.

    python benchmarks/curl.py              # some two minutes

One process, one thread, in turns; the gradients are compared at equal weights first. `separately` encodes as the published
code does: critic, actor, critics of the actor and contrast each have a pass of their own; it too is stepped once.
"""

import csv
import statistics
import time
from pathlib import Path

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


class SeparateEncodingSAC(SoftActorCritic):
    """As the published code: observations are encoded once for each head."""

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


class UncachedLearner(Learner):
    """No features are cached within a step."""

    def forward(self, batches):
        return {name: signal.loss(self.trunk, batches[name]) for name, signal in self.signals.items()}


def random_batch(shape: tuple[int, int, int], size: int, action_dim: int):
    """Random transitions with a second view of their frames."""
    generator = torch.Generator().manual_seed(0)
    frames, next_frames, other_frames = (
        torch.randint(256, (size, *shape), dtype=torch.uint8, generator=generator) for _ in range(3)
    )
    transition = Transition(
        frames, torch.rand(size, action_dim, generator=generator) * 2 - 1, torch.rand(size, generator=generator), next_frames,
        torch.full((size,), 0.99), None, torch.arange(size),
    )  # fmt: skip
    return augmented_batch_type(Transition)(*transition, frames, other_frames, torch.arange(size))


def build_learner(shape: tuple[int, int, int], kind: type) -> Learner:
    torch.manual_seed(0)
    spec = EnvSpec("", tuple(shape), ActionSpec(low=(-1.0,), high=(1.0,)))
    system = CURL(hidden=(1024, 1024) if shape[1] >= 84 else CURL.hidden)
    learner = system.learner(spec)
    if kind is Learner:
        return learner
    learner.__class__ = kind
    learner.signals["policy"].__class__ = SeparateEncodingSAC
    return learner


def gradients(learner: Learner, batch) -> torch.Tensor:
    torch.manual_seed(1)
    learner.zero_grad()
    outputs = learner(dict.fromkeys(learner.signals, batch))
    sum(learner.signals[name].weight * output.loss for name, output in outputs.items()).backward()
    return torch.cat([p.grad.flatten() for p in learner.parameters() if p.grad is not None])


def updates_per_second(learner: Learner, batch, updates: int) -> float:
    started = time.perf_counter()
    for _ in range(updates):
        learner.step(dict.fromkeys(learner.signals, batch))
    return updates / (time.perf_counter() - started)


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name, (shape, size, updates) in SIZES.items():
        batch = random_batch(shape, size, 1)
        learners = build_learner(shape, Learner), build_learner(shape, UncachedLearner)
        once, separately = (gradients(learner, batch) for learner in learners)
        difference = float((once - separately).norm() / once.norm())
        rates = [[updates_per_second(learner, batch, updates) for learner in learners] for _ in range(TURNS)][1:]
        once_rate, separate_rate = (statistics.median(column) for column in zip(*rates))
        ratios = [once / separately for once, separately in rates]
        low, high, ratio = min(ratios), max(ratios), statistics.median(ratios)
        rows.append((name, *(f"{x:.3g}" for x in (once_rate, separate_rate, ratio, low, high)), f"{difference:.1e}"))
        print(*rows[-1], flush=True)
    header = ("frames", "once updates/s", "separately updates/s", "ratio", "lowest", "highest", "gradients differ by")
    with Path("results/curl.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
