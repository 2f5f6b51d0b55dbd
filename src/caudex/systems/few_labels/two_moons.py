"""two-moons: how labels spread along what is not labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple, TypedDict

import numpy as np
import torch
from sklearn.datasets import make_moons
from sklearn.semi_supervised import LabelSpreading
from torch import Tensor, nn
from torch.optim import AdamW

from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.source import Source
from caudex.core.specs import NoSpec
from caudex.core.system import System
from caudex.core.trunk import Features, Trunk
from caudex.core.typed_json import Count, check_kind
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, majority_share
from caudex.evaluation.plots.decision_boundaries import plot_decision_boundaries
from caudex.signals import Labels
from caudex.signals.labels import one_hot
from caudex.trunks.layers import linear_flops


class PointBatch(NamedTuple):
    points: Tensor  # [B, 2]
    labels: Tensor  # [B, 2], probabilities
    weights: Tensor | None = None


@dataclass
class TwoMoons(System):
    """Five labels in each of two half-moons: a supervised net, label spreading and noisy students side by side.

    Each student learns from the points that the one before is surest of, first a few beside the labels, at last all;
    its noise is jitter. Draws the three boundaries as one figure, figures/boundaries.png.

    laptop: 5 seconds on one core, students 99.8% +- 0.3, label spreading 100.0%, supervised 92.8% +- 4.9, 10 seeds;
    without jitter the students reach 97.4% +- 3.4, and their gain is not shown.
    """

    steps: int = 150
    """of each network"""
    labels_per_moon: int = 5
    """points of each moon whose label is known"""
    points: int = 500
    """all points, labelled and not"""
    spread: float = 0.08
    """standard deviation of the points around their moon"""
    rounds: int = 10
    """students; each learns from one share more of the points"""
    jitter: float = 0.15
    """standard deviation of the noise on the points that a network sees; the gap is about 0.5 wide"""
    length_scale: float = 0.3
    """how far around a point the network's waves carry what it learns there, at first"""
    lr: float = 2e-2
    """learning rate"""

    scales: ClassVar = {"tiny": {"rounds": 2, "steps": 30}}
    results_type: ClassVar = dict[str, float]
    measure: ClassVar = "test accuracy"
    statement: ClassVar = "labels spread along the moons: the students' boundary follows the gap between them"

    def train(self, run: Run) -> Learner:
        points, labels, test_points, test_labels = self.moons()
        run.write_spec(NoSpec())
        targets, labelled = one_hot(labels, 2), labels >= 0
        student = supervised = self.fit_network(run.stage("supervised"), points[labelled], targets[labelled])
        for number in range(1, self.rounds + 1):
            with run.counting(student):
                pseudo_labels = torch.where(labelled[:, None], targets, probabilities(student, points))  # [N, 2]
            count = round(len(points) / 2 * number / self.rounds)
            confident = pseudo_labels.topk(count, dim=0).indices.flatten()
            rows = torch.cat([confident, labelled.nonzero().flatten()]).unique()
            student = self.fit_network(run.stage(f"student-{number}"), points[rows], pseudo_labels[rows])
        classifiers = {
            "supervised": lambda x: probabilities(supervised, x)[:, 1],
            "label spreading": spread_labels(points, labels),
            "noisy student": lambda x: probabilities(student, x)[:, 1],
        }
        accuracies = {
            name: ((classify(test_points) > 0.5) == test_labels).double().mean().item()
            for name, classify in classifiers.items()
        }
        run.write_json("results", accuracies)
        plot_decision_boundaries(run, classifiers, accuracies, points, labels)
        return student

    def moons(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points [N, 2] and labels [N], -1 for unknown; test points [N, 2] and their labels [N]."""
        seeds = [derive_seed(self.seed, part) % 2**32 for part in ("train", "test")]
        sets = [make_moons(self.points, noise=self.spread, random_state=seed) for seed in seeds]
        (points, moons), test = [(torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in sets]
        generator = np.random.default_rng([self.seed, 2])
        labels = torch.full_like(moons, -1)
        for k in (0, 1):
            labels[generator.choice(np.flatnonzero(moons == k), self.labels_per_moon, replace=False)] = k
        return points, labels, *test

    def fit_network(self, run: Run, points: Tensor, labels: Tensor) -> Learner:
        with run.seeded("weights"):
            learner = self.model(NoSpec())
        source = JitteredPoints(points, labels, self.jitter, run.seed)
        return fit(learner, {"labels": source}, **self.budget(1 / (1 + self.rounds)), run=run)

    def model(self, spec: NoSpec) -> Learner:
        return Learner(
            RandomWaves(self.length_scale), {"labels": Labels(2)}, partial(AdamW, lr=self.lr), cosine_schedule
        )

    def result_rows(self, results: dict) -> list[tuple]:
        return [("", "accuracy"), *((name, f"{value:.1%}") for name, value in results.items())]

    def claim(self, run: Run) -> Claim:
        self.train(run)
        accuracies = run.read_json("results")
        _, _, _, test_labels = self.moons()
        controls = {MAJORITY: majority_share(test_labels)}
        return Claim(self.statement, accuracies.pop("noisy student"), accuracies, controls=controls)

    def check(self) -> None:
        super().check()
        check_range(self, points=(20, 5_000), labels_per_moon=(1, self.points // 2), spread=(0, 10), rounds=(1, 100))
        check_range(self, jitter=(0, 10), length_scale=(1e-3, 1e3), lr=(1e-8, 10))


class RandomWaves(Trunk):
    """One layer of cosines, at first of random direction and length (Rahimi and Recht 2007, algorithm 1).

    What it learns at a point holds around that point, so it is surest near its labels. A net of ReLUs is surest where
    it is far from its boundary: on trial seeds its pseudo-labels were wrong, and they fell from 90% to 87%.
    """

    def __init__(self, length_scale: float, width: int = 256):
        super().__init__()
        self.layer, self.width = nn.Linear(2, width), width
        nn.init.normal_(self.layer.weight, std=1 / length_scale)
        nn.init.uniform_(self.layer.bias, 0, 2 * math.pi)

    def forward(self, x, state=None):
        return Features(self.layer(x).cos())

    def flops(self, shape):
        return linear_flops(2, self.width)


class PointsState(TypedDict):
    drawn: Count


class JitteredPoints(Source):
    """Endless batches of points, moved a little; points and moves follow from (seed, number of the batch)."""

    def __init__(self, points: Tensor, labels: Tensor, jitter: float, seed: int, size: int = 128):
        self.points, self.labels, self.jitter, self.seed, self.size, self.drawn = points, labels, jitter, seed, size, 0

    def __next__(self) -> PointBatch:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.drawn))
        rows = torch.randint(len(self.points), (self.size,), generator=generator)
        self.drawn += 1
        points = self.points[rows] + self.jitter * torch.randn(self.size, 2, generator=generator)
        return PointBatch(points, self.labels[rows])

    def state_dict(self) -> dict:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.drawn = check_kind(state, PointsState)["drawn"]


@torch.no_grad()
def probabilities(net: Learner, points: Tensor) -> Tensor:
    """[N, 2] of clean points, in eval mode."""
    return net.eval().signals["labels"].logits(net.trunk, points).softmax(1)


def spread_labels(points: Tensor, labels: Tensor):
    """Zhou et al. 2004, by scikit-learn: a function of points to the probability of label 1. Far from all points
    predict_proba divides 0 by 0; there it is 0.5."""
    model = LabelSpreading(kernel="rbf", gamma=50, alpha=0.99, max_iter=1000).fit(points.numpy(), labels.numpy())

    def classify(x: Tensor) -> Tensor:
        with np.errstate(invalid="ignore"):
            return torch.tensor(model.predict_proba(x.numpy())[:, 1]).nan_to_num(0.5)

    return classify
