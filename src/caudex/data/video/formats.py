"""load_videos: from the name of a dataset, or a path, to videos, some of them held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.files import not_found_message
from caudex.data.images import arrays
from caudex.data.images.decode import ImageFormat, common_format
from caudex.data.images.formats import check_size_and_test_share
from caudex.data.images.image_set import NumberedNames
from caudex.data.images.opening import MIN_SIDE
from caudex.data.stratified import apportion, stratified_sample
from caudex.data.video.folders import FirstFrames, check_frames_fit, read_video_folder
from caudex.data.video.sprites import SPRITE_KINDS, make_sprites, sprite_labels
from caudex.data.video.video_set import VideoSet, VideoSplit

SPRITES_SHAPE = 500, 20, 32  # clips, frames, side


def load_videos(spec: str, *, frames: int = 3, size: int = 0, seed: int = 0, test_share: float = 0.2) -> VideoSplit:
    """The videos of `spec` that have at least `frames` frames: those to train on and, held out whole, those to test on.

    `spec` is sprites (drawn by `seed`), an .npz (uint8 `videos` or `x`, [N, T, H, W] or [N, T, H, W, C]), or a folder
    of videos: .gif, animated .webp and .png, .mp4 .avi .mov .mkv .webm, or folders of frame images, frame2 before
    frame10. If they lie one level deeper, in class folders, these are their labels. A folder train/ with test/ or val/
    beside it holds such folders, or videos, and the other is the test. `size` is the side of the square
    frames; 0 takes what suits the files, at least 16. `test_share` of the videos is held out, drawn by `seed`, of each
    class in proportion. Raises CaudexError on whatever a user can mend.
    """
    if frames < 2:
        raise CaudexError(f"{frames} frames are too few; a next frame needs at least two.")
    check_size_and_test_share(size, test_share)
    videos, skipped, is_test = _read_video_spec(spec, size, seed)
    short = videos.lengths < frames
    skipped += [
        (videos.names[i], _too_short(int(videos.lengths[i]), frames)) for i in short.nonzero().flatten().tolist()
    ]
    videos = videos.take((~short).nonzero().flatten())
    if not len(videos):
        name, reason = skipped[0]
        raise CaudexError(
            f"{spec} has no video of at least {frames} frames; the first of {len(skipped):,} left out is {name} "
            f"({reason}). Give longer ones; the frame images of a video go into a folder of its own."
        )
    if is_test is None:
        is_test = torch.zeros(len(videos), dtype=torch.bool)
        is_test[_sample_test_videos(videos.labels, seed, test_share)] = True
    else:
        is_test = is_test[~short]
    return VideoSplit(videos.take((~is_test).nonzero().flatten()), videos.take(is_test.nonzero().flatten()), skipped)


def _too_short(count: int, required: int) -> str:
    return "it has one frame; a next frame needs at least two" if count == 1 else f"{count} of {required} frames"


def _sample_test_videos(labels: Tensor, seed: int, share: float) -> Tensor:
    """Rows of the test videos: at least one if there are two videos, and never all."""
    groups = labels + 1  # those without a label are a group of their own
    total = min(len(labels) - 1, max(1, round(len(labels) * share))) if share else 0
    return stratified_sample(groups, apportion(torch.bincount(groups).tolist(), total), seed, "test share")


def _read_video_spec(spec: str, size: int, seed: int) -> tuple[VideoSet, list[tuple[str, str]], Tensor | None]:
    """The videos, (path, reason) of those left out, and which are a given test, bool [N]; None where none is given."""
    path = Path(spec).expanduser()
    if spec == "sprites":
        return _sprites(size, seed), [], None
    if path.is_dir():
        return read_video_folder(path, size)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _npz(path, size), [], None
    raise CaudexError(not_found_message(spec, "a folder of videos or an .npz", ["sprites"], "set of videos"))


def _sprites(size: int, seed: int) -> VideoSet:
    count, length, side = SPRITES_SHAPE
    side = size or side
    check_frames_fit("sprites", count * length * 3, side)
    frames = make_sprites(count, length, side, seed).flatten(0, 1)
    return _equal_length_videos(frames, sprite_labels(count, seed), SPRITE_KINDS, NumberedNames("sprites", count))


def _npz(path: Path, size: int) -> VideoSet:
    contents = arrays.read_npz_arrays(path)
    name = next((name for name in ("videos", "x") if name in contents), None)
    if name is None:
        raise CaudexError(f"{path} has the arrays {', '.join(contents)}; it needs one called videos, or x.")
    pixels = contents[name]
    description = f"{pixels.dtype} {list(pixels.shape)}"
    pixels = pixels[..., None] if pixels.ndim == 4 else pixels
    if (
        (pixels.dtype, pixels.ndim) != (np.uint8, 5)
        or min(pixels.shape[:2]) < 1
        or min(pixels.shape[2:4]) < MIN_SIDE
        or pixels.shape[4] not in (1, 3)
    ):
        raise CaudexError(
            f"{path}: {name} is {description}; videos are uint8 [N, T, H, W] or [N, T, H, W, 1 | 3], "
            f"a side at least {MIN_SIDE} pixels."
        )
    count = len(pixels)
    frames = torch.from_numpy(pixels).flatten(0, 1).permute(0, 3, 1, 2).contiguous()  # [N T, C, H, W]
    first_frame = FirstFrames([name], lambda _: Image.fromarray(frames[0, 0].numpy()))
    image_format = common_format(first_frame, ImageFormat((0, size, size)))
    side = image_format.shape[1]
    check_frames_fit(path, len(frames) * frames.shape[1], side)
    if frames.shape[2:] != (side, side):
        frames = arrays.fit_images(frames, image_format)
    return _equal_length_videos(frames, torch.full((count,), -1), (), NumberedNames(path.name, count))


def _equal_length_videos(frames: Tensor, labels: Tensor, classes: tuple[str, ...], names: Sequence[str]) -> VideoSet:
    """Videos of equal length, one for each name."""
    count, length = len(names), len(frames) // len(names)
    return VideoSet(frames, torch.arange(count) * length, torch.full((count,), length), labels, classes, names)
