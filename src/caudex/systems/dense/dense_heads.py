"""dense-heads: two tasks that know every pixel, segmentation and depth, on one trunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import trunks
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System, check_range
from caudex.data import SEGMENTS, SceneBatches, Scenes
from caudex.data.images.scenes import FAR, TEST, load_scenes
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.image_grid import plot_image_grid
from caudex.models.encoder import Encoder
from caudex.signals import Depth, Segmentation
from caudex.signals.depth import relative_error
from caudex.signals.segmentation import mean_iou

TASKS = {"segmentation": lambda: Segmentation(len(SEGMENTS)), "depth": Depth}


@dataclass
class DenseHeads(System):
    """Segmentation and depth of packaged scenes: two heads on one trunk, and a trunk for each task.

    The specialists have half of the compute each, so that both ways cost the same altogether.
    """

    steps: int = 800
    """of the trunk with both heads"""
    scenes: int = 2000
    """scenes to learn from"""
    size: int = 48
    """side of the images"""
    batch: int = 16
    """scenes a step"""
    width: int = 16
    """channels of the first stage"""
    depth: int = 1
    """residual blocks in each of three stages"""
    stride: int = 2
    """of the first convolution"""
    lr: float = 3e-3
    """learning rate"""
    average: float = 0.99
    """decay of the averaged weights that predict"""

    scales: ClassVar = {"tiny": {"steps": 20, "scenes": 100, "size": 24, "width": 8}}
    measure: ClassVar = "mean intersection over union"
    statement: ClassVar = "two tasks teach one trunk more than each teaches a trunk of its own, for the same compute"

    def train(self, run: Run) -> Encoder:
        spec = ImageSpec((3, self.size, self.size))
        run.write_spec(spec)
        known, test = load_scenes(self.scenes, self.size, self.seed), load_scenes(300, self.size, self.seed, first=TEST)
        before = run.compute.flops
        made = self.taught(run.stage("both"), known, tuple(TASKS), **self.budget(1 / 2))
        half = (run.compute.flops - before) / 2
        results = {"both heads": measured(made, test)}
        results["a trunk each"] = {}
        for task in TASKS:
            alone = self.taught(run.stage(f"{task}-alone"), known, (task,), flops=half)
            results["a trunk each"] |= measured(alone, test)
        results["place alone"] = by_place(known, test)
        run.write_json("results", results)
        model = Encoder(made, spec)
        draw(run, model, test)
        return model

    def taught(self, run: Run, known: Scenes, tasks: Sequence[str], **budget) -> Learner:
        with run.seeded("weights"):
            made = self.learner(ImageSpec((3, self.size, self.size)), tasks)
        made.trunk.standardise.measure(known.images[:500])
        source = SceneBatches(known, self.batch, run.seed)
        return fit(made, dict.fromkeys(tasks, source), **budget, run=run)

    def learner(self, spec: ImageSpec, tasks: Sequence[str] = tuple(TASKS)) -> Learner:
        trunk = trunks.ResNet(spec.shape[0], self.width, self.depth, stride=self.stride)
        signals = {task: TASKS[task]() for task in tasks}
        return Learner(trunk, signals, partial(AdamW, lr=self.lr, fused=True), cosine_schedule, average=self.average)

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("", "pixels right", "mean intersection over union", "relative error of depth")]
        for name, found in results.items():
            rows.append(
                (name, f"{found['accuracy']:.1%}", f"{found['mean_iou']:.3f}", f"{found['relative_error']:.3f}")
            )
        return rows

    def claim(self, run: Run) -> Claim:
        self.train(run)
        results = run.read_json("results")
        figures = {name: found["mean_iou"] for name, found in results.items()}
        errors = {f"relative error of depth, {name}": found["relative_error"] for name, found in results.items()}
        return Claim(self.statement, figures.pop("both heads"), figures, errors)

    def check(self) -> None:
        if self.also:
            raise CaudexError(f"--also {' '.join(self.also)}: dense-heads has its two heads alone; leave it out.")
        super().check()
        check_range(self, scenes=(2, 1_000_000), size=(8, 1024), batch=(2, 4096), width=(4, 4096), depth=(1, 100))
        check_range(self, stride=(1, 4), lr=(1e-8, 10), average=(0, 0.99999))


@torch.no_grad()
def told(trunk, signals, images: Tensor) -> dict[str, Tensor]:
    """What the heads say of images: classes [N, H, W] and metres [N, H, W]."""
    said, parts = {}, images.to(trunk.standardise.mean.device).split(50)
    if "segmentation" in signals:
        said["segments"] = torch.cat([signals["segmentation"].logits(trunk, part).argmax(1).cpu() for part in parts])
    if "depth" in signals:
        said["depth"] = torch.cat([signals["depth"].log_depth(trunk, part).exp().cpu() for part in parts])
    return said


def measured(made: Learner, test: Scenes) -> dict[str, float]:
    return figures(told(*made.averaged, test.images), test)


def figures(said: dict[str, Tensor], test: Scenes) -> dict[str, float]:
    found = {}
    if "segments" in said:
        right = (said["segments"] == test.segments).float().mean()
        found |= {"accuracy": right.item(), "mean_iou": mean_iou(said["segments"], test.segments, len(SEGMENTS)).item()}
    if "depth" in said:
        found["relative_error"] = relative_error(said["depth"], test.depth).item()
    return found


def by_place(known: Scenes, test: Scenes) -> dict[str, float]:
    """Of one who looks at no image: at each place the commonest class and the mean logarithm of the depth."""
    counts = torch.stack([(known.segments == k).sum(0) for k in range(len(SEGMENTS))])
    said = {"segments": counts.argmax(0).expand_as(test.segments), "depth": known.depth.log().mean(0).exp()}
    return figures(said, test)


def draw(run: Run, model: Encoder, test: Scenes, count: int = 7) -> None:
    images = test.images[:count]
    said = told(model.trunk, model.signals, images)
    colours = torch.tensor([[0.75, 0.8, 0.9], [0.45, 0.4, 0.35], [0.9, 0.3, 0.25], [0.2, 0.5, 0.85], [0.95, 0.75, 0.2]])
    rows = {"image": images.float() / 255}
    for name, segments, depth in (("told", said["segments"], said["depth"]), ("true", test.segments, test.depth)):
        rows[f"class, {name}"] = colours[segments[:count].long()].permute(0, 3, 1, 2)
        rows[f"depth, {name}"] = (1 - depth[:count].log() / torch.tensor(FAR).log())[:, None].expand(-1, 3, -1, -1)
    plot_image_grid(
        run, "signal-outputs", {name: rows[name] for name in sorted(rows, key=lambda name: (name != "image", name))}
    )
