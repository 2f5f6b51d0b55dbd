"""two-moons: how labels spread along what is not labelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.datasets import make_moons
from sklearn.semi_supervised import LabelSpreading
from torch import Tensor
from torch.optim import AdamW

from caudex.claim import Claim
from caudex.learner import Learner, cosine
from caudex.run import Run, derived
from caudex.signals import Labels
from caudex.signals.labels import one_hot
from caudex.system import System, inside
from caudex.training import fit
from caudex.trunks import MLP


class Points(NamedTuple):
    points: Tensor  # [B, 2]
    labels: Tensor  # [B], or [B, 2] as probabilities
    weights: Tensor | None = None


@dataclass
class TwoMoons(System):
    """Five labels in each of two half-moons: a supervised net, label spreading and noisy students side by side.

    Draws the three boundaries as one figure, figures/boundaries.png.
    """

    labels_per_moon: int = 5
    points: int = 500
    """all points, labelled and not"""
    spread: float = 0.08
    """deviation of the points around their moon"""
    rounds: int = 8
    """students"""
    steps: int = 300
    batch: int = 128
    jitter: float = 0.2
    """noise on the points that students see"""
    dropout: float = 0.1
    width: int = 64
    lr: float = 5e-3

    scales: ClassVar = {"tiny": {"rounds": 2, "steps": 30}}
    statement: ClassVar = "labels spread along the moons: the students' boundary follows the gap between them"

    def train(self, run: Run):
        points, labels, test, truth = self.moons()
        run.keep("facts", {})
        known = one_hot(labels, 2)  # rows of zeros where nobody labelled
        nets = {"supervised": self.network(run.stage("supervised"), points, known, (labels >= 0).float())}
        student, n = nets["supervised"], len(points)
        for number in range(1, self.rounds + 1):
            told = probabilities(student, points)  # of clean points, in eval mode
            told[labels >= 0] = known[labels >= 0]
            sure = told.amax(1)
            share = number / self.rounds  # the surest first, as many of each moon
            chosen = torch.cat(
                [torch.where(told.argmax(1) == k, sure, -1.0).topk(round(share * n / 2)).indices for k in (0, 1)]
            )
            weights = torch.zeros(n).index_fill_(0, chosen, 1.0)
            student = self.network(run.stage(f"student-{number}"), points, told, weights.maximum((labels >= 0).float()))
        nets["noisy student"] = student
        spreading = LabelSpreading(kernel="knn", n_neighbors=7, max_iter=1000).fit(points.numpy(), labels.numpy())
        tell = {name: lambda x, net=net: probabilities(net, x)[:, 1].numpy() for name, net in nets.items()}
        tell = {
            "supervised": tell["supervised"],
            "label spreading": lambda x: spreading.predict_proba(x.numpy())[:, 1],
        } | tell
        right = {name: float(((f(test) > 0.5) == truth.numpy()).mean()) for name, f in tell.items()}
        run.keep("results", right)
        self.draw(run, tell, right, points, labels)
        return student

    def moons(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points [N, 2] and labels [N], -1 for unknown; points [N, 2] and their moons [N] for the test."""
        drawn = [
            make_moons(self.points, noise=self.spread, random_state=derived(self.seed, part) % 2**32)
            for part in ("train", "test")
        ]
        (points, moons), (test, truth) = [(torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in drawn]
        generator = np.random.default_rng([self.seed, 2])
        labels = torch.full_like(moons, -1)
        for k in (0, 1):
            rows = generator.choice(np.flatnonzero(moons == k), self.labels_per_moon, replace=False)
            labels[rows] = k
        return points, labels, test, truth

    def network(self, run: Run, points: Tensor, told: Tensor, weights: Tensor) -> Learner:
        with run.seeded("weights"):
            made = self.model({})
        source = Jittered(points[weights > 0], told[weights > 0], self.batch, self.jitter, run.seed)
        return fit(made, {"labels": source}, **self.budget(1 / (1 + self.rounds)), run=run)

    def model(self, facts: dict) -> Learner:
        trunk = MLP(2, (self.width, self.width), self.dropout)
        return Learner(trunk, {"labels": Labels(2)} | self.further(facts), partial(AdamW, lr=self.lr), cosine)

    def further(self, facts: dict) -> dict:
        return self.feed(super().further(facts))  # points have no further sources: says so

    def draw(self, run: Run, tell: dict, right: dict, points: Tensor, labels: Tensor) -> None:
        x, y = np.meshgrid(np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.6, 150))
        grid = torch.tensor(np.stack([x.ravel(), y.ravel()], 1), dtype=torch.float32)
        with run.figure("boundaries", len(tell), width=4.2, height=3.4) as axes:
            for axis, (name, f) in zip(axes, tell.items()):
                axis.contourf(x, y, f(grid).reshape(x.shape), levels=20, cmap="RdBu", vmin=0, vmax=1, alpha=0.7)
                axis.contour(x, y, f(grid).reshape(x.shape), levels=[0.5], colors="black", linewidths=1)
                axis.scatter(*points.T, s=4, color="0.35")
                for k, colour in ((0, "#b2182b"), (1, "#2166ac")):
                    axis.scatter(*points[labels == k].T, s=70, color=colour, edgecolor="white", marker="o^"[k])
                axis.set(title=f"{name}: {right[name]:.1%}", xticks=[], yticks=[])

    def tell(self, results: dict) -> list[tuple]:
        return [("", "accuracy"), *((name, f"{value:.1%}") for name, value in results.items())]

    def claim(self, run: Run) -> Claim:
        self.train(run)
        right = run.kept("results")
        return Claim(self.statement, right.pop("noisy student"), right)

    def check(self) -> None:
        super().check()
        inside(self, points=(20, 1e6), labels_per_moon=(1, self.points // 2), spread=(0, 10), rounds=(1, 100))
        inside(self, batch=(2, 1e6), jitter=(0, 10), dropout=(0, 0.9), width=(1, 10_000), lr=(1e-8, 10))


class Jittered:
    """Endless batches of points, moved a little; points and moves follow from (seed, number of the batch)."""

    def __init__(self, points: Tensor, labels: Tensor, size: int, jitter: float, seed: int):
        self.points, self.labels, self.size, self.jitter, self.seed = points, labels, size, jitter, seed
        self.drawn = 0

    def __next__(self) -> Points:
        generator = torch.Generator().manual_seed(derived(self.seed, self.drawn))
        rows = torch.randint(len(self.points), (self.size,), generator=generator)
        self.drawn += 1
        moved = self.points[rows] + self.jitter * torch.randn(self.size, 2, generator=generator)
        return Points(moved, self.labels[rows])

    def state_dict(self) -> dict:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.drawn = state["drawn"]


@torch.no_grad()
def probabilities(net: Learner, points: Tensor) -> Tensor:
    """[N, 2], in eval mode."""
    return net.eval().signals["labels"].logits(net.trunk, points).softmax(1)
