"""From a word or a path to videos: which reader a spec means, and which videos are held out."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images import arrays
from caudex.data.images.decode import SMALLEST_SIDE, common_shape
from caudex.data.images.image_set import Numbered
from caudex.data.images.splits import shares, stratified
from caudex.data.video.clips import Clips, ClipSplit
from caudex.data.video.loading import FirstFrames, fits, footage
from caudex.data.video.sprites import KINDS, first_kinds, make_sprites

SPRITES = 500, 20, 32  # clips, frames, side


def load_videos(spec: str, *, frames: int = 3, size: int = 0, seed: int = 0, test_share: float = 0.2) -> ClipSplit:
    """The videos of `spec` that have at least `frames` frames: those to train on and, held out whole, those to test on.

    `spec` is sprites (drawn by `seed`), an .npz (uint8 `videos` or `x`, [N, T, H, W] or [N, T, H, W, C]), or a folder
    of videos: .gif, animated .webp and .png, .mp4 .avi .mov .mkv .webm, or folders of frame images, frame2 before
    frame10. If they lie one level deeper, in class folders, these are their labels. `size` is the side of the square
    frames; 0 takes what suits the files, at least 16. `test_share` of the videos is held out, drawn by `seed`, of each
    class in proportion. Raises CaudexError on whatever a user can mend.
    """
    if frames < 2:
        raise CaudexError(f"{frames} frames are too few; a next frame needs at least two.")
    if size and not SMALLEST_SIDE <= size <= 4096:
        raise CaudexError(f"A size of {size} makes no sense; give one from {SMALLEST_SIDE} to 4096, or 0 to choose.")
    if not 0 <= test_share < 1:
        raise CaudexError(f"A test share of {test_share} makes no sense; give one from 0 up to, not including, 1.")
    clips, skipped = _found(spec, size, seed)
    short = clips.lengths < frames
    skipped += [(clips.names[i], _too_short(int(clips.lengths[i]), frames)) for i in short.nonzero().flatten().tolist()]
    clips = clips.take((~short).nonzero().flatten())
    if not len(clips):
        name, reason = skipped[0]
        raise CaudexError(
            f"{spec} has no video of at least {frames} frames; the first of {len(skipped):,} left out is {name} "
            f"({reason}). Give longer ones; the frame images of a video go into a folder of its own."
        )
    test = _held_out(clips.labels, seed, test_share)
    training = torch.ones(len(clips), dtype=torch.bool)
    training[test] = False
    return ClipSplit(clips.take(training.nonzero().flatten()), clips.take(test), skipped)


def _too_short(count: int, wanted: int) -> str:
    return "it has one frame; a next frame needs at least two" if count == 1 else f"{count} of {wanted} frames"


def _held_out(labels: Tensor, seed: int, share: float) -> Tensor:
    """Places of those for the test: at least one if there are two videos, and never all."""
    groups = labels + 1  # those without a label are a group of their own
    total = min(len(labels) - 1, max(1, round(len(labels) * share))) if share else 0
    return stratified(groups, shares(torch.bincount(groups).tolist(), total), seed, "test share")


def _found(spec: str, size: int, seed: int) -> tuple[Clips, list[tuple[str, str]]]:
    path = Path(spec).expanduser()
    if spec == "sprites":
        return _sprites(size, seed), []
    if path.is_dir():
        return footage(path, size)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _npz(path, size), []
    raise CaudexError(_unknown(spec, path))


def _sprites(size: int, seed: int) -> Clips:
    count, length, side = SPRITES
    side = size or side
    fits("sprites", count * length * 3, side)
    frames = make_sprites(count, length, side, seed).flatten(0, 1)
    return _even(frames, first_kinds(count, seed), KINDS, Numbered("sprites", count))


def _npz(path: Path, size: int) -> Clips:
    found = arrays.opened(path)
    name = next((name for name in ("videos", "x") if name in found), None)
    if name is None:
        raise CaudexError(f"{path} has the arrays {', '.join(found)}; it needs one called videos, or x.")
    pixels = found[name]
    given = f"{pixels.dtype} {list(pixels.shape)}"
    pixels = pixels[..., None] if pixels.ndim == 4 else pixels
    if (
        (pixels.dtype, pixels.ndim) != (np.uint8, 5)
        or min(pixels.shape[:2]) < 1
        or min(pixels.shape[2:4]) < SMALLEST_SIDE
        or pixels.shape[4] not in (1, 3)
    ):
        raise CaudexError(
            f"{path}: {name} is {given}; videos are uint8 [N, T, H, W] or [N, T, H, W, 1 | 3], "
            f"a side at least {SMALLEST_SIDE} pixels."
        )
    count = len(pixels)
    frames = torch.from_numpy(pixels).flatten(0, 1).permute(0, 3, 1, 2).contiguous()  # [N T, C, H, W]
    _, side, _ = common_shape(FirstFrames([name], lambda _: Image.fromarray(frames[0, 0].numpy())), size)
    fits(path, len(frames) * frames.shape[1], side)
    if frames.shape[2:] != (side, side):
        frames = arrays.resized(frames, side, side)
    return _even(frames, torch.full((count,), -1), (), Numbered(path.name, count))


def _even(frames: Tensor, labels: Tensor, classes: tuple[str, ...], names: Sequence[str]) -> Clips:
    """Videos of equal length, one for each name."""
    count, length = len(names), len(frames) // len(names)
    return Clips(frames, torch.arange(count) * length, torch.full((count,), length), labels, classes, names)


def _unknown(spec: str, path: Path) -> str:
    if path.exists():
        return f"{spec} is neither a folder nor an .npz; put videos into a folder, as some are held out for the test."
    if path.suffix or len(path.parts) > 1 or spec.endswith(os.sep):
        return f"{spec} is not there; give a folder of videos, an .npz, or sprites."
    meant = "did you mean sprites?" if difflib.get_close_matches(spec.lower(), ["sprites"]) else "known: sprites."
    return f"{spec!r} is neither a folder nor a known set of videos; {meant}"
