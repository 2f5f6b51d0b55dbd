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
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.core.trunk import Trunk
from caudex.data import VideoBatches, VideoSplit
from caudex.data.sampling import evenly_spaced
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.evaluation.probing import linear_probe_accuracy
from caudex.models.encoder import Encoder, extract_features, update_bn
from caudex.signals import next_frame as signal

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
    context_frames: int = 2
    """frames that are seen before the one that is predicted"""
    frame_stride: int = 1
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
    spec_type: ClassVar = ImageSpec
    accepts: ClassVar = ("frames",)
    results_type: ClassVar = result_kinds.NextFrameResults
    measure: ClassVar = "share of a copy's squared error that is avoided"
    statement: ClassVar = "what comes next in a video is told better than by copying its last frame"

    def train(self, run: Run) -> Encoder:
        span = 1 + self.context_frames * self.frame_stride
        videos = data.load_videos(self.data, frames=span, size=self.size, seed=self.seed)
        if len(videos.test) == 0:
            skipped = "".join(f" Left out: {file}, {reason}." for file, reason in videos.skipped[:1])
            raise CaudexError(f"{self.data} has one video of use; a second one is needed to test on.{skipped}")
        spec = ImageSpec(tuple(videos.train.shape))
        run.write_spec(spec)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in videos.skipped])
        side = spec.shape[1]
        print_once(run, f"{len(videos.train):,} videos to learn from, {len(videos.test):,} to test on, {side} x {side}")
        with run.seeded("weights"):
            learner = self.learner(spec)
        frames = videos.train.windows(1)
        learner.trunk.standardise.set_statistics(frames.fetch(slice(None, None, max(1, len(frames) // 2000)))[:, 0])
        random_trunk = deepcopy(learner.trunk)
        source = VideoBatches(videos.train, self.batch, run.seed, self.context_frames + 1, self.frame_stride)
        test = self.test_windows(videos)
        sources = {"next-frame": source} | self.match_sources(self.extra_signals(spec), frames=source)

        def evaluate(learner: Learner) -> dict[str, float]:
            return squared_errors(learner, test)

        fit(learner, sources, **self.budget(1.0), run=run.stage("pretraining"), evaluate=evaluate)
        model = Encoder(learner, spec)
        with run.counting(model):
            results = {"next frame": evaluate(learner), "test_size": len(test)}
            results |= self.probe_trunks(videos, model.trunk, random_trunk)
        self.plot_predictions(run, model, test)
        run.write_json("results", results)
        return model

    def learner(self, spec: ImageSpec) -> Learner:
        trunk = trunks.ResNet(spec.shape[0], self.width, self.depth, stride=self.stride)
        signals = self.with_extra_signals({"next-frame": signal.NextFrame(self.context_frames)}, spec)
        return Learner(trunk, signals, partial(AdamW, lr=self.lr, fused=True), cosine_schedule, average=self.average)

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def test_windows(self, videos: VideoSplit, max_windows: int = 500) -> Tensor:
        """Windows of held-out videos, evenly spread: uint8 [N, T, C, H, W]."""
        windows = videos.test.windows(self.context_frames + 1, self.frame_stride)
        return windows.fetch(evenly_spaced(len(windows), max_windows))

    def probe_trunks(self, videos: VideoSplit, trunk: Trunk, random_trunk: Trunk) -> dict:
        """Linear probes of middle frames, where held-out and other videos have labels."""
        (frames, labels), (test_frames, test_labels) = (
            (part.frames[part.starts + part.lengths // 2], part.labels) for part in (videos.train, videos.test)
        )
        if len(labels.unique()) < 2 or min(labels.min(), test_labels.min()) < 0:
            return {}
        accuracies = {}
        for name, network in {"linear probe": deepcopy(trunk), "random trunk": random_trunk}.items():
            update_bn(network, frames)
            vectors, test_vectors = (extract_features(network, images)["stage3"] for images in (frames, test_frames))
            accuracies[name] = linear_probe_accuracy(vectors, labels, test_vectors, test_labels)
        return accuracies

    def plot_predictions(self, run: Run, model: Encoder, test: Tensor, count: int = 6) -> None:
        """A strip for each of a few windows: what was seen, what was predicted, what came, and where they differ."""
        model = deepcopy(model).cpu()
        windows = test[evenly_spaced(len(test), count)].float() / 255
        context, target = windows[:, :-1], windows[:, -1:]
        with torch.no_grad():
            prediction = model.signals["next-frame"].predict(model.trunk, context).clamp(0, 1)[:, None]
        names = [*(f"seen {i + 1}" for i in range(self.context_frames)), "predicted", "came", "difference"]
        strips = torch.cat([context, prediction, target, (prediction - target).abs()], 1)
        plot_image_tiles(run, "next-frames", list(strips.flatten(0, 1)), len(names), names)

    def result_rows(self, results: dict) -> list[tuple]:
        errors = results["next frame"]
        rows = [("", "figure"), ("squared error", f"{errors['squared error']:.5f}")]
        rows += [
            ("of copying the last frame", f"{errors['squared error of a copy']:.5f}"),
            ("ratio", f"{errors['ratio']:.2f}"),
        ]
        rows.append(("windows tested", f"{results['test_size']:,}"))
        return rows + [(name, f"{results[name]:.1%}") for name in ("linear probe", "random trunk") if name in results]

    def claim(self, run: Run) -> Claim:
        """The share of a copy's squared error that is avoided."""
        self.train(run)
        results = run.read_json("results")
        errors = results["next frame"]
        secondary = {name: results[name] for name in ("linear probe", "random trunk") if name in results}
        secondary |= {
            "squared error": errors["squared error"],
            "squared error of a copy": errors["squared error of a copy"],
        }
        return Claim(self.statement, 1 - errors["ratio"], {"copy of the last frame": 0.0}, secondary)

    def warn(self, results: dict) -> list[str]:
        errors = results["next frame"]
        if errors["squared error of a copy"] <= STILL:
            return ["hardly anything moves: a copy of the last frame is right already; try a larger --frame-stride."]
        return ["a copy of the last frame is no worse; try more --steps."] if errors["ratio"] >= 1 else []

    def check(self) -> None:
        super().check()
        check_range(self, batch=(2, 1 << 20), context_frames=(1, 16), frame_stride=(1, 1000), width=(4, 4096))
        check_range(self, depth=(1, 100), stride=(1, 4), lr=(1e-8, 10), average=(0, 0.99999))


@torch.no_grad()
def squared_errors(learner: Learner, test: Tensor) -> dict[str, float]:
    """Of the averaged weights on windows uint8 [N, T, C, H, W], of a copy of the last frame, and the ratio of these."""
    trunk, signals = learner.averaged
    error = copy_error = 0.0
    for part in test.split(100):
        frames = part.to(trunk.standardise.mean.device).float() / 255
        prediction = signals["next-frame"].predict(trunk, frames[:, :-1])
        error += (prediction - frames[:, -1]).square().sum().item()
        copy_error += (frames[:, -2] - frames[:, -1]).square().sum().item()
    count = test[:, -1].numel()
    ratio = error / max(copy_error, 1e-12)
    return {"squared error": error / count, "squared error of a copy": copy_error / count, "ratio": ratio}
