"""next-frame: what happens next in the video?"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import data, trunks
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System, check_range
from caudex.core.trunk import Trunk
from caudex.data import ClipBatches, ClipSplit
from caudex.data.sampling import evenly
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.frame_strips import plot_frame_strips
from caudex.evaluation.probing import linear_probe_accuracy
from caudex.models.encoder import Encoder, features, recalibrate
from caudex.signals import NextFrame as Signal

STILL = 1e-5
"""squared error of a copy, of pixels in [0, 1]; below it the ratio to it tells nothing"""


@dataclass
class NextFrame(System):
    """Videos without labels: predict the next frame from those before it (Mathieu et al. 2016).

    Measures the error on held-out videos against that of copying the last frame, and a linear probe of the trunk where
    the videos lie in class folders.
    """

    data: str = "sprites"
    """sprites (moving shapes, made by the program), a folder of videos or of folders of frames, or an .npz"""
    size: int = 0
    """side of the frames in pixels; 0 chooses"""
    steps: int = 1000
    batch: int = 32
    """windows a step"""
    before: int = 2
    """frames that are seen before the one that is predicted"""
    apart: int = 1
    """frames from one of a window to the next; more for films with many frames a second"""
    width: int = 16
    """channels of the first stage"""
    depth: int = 1
    """residual blocks in each of three stages"""
    stride: int = 1
    """of the first convolution"""
    lr: float = 3e-3
    """learning rate"""
    average: float = 0.99
    """decay of the averaged weights that predict"""

    scales: ClassVar = {"tiny": {"steps": 30, "width": 8, "batch": 16}}
    accepts: ClassVar = ("frames",)
    measure: ClassVar = "share of a copy's squared error that is avoided"
    statement: ClassVar = "what comes next in a video is told better than by copying its last frame"

    def train(self, run: Run) -> Encoder:
        clips = data.load_videos(self.data, frames=1 + self.before * self.apart, size=self.size, seed=self.seed)
        if len(clips.test) == 0:
            out = "".join(f" Left out: {file}, {reason}." for file, reason in clips.skipped[:1])
            raise CaudexError(f"{self.data} has one video of use; a second one is needed to test on.{out}")
        spec = ImageSpec(tuple(clips.train.shape))
        run.write_spec(spec)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in clips.skipped])
        side = spec.shape[1]
        print_once(run, f"{len(clips.train):,} videos to learn from, {len(clips.test):,} to test on, {side} x {side}")
        with run.seeded("weights"):
            made = self.learner(spec)
        frames = clips.train.windows(1)
        made.trunk.standardise.measure(frames.fetch(slice(None, None, max(1, len(frames) // 2000)))[:, 0])
        random = deepcopy(made.trunk)  # as it was before it learned
        source = ClipBatches(clips.train, self.batch, run.seed, self.before + 1, self.apart)
        test = self.windows(clips)
        sources = {"next-frame": source} | self.feed(self.extra_signals(spec), frames=source)
        fit(made, sources, **self.budget(1.0), run=run.stage("pretraining"), evaluate=lambda made: _errors(made, test))
        model = Encoder(made, spec)
        with run.counting(model):
            results = {"next frame": _errors(made, test), "tested": len(test)}
            results |= self.probes(clips, model.trunk, random)
        self.draw(run, model, test)
        run.write_json("results", results)
        return model

    def learner(self, spec: ImageSpec) -> Learner:
        trunk = trunks.ResNet(spec.shape[0], self.width, self.depth, stride=self.stride)
        signals = self.joined({"next-frame": Signal(self.before)}, spec)
        return Learner(trunk, signals, partial(AdamW, lr=self.lr, fused=True), cosine_schedule, average=self.average)

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def windows(self, clips: ClipSplit, most: int = 500) -> Tensor:
        """Windows of held-out videos, evenly spread: uint8 [N, T, C, H, W]."""
        every = clips.test.windows(self.before + 1, self.apart)
        return every.fetch(evenly(len(every), most))

    def probes(self, clips: ClipSplit, taught: Trunk, random: Trunk) -> dict:
        """Linear probes of middle frames, where held-out and other videos have labels."""
        known, test = (
            (part.frames[part.starts + part.lengths // 2], part.labels) for part in (clips.train, clips.test)
        )
        if len(known[1].unique()) < 2 or min(known[1].min(), test[1].min()) < 0:
            return {}
        found = {}
        for name, trunk in {"linear probe": deepcopy(taught), "random trunk": random}.items():
            recalibrate(trunk, known[0])
            here, there = (features(trunk, frames)["stage3"] for frames, _ in (known, test))
            found[name] = linear_probe_accuracy(here, known[1], there, test[1])
        return found

    def draw(self, run: Run, model: Encoder, test: Tensor, count: int = 6) -> None:
        """A strip for each of a few windows: what was seen, what was predicted, what came, and where they differ."""
        model = deepcopy(model).cpu()
        shown = test[evenly(len(test), count)].float() / 255
        with torch.no_grad():
            told = model.signals["next-frame"].predict(model.trunk, shown[:, :-1]).clamp(0, 1)
        names = [*(f"seen {i + 1}" for i in range(self.before)), "predicted", "came", "difference"]
        strips = torch.cat([shown[:, :-1], told[:, None], shown[:, -1:], (told - shown[:, -1]).abs()[:, None]], 1)
        plot_frame_strips(run, "next-frames", names, strips)

    def result_rows(self, results: dict) -> list[tuple]:
        found = results["next frame"]
        rows = [("", "figure"), ("squared error", f"{found['squared error']:.5f}")]
        rows += [("of copying the last frame", f"{found['of a copy']:.5f}"), ("ratio", f"{found['ratio']:.2f}")]
        rows.append(("windows tested", f"{results['tested']:,}"))
        return rows + [(name, f"{results[name]:.1%}") for name in ("linear probe", "random trunk") if name in results]

    def claim(self, run: Run) -> Claim:
        """The share of a copy's squared error that is avoided."""
        self.train(run)
        results = run.read_json("results")
        found = results["next frame"]
        further = {name: results[name] for name in ("linear probe", "random trunk") if name in results}
        further |= {name: found[name] for name in ("squared error", "of a copy")}
        return Claim(self.statement, 1 - found["ratio"], {"copy of the last frame": 0.0}, further)

    def warn(self, results: dict) -> list[str]:
        found = results["next frame"]
        if found["of a copy"] <= STILL:
            return ["hardly anything moves: a copy of the last frame is right already; try a larger --apart."]
        return ["a copy of the last frame is no worse; try more --steps."] if found["ratio"] >= 1 else []

    def check(self) -> None:
        super().check()
        check_range(self, batch=(2, 1 << 20), before=(1, 16), apart=(1, 1000), width=(4, 4096), depth=(1, 100))
        check_range(self, stride=(1, 4), lr=(1e-8, 10), average=(0, 0.99999))


@torch.no_grad()
def _errors(made: Learner, test: Tensor) -> dict[str, float]:
    """Of the averaged weights on windows uint8 [N, T, C, H, W]: squared errors, theirs over a copy's."""
    trunk, signals = made.averaged
    own = copied = 0.0
    for part in test.split(100):
        frames = part.to(trunk.standardise.mean.device).float() / 255
        told = signals["next-frame"].predict(trunk, frames[:, :-1])
        own += (told - frames[:, -1]).square().sum().item()
        copied += (frames[:, -2] - frames[:, -1]).square().sum().item()
    count = test[:, -1].numel()
    return {"squared error": own / count, "of a copy": copied / count, "ratio": own / max(copied, 1e-12)}
