"""What the publications' scales would cost: one step at full size on one or two examples, counted; writes
results/paper-scales.csv. The largest, whose weights and moments do not fit into 16 GB, are counted by their formula.
Where an environment is acted in, the passes that choose actions are counted too; what the environment itself computes is not.

Hours and money are those of a machine that keeps up 100 TFLOP/s and costs 2.50 an hour.

    python benchmarks/paper_scales.py
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from caudex.core.compute import PETAFLOP_S_DAY, count_flops
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import ImageSpec, TextSpec
from caudex.core.system import system_at_scale
from caudex.data import Batch, MaskedTokenBatch, TokenBatch
from caudex.experience import Rollout, Transition
from caudex.experience.augmented import augmented_batch_type
from caudex.signals.trust_region import trpo_step
from caudex.systems.reward.off_policy import OffPolicySystem
from caudex.trunks import BERT_LAYOUT, GPT2_LAYOUT, PaddedTokens, Transformer

IMAGES = ("simclr", "moco", "rotation", "jigsaw", "inpainting", "colorization")
TEXTS = {
    "gpt 117M": ("gpt", 12, 768, 12),
    "gpt 345M": ("gpt", 24, 1024, 16),
    "gpt 762M": ("gpt", 36, 1280, 20),
    "gpt 1542M": ("gpt", 48, 1600, 25),
    "bert base": ("bert", 12, 768, 12),
    "bert large": ("bert", 24, 1024, 16),
}
REWARD = {
    "dqn": ("paper",), "double-dqn": ("paper",), "rainbow": ("paper", "atari-100k"), "ppo": ("paper", "mujoco"),
    "trpo": ("paper",), "a3c": ("paper",), "sac": ("paper",), "ddpg": ("paper",), "curl": ("atari-100k", "dmcontrol-100k", "dmcontrol-500k"),
}  # fmt: skip
SUSTAINED, PRICE, MAX_COUNTED_PARAMETERS = 100e12, 2.5, 500e6


class Case(NamedTuple):
    """One scale: steps of a batch, operations for each example, and for choosing all actions."""

    name: str
    parameters: int
    batch: int
    steps: int
    flops_per_example: float
    acting_flops: float = 0.0

    def row(self) -> dict[str, str | int]:
        flops = self.flops_per_example * self.batch * self.steps + self.acting_flops
        hours = flops / SUSTAINED / 3600
        return {
            "system": self.name,
            "trunk_parameters": self.parameters,
            "batch": self.batch,
            "steps": self.steps,
            "flops_an_example": f"{self.flops_per_example:.3g}",
            "acting": f"{self.acting_flops:.3g}" if self.acting_flops else "",
            "flops": f"{flops:.3g}",
            "petaflop_s_days": f"{flops / PETAFLOP_S_DAY:.3g}",
            "hours": format_short(hours),
            "cost": format_short(hours * PRICE),
        }


def format_short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 2.5 else f"{figure:.2g}"


def images() -> Iterator[Case]:
    for name in IMAGES:
        paper = system_at_scale(name, "paper")
        small = replace(paper, batch=2, **({"queue": 4} if name == "moco" else {}))
        learner = small.learner(ImageSpec((3, paper.size, paper.size)))
        pixels = torch.rand(2, 3, paper.size, paper.size)
        batch = Batch(pixels, torch.zeros(2), torch.arange(2), other_images=pixels)
        yield Case(name, num_parameters(learner.trunk), paper.batch, paper.steps, step_flops(learner, batch, 2))


def texts() -> Iterator[Case]:
    for name, (kind, depth, width, heads) in TEXTS.items():
        paper = replace(system_at_scale(kind, "paper"), depth=depth, width=width, heads=heads)
        sizes = {
            "vocabulary": paper.vocabulary,
            "context": paper.context,
            "depth": depth,
            "width": width,
            "heads": heads,
        }
        arguments = (GPT2_LAYOUT if kind == "gpt" else BERT_LAYOUT) | sizes
        with torch.device("meta"):
            trunk = Transformer(**arguments)
        if num_parameters(trunk) > MAX_COUNTED_PARAMETERS:
            head_flops = 2 * paper.context * width * paper.vocabulary
            flops = 3 * (trunk.flops((paper.context,)) + head_flops)
        else:
            learner = paper.learner(TextSpec(arguments, {}))
            tokens = torch.randint(0, paper.vocabulary, (1, paper.context))
            if kind == "gpt":
                batch = TokenBatch(tokens, tokens, torch.zeros(1))
            else:
                hidden = torch.where(torch.rand(tokens.shape) < 0.15, tokens, -1)
                batch = MaskedTokenBatch(PaddedTokens(tokens), hidden, torch.ones(1, dtype=torch.bool), torch.zeros(1))
            flops = step_flops(learner, batch, 1)
        yield Case(name, num_parameters(trunk), paper.batch, paper.steps, flops)


def rewards(count: int = 10) -> Iterator[Case]:
    """`count` is five times two: TRPO takes the curvature from every fifth."""
    for name, scale in ((name, scale) for name, scales in REWARD.items() for scale in scales):
        paper = system_at_scale(name, scale)
        try:
            runner, spec = replace(paper, num_envs=1).make_envs(Run("", 0))
        except CaudexError as error:
            print(f"{name} {scale} is left out: {error}", flush=True)
            continue
        learner, first = paper.learner(spec), torch.from_numpy(runner.observations)
        signal, observations = learner.signals["policy"], first.repeat(count, *[1] * (first.ndim - 1))
        actions, zeros = (
            torch.from_numpy(np.stack([runner.env.action_space.sample() for _ in range(count)])),
            torch.zeros(count),
        )
        with count_flops(learner) as counter, torch.no_grad():
            if isinstance(paper, OffPolicySystem):
                signal.explore(learner.trunk, observations, 0.5)
            else:
                features = learner.trunk(observations).pooled
                signal.evaluate_actions(features, signal.sample(features))
        acting_flops = counter.flops / count * paper.total_steps
        if isinstance(paper, OffPolicySystem):
            batch = Transition(observations, actions, zeros, observations.clone(), zeros, None, torch.arange(count))
            batch_size, steps = paper.batch, (paper.total_steps - paper.learning_starts) // paper.train_freq
        else:
            batch = Rollout(observations, actions, zeros, zeros, torch.randn(count), zeros)
            batch_size = getattr(paper, "batch", paper.horizon * paper.num_envs)
            steps = paper.total_steps * getattr(paper, "epochs", 1) // batch_size
        if len(learner.signals) > 1:
            batch = augmented_batch_type(type(batch))(*batch, observations, observations.clone(), torch.arange(count))
        flops = step_flops(learner, batch, count, trpo_step if name == "trpo" else Learner.step)
        yield Case(f"{name} {scale}", num_parameters(learner.trunk), batch_size, steps, flops, acting_flops)


def step_flops(learner: Learner, batch, count: int, step: Callable = Learner.step) -> float:
    """Operations for each example of one step."""
    with count_flops(learner) as counter:
        step(learner, dict.fromkeys(learner.signals, batch))
    return counter.flops / count


def num_parameters(trunk) -> int:
    return sum(p.numel() for p in trunk.parameters())


def main() -> None:
    rows = []
    for cases in (images, texts, rewards):
        for case in cases():
            rows.append(case.row())
            print(rows[-1], flush=True)
    with Path("results/paper-scales.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
