"""dense-heads: two tasks that know every pixel, segmentation and depth, on one trunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from caudex import trunks
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.core.trunk import Trunk
from caudex.data import SEGMENTS, SceneBatches, Scenes
from caudex.data.images.scenes import FIRST_TEST_SCENE, MAX_DEPTH, make_scenes
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.image_tiles import plot_image_rows
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
    spec_type: ClassVar = ImageSpec
    results_type: ClassVar = dict[str, result_kinds.DenseRow]
    measure: ClassVar = "mean intersection over union"
    statement: ClassVar = "two tasks teach one trunk more than each teaches a trunk of its own, for the same compute"

    def train(self, run: Run) -> Encoder:
        spec = ImageSpec((3, self.size, self.size))
        run.write_spec(spec)
        scenes = make_scenes(self.scenes, self.size, self.seed)
        test = make_scenes(300, self.size, self.seed, first=FIRST_TEST_SCENE)
        flops_before = run.compute.flops
        learner = self.fit_tasks(run.stage("both"), scenes, tuple(TASKS), **self.budget(1 / 2))
        half = (run.compute.flops - flops_before) / 2
        results = {"both heads": evaluate_heads(learner, test)}
        results["a trunk each"] = {}
        for task in TASKS:
            specialist = self.fit_tasks(run.stage(f"{task}-alone"), scenes, (task,), flops=half)
            results["a trunk each"] |= evaluate_heads(specialist, test)
        results["place alone"] = evaluate_place(scenes, test)
        run.write_json("results", results)
        model = Encoder(learner, spec)
        plot_predictions(run, model, test)
        return model

    def fit_tasks(self, run: Run, scenes: Scenes, tasks: Sequence[str], **budget) -> Learner:
        with run.seeded("weights"):
            learner = self.learner(ImageSpec((3, self.size, self.size)), tasks)
        learner.trunk.standardise.set_statistics(scenes.images[:500])
        source = SceneBatches(scenes, self.batch, run.seed)
        return fit(learner, dict.fromkeys(tasks, source), **budget, run=run)

    def learner(self, spec: ImageSpec, tasks: Sequence[str] = tuple(TASKS)) -> Learner:
        trunk = trunks.ResNet(spec.shape[0], self.width, self.depth, stride=self.stride)
        signals = {task: TASKS[task]() for task in tasks}
        return Learner(trunk, signals, partial(AdamW, lr=self.lr, fused=True), cosine_schedule, average=self.average)

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("", "pixels right", "mean intersection over union", "relative error of depth")]
        for name, row in results.items():
            rows.append((name, f"{row['accuracy']:.1%}", f"{row['mean_iou']:.3f}", f"{row['relative_error']:.3f}"))
        return rows

    def claim(self, run: Run) -> Claim:
        self.train(run)
        results = run.read_json("results")
        ious = {name: row["mean_iou"] for name, row in results.items()}
        errors = {f"relative error of depth, {name}": row["relative_error"] for name, row in results.items()}
        controls = {"place alone": ious["place alone"]}
        return Claim(self.statement, ious.pop("both heads"), ious, errors, controls)

    def check(self) -> None:
        if self.also:
            raise CaudexError(f"--also {' '.join(self.also)}: dense-heads has its two heads alone; leave it out.")
        super().check()
        check_range(self, scenes=(2, 1_000_000), size=(8, 1024), batch=(2, 4096), width=(4, 4096), depth=(1, 100))
        check_range(self, stride=(1, 4), lr=(1e-8, 10), average=(0, 0.99999))


@torch.no_grad()
def predict(trunk: Trunk, signals: nn.ModuleDict, images: Tensor) -> dict[str, Tensor]:
    """The outputs of the heads that there are: classes [N, H, W] and metres [N, H, W]."""
    predictions, parts = {}, images.to(trunk.standardise.mean.device).split(50)
    if "segmentation" in signals:
        classes = [signals["segmentation"].logits(trunk, part).argmax(1).cpu() for part in parts]
        predictions["segments"] = torch.cat(classes)
    if "depth" in signals:
        predictions["depth"] = torch.cat([signals["depth"].log_depth(trunk, part).exp().cpu() for part in parts])
    return predictions


def evaluate_heads(learner: Learner, test: Scenes) -> dict[str, float]:
    return evaluate_dense(predict(*learner.averaged, test.images), test)


def evaluate_dense(predictions: dict[str, Tensor], test: Scenes) -> dict[str, float]:
    metrics = {}
    if "segments" in predictions:
        segments = predictions["segments"]
        metrics["accuracy"] = (segments == test.segments).float().mean().item()
        metrics["mean_iou"] = mean_iou(segments, test.segments, len(SEGMENTS)).item()
    if "depth" in predictions:
        metrics["relative_error"] = relative_error(predictions["depth"], test.depth).item()
    return metrics


def evaluate_place(scenes: Scenes, test: Scenes) -> dict[str, float]:
    """The baseline that looks at no image: at each place the commonest class and the mean logarithm of the depth."""
    counts = torch.stack([(scenes.segments == k).sum(0) for k in range(len(SEGMENTS))])
    predictions = {"segments": counts.argmax(0).expand_as(test.segments), "depth": scenes.depth.log().mean(0).exp()}
    return evaluate_dense(predictions, test)


def plot_predictions(run: Run, model: Encoder, test: Scenes, count: int = 7) -> None:
    images = test.images[:count]
    predictions = predict(model.trunk, model.signals, images)
    colours = torch.tensor([[0.75, 0.8, 0.9], [0.45, 0.4, 0.35], [0.9, 0.3, 0.25], [0.2, 0.5, 0.85], [0.95, 0.75, 0.2]])
    rows = {"image": images.float() / 255}
    classes = {"predicted": predictions["segments"], "true": test.segments[:count]}
    depths = {"predicted": predictions["depth"], "true": test.depth[:count]}
    for name, segments in classes.items():
        rows[f"class, {name}"] = colours[segments.long()].permute(0, 3, 1, 2)
    for name, depth in depths.items():
        rows[f"depth, {name}"] = (1 - depth.log() / torch.tensor(MAX_DEPTH).log())[:, None].expand(-1, 3, -1, -1)
    plot_image_rows(run, "signal-outputs", rows)
