"""A set of videos, and windows of it: a few consecutive frames as one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import Source
from caudex.data.images.batches import Batches


@dataclass(frozen=True, eq=False)
class VideoSet:
    """Videos of one size and of any lengths, in memory: their frames lie one after the other.

    `labels` is int64 [N], -1 where unlabelled; `names[i]` is a path, or a name like `sprites/17`.
    """

    frames: Tensor  # uint8 [F, C, H, W]
    starts: Tensor  # int64 [N] where each video begins
    lengths: Tensor  # int64 [N]
    labels: Tensor
    classes: tuple[str, ...]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return tuple(self.frames.shape[1:])

    def video(self, i: int) -> Tensor:
        """uint8 [T, C, H, W]: all frames of video `i`."""
        return self.frames[self.starts[i] :][: self.lengths[i]]

    def take(self, index: Tensor) -> VideoSet:
        """The videos at `index` (whole numbers) as a set of their own; no frame is copied."""
        return replace(
            self,
            starts=self.starts[index],
            lengths=self.lengths[index],
            labels=self.labels[index],
            names=[self.names[i] for i in index.tolist()],
        )

    def windows(self, frames: int, step: int = 1) -> VideoWindows:
        """Every window of `frames` frames, each `step` after the one before; none crosses from one video into the next.

        A larger `step` suits films with so many frames a second that one hardly differs from the next.
        """
        if min(frames, step) < 1:
            raise CaudexError(f"{frames} frames, {step} apart, are no window; both must be at least 1.")
        counts = (self.lengths - (frames - 1) * step).clamp(min=0)  # [N]
        video_index = torch.arange(len(self)).repeat_interleave(counts)  # [W]
        offset = torch.arange(len(video_index)) - (counts.cumsum(0) - counts)[video_index]
        return VideoWindows(self, frames, step, video_index, self.starts[video_index] + offset)


@dataclass(frozen=True, eq=False)
class VideoWindows:
    """The windows of a set of videos, video by video; what `Batches` takes for images, [T, C, H, W] each."""

    videos: VideoSet
    length: int
    step: int
    video_index: Tensor  # int64 [W] which video it is from
    first_frame: Tensor  # int64 [W] the row of its first frame
    in_memory = True
    features = None
    columns = {}  # noqa: RUF012 - never mutated

    def __len__(self) -> int:
        return len(self.video_index)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, C, H, W)"""
        return self.length, *self.videos.shape

    input_shape = shape

    @property
    def labels(self) -> Tensor:
        """int64 [W]: those of their videos."""
        return self.videos.labels[self.video_index]

    def fetch(self, index) -> Tensor:
        """uint8 [B, T, C, H, W] of the windows at `index`: whole numbers, a mask or a slice."""
        return self.videos.frames[self.first_frame[index][:, None] + self.step * torch.arange(self.length)]

    inputs = fetch


@dataclass(frozen=True, eq=False)
class VideoSplit:
    """What `load_videos` returns: whole videos to train on, others held out for the test, and (path, reason) of those left
    out. `test` is empty where there is only one video: then nothing is measured, and the program says so."""

    train: VideoSet
    test: VideoSet
    skipped: list[tuple[str, str]] = field(default_factory=list)


class VideoBatch(NamedTuple):
    """The observation stands first."""

    frames: Tensor  # float [B, T, C, H, W] in [0, 1], in the order of time
    labels: Tensor  # class numbers [B], -1 where unknown
    index: Tensor  # [B] row of each among the windows


class VideoBatches(Source):
    """Endless shuffled batches of `size` windows (`VideoSet.windows`), as `Batches` are of images."""

    def __init__(self, videos: VideoSet, size: int, seed: int = 0, frames: int = 3, step: int = 1):
        self.windows = videos.windows(frames, step)
        if len(self.windows) == 0:
            raise CaudexError(
                f"none of {len(videos):,} videos has the {1 + (frames - 1) * step} frames "
                f"that a window of {frames}, {step} apart, takes; give longer ones."
            )
        self.batches = Batches(self.windows, size, seed)

    def __next__(self) -> VideoBatch:
        batch = next(self.batches)
        return VideoBatch(batch.images, batch.labels, batch.index)

    @property
    def samples_seen(self) -> int:
        return self.batches.samples_seen

    def state_dict(self) -> dict:
        return self.batches.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.batches.load_state_dict(state)
