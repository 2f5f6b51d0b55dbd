"""localization: where does the object stand? Learned from rendered images with random looks alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from torch.optim import AdamW

from caudex import trunks
from caudex.core.console import print_once
from caudex.core.errors import CaudexError, counted
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.core.trust import check_trusted
from caudex.data.files import describe_skipped
from caudex.data.images.decode import ImageFormat
from caudex.data.images.positions import read_positions
from caudex.envs.scenes.own_scene import OwnStage
from caudex.envs.scenes.randomiser import ROWS, check_rows
from caudex.envs.scenes.scene import SOLIDS, Scene
from caudex.envs.scenes.stage import SHADOW_SIZE, MuJoCoStage
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.location import (
    NEAR,
    location_errors,
    location_rows,
    location_warnings,
)
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.evaluation.plots.located_objects import MAX_PLOTTED, plot_located
from caudex.experience.rendered import RenderedBatches, RenderedImages, render_images
from caudex.models.locator import Locator
from caudex.signals import Regression

TEST_SEED = 1 << 31
"""of the scenes that are tested on: the same for all runs, and no training's"""
TABLETOP = "tabletop"


@dataclass
class Localization(System):
    """Find an object on a table, in cm, from one image, trained on rendered images with random looks (Tobin et al. 2017)."""

    scene: str = TABLETOP
    """tabletop (packaged), or a file in MuJoCo's format, MJCF"""
    shape: Literal[tuple(SOLIDS)] = "cone"
    """of the object of interest; the others distract"""
    object_name: str = "object"
    """the body to find, in a scene of your own"""
    table_name: str = "table"
    """the geom that it stands on there, a box or a plane; positions are relative to its centre"""
    camera_name: str = ""
    """the camera there; the first by default"""
    off: tuple[str, ...] = ()
    """rows of the randomiser that do not vary: textures colours lights brightness camera angle fov distractors shapes sizes noise"""
    textures: int = 1000
    """different textures"""
    shadows: bool = True
    """shadows in training; without them rendering is faster"""
    images: int = 20_000
    """images to learn from"""
    test_images: int = 400
    """rendered images to test on, of each kind"""
    photos: str | None = None
    """a folder of photos with positions.csv (path,x,y in cm) to test on, too"""
    size: int = 64
    """side of the images in pixels"""
    steps: int = 3000
    batch: int = 64
    """images a step"""
    width: int = 16
    """channels of the first stage"""
    depth: int = 1
    """residual blocks in each of three stages"""
    stride: int = 2
    """of the first convolution; 1 sees finer detail and costs four times as much"""
    lr: float = 3e-3
    """learning rate"""
    average: float = 0.99
    """decay of the averaged weights that predict"""

    scales: ClassVar = {"tiny": {"images": 250, "test_images": 50, "size": 32, "steps": 20, "width": 8, "textures": 50}}
    spec_type: ClassVar = ImageSpec
    results_type: ClassVar = dict[str, result_kinds.LocationErrors]
    measure: ClassVar = f"objects found within {NEAR:g} cm, held-out looks"
    statement: ClassVar = (
        "random looks in training find objects under looks never rendered before, where one fixed look does not"
    )

    def train(self, run: Run) -> Locator:
        stage = self.open_stage()
        spec = ImageSpec(
            (3, self.size, self.size), target="number", target_name="x, y (cm)", number=(0.0, spread(stage)),
            counts={"labelled": self.images, "test": self.test_images},
        )  # fmt: skip
        run.write_spec(spec)
        tests, scenes = self.test_sets(run, stage, spec)
        randomiser = stage.randomiser(**self.looks, off=self.off, seed=derive_seed(self.seed, "looks"))
        rendered = render_images(stage, randomiser, self.images, silent=run.main.quiet)
        stage.close()
        plot_image_tiles(run, "looks", list(rendered.images[:40]), columns=8)
        model = self.fit_positions(run.stage("training"), spec, rendered)
        with run.counting(model):
            predictions = {name: model.positions(test.images) for name, test in tests.items()}
        results = {name: location_errors(predictions[name], test.positions) for name, test in tests.items()}
        run.write_json("results", results)
        for name, test in tests.items():
            plot_located(run, name, test, predictions[name], scenes.get(name, []))
        return model

    def open_stage(self) -> MuJoCoStage:
        shadow_size = SHADOW_SIZE if self.shadows else 0
        if self.scene == TABLETOP:
            return MuJoCoStage(self.size, shadow_size)
        check_trusted(self.scene, f"renders the scene {self.scene}")
        return OwnStage(self.scene, self.object_name, self.table_name, self.camera_name, self.size, shadow_size)

    @property
    def looks(self) -> dict:
        """What every randomiser of this training has."""
        return {"shape": self.shape, "num_textures": self.textures}

    def test_sets(
        self, run: Run, stage: MuJoCoStage, spec: ImageSpec
    ) -> tuple[dict[str, RenderedImages], dict[str, list[Scene]]]:
        """Photos where they are given; looks outside of the ranges of training and within, drawn anew, with all rows of the
        randomiser whatever was `off`; and the first scenes of these."""
        tests, scenes = {}, {}
        if self.photos:
            check_trusted(self.photos, f"reads the photos {self.photos}")
            images, positions, skipped = read_positions(self.photos, ImageFormat.from_spec(spec))
            run.table("skipped", [{"file": file, "reason": reason} for file, reason in skipped])
            print_once(
                run, f"{counted(len(images), 'photo')} to test on; {describe_skipped(skipped) or 'none is left out'}"
            )
            tests["photos"] = RenderedImages(images, positions)
        looks = {"shape": self.shape, "num_textures": 1000, "seed": TEST_SEED}
        for name, held_out in (("held-out looks", True), ("training looks", False)):
            randomiser = stage.randomiser(**looks, held_out=held_out)
            tests[name] = render_images(stage, randomiser, self.test_images, silent=run.main.quiet)
            scenes[name] = randomiser.scenes(range(min(self.test_images, MAX_PLOTTED)))
        return tests, scenes

    def fit_positions(self, run: Run, spec: ImageSpec, rendered: RenderedImages) -> Locator:
        with run.seeded("weights"):
            learner = self.learner(spec)
        learner.trunk.standardise.set_statistics(rendered.images[:2000])
        source = RenderedBatches(rendered, self.batch, run.seed)
        return Locator(fit(learner, {"position": source}, **self.budget(1.0), run=run), spec)

    def learner(self, spec: ImageSpec) -> Learner:
        trunk = trunks.SpatialSoftmax(trunks.ResNet(3, self.width, self.depth, stride=self.stride))
        mean, std = torch.tensor(spec.number, dtype=torch.float64)[:, None].expand(2, 2)
        signals = {"position": Regression(mean.clone(), std.clone())}
        return Learner(trunk, signals, partial(AdamW, lr=self.lr, fused=True), cosine_schedule, average=self.average)

    def model(self, spec: ImageSpec) -> Locator:
        return Locator(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        return location_rows(results)

    def warn(self, results: dict) -> list[str]:
        return location_warnings(results)

    def claim(self, run: Run) -> Claim:
        """One fixed look with the same budget is the baseline, the table's centre the control."""
        looks = {"random": self, "fixed": replace(self, off=tuple(ROWS))}
        measured = {}
        for name, system in looks.items():
            part = run.stage(name)
            system.train(part)
            measured[name] = part.read_json("results")
        random, fixed = (measured[name]["held-out looks"] for name in looks)
        return Claim(
            self.statement,
            random["near"],
            {"one fixed look": fixed["near"]},
            {
                "error of random looks, cm": random["error"],
                "error of one fixed look, cm": fixed["error"],
                "error of the table's centre, cm": random["chance"],
                "error of random looks on training looks, cm": measured["random"]["training looks"]["error"],
            },
            {"the table's centre": random["near_chance"]},
        )

    def check(self) -> None:
        if self.also:
            raise CaudexError(f"--also {' '.join(self.also)}: localization has its one head alone; leave it out.")
        super().check()
        check_rows(self.off)
        check_range(self, textures=(1, 1_000_000), images=(2, 1_000_000), test_images=(2, 100_000), size=(16, 512))
        check_range(self, batch=(2, 4096), width=(4, 4096), depth=(1, 100), stride=(1, 4), lr=(1e-8, 10))
        check_range(self, average=(0, 0.99999))


def spread(stage: MuJoCoStage) -> float:
    """The standard deviation of positions that are even over the table, cm."""
    return float(100 * np.sqrt(np.mean(np.square(stage.half)) / 3))
