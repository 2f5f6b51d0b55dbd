"""Rendered images with the place of their object: kept on disk in parts, so that interrupted rendering goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor

from caudex.core.disk import lock_folder, parse_tensors, serialize_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.fetch import cache_folder
from caudex.core.progress import ProgressBar
from caudex.data import Batches, ImageSet, InMemoryImages
from caudex.data.images.image_set import NumberedNames
from caudex.envs.scenes.path_traced import PathTracedStage
from caudex.envs.scenes.randomiser import ROWS, Randomiser
from caudex.envs.scenes.stage import MuJoCoStage

PART = 250
"""images of a file"""
SLOW_PART = 20
"""of images that take a second each: what a render that is cut off loses at most"""
AnyStage = MuJoCoStage | PathTracedStage
FORMAT = 1
"""of what is rendered; another number when the stage's images change"""


class RenderedImages(NamedTuple):
    """Images, and where the object of each stands in the table's frame."""

    images: Tensor  # uint8 [N, 3, S, S]
    positions: Tensor  # float64 [N, 2], cm


class RenderedBatch(NamedTuple):
    """A batch for `Regression`. The observation stands first."""

    observations: Tensor  # float [B, 3, S, S] in [0, 1]
    numbers: Tensor  # float64 [B, 2], cm
    index: Tensor  # [B] where each stands in its set


class RenderedBatches(Batches):
    """Endless shuffled batches of rendered images, as `Batches` makes them; resumed exactly."""

    def __init__(self, rendered: RenderedImages, size: int, seed: int = 0):
        store = InMemoryImages(rendered.images, NumberedNames("rendered", len(rendered.images)))
        super().__init__(ImageSet(store, rendered.positions, ()), size, seed)

    def _make_batch(self, index: Tensor, images: Tensor) -> RenderedBatch:
        return RenderedBatch(images, self.images.labels[index], index)


def render_images(
    stage: AnyStage, randomiser: Randomiser, count: int, folder: Path | None = None, silent: bool = False
) -> RenderedImages:
    """The scenes number 0 to `count` of the randomiser, each a function of its settings and the number alone.

    `folder` is by default one of the cache, by a hash of everything that the images follow from; each part of 250 images (20
    where they are path-traced) is a file, beside it draws-NNNNN.jsonl with what each row of the randomiser drew for each image. Parts that are there are
    read; one that is cut off or damaged is rendered again. CaudexError where the disk has no room.
    """
    folder = folder or cache_folder() / "rendered" / settings_hash(stage, randomiser)
    size = SLOW_PART if isinstance(stage, PathTracedStage) else PART
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
    parts = []
    with lock_folder(folder, wait=True), ProgressBar("rendering", count, silent=silent) as progress:
        for start in range(0, count, size):
            file = folder / f"{start // size:05d}.safetensors"
            part = read_part(file, size, stage.size)
            if part is None:
                part = render_part(stage, randomiser, range(start, start + size), file)
            parts.append(part)
            progress.advance(size, lambda: f"{min(count, int(progress.completed)):,} of {count:,} images")
    return RenderedImages(*(torch.cat(tensors)[:count] for tensors in zip(*parts)))


def render_part(stage: AnyStage, randomiser: Randomiser, numbers: Sequence[int], file: Path) -> RenderedImages:
    """Render these scenes and write them; the images last, for they say that the part is whole."""
    images, scenes = [], randomiser.scenes(numbers)
    for scene in scenes:
        stage.show(scene)
        images.append(stage.render())
    positions = torch.tensor([scene.label for scene in scenes], dtype=torch.float64)
    part = RenderedImages(torch.from_numpy(np.stack(images)), positions)
    lines = (msgspec.json.encode({"number": n, **scene.draws}) for n, scene in zip(numbers, scenes))
    with explain_failure(file.parent):
        write_atomically(file.with_name(f"draws-{file.stem}.jsonl"), b"\n".join(lines) + b"\n")
        write_atomically(file, serialize_tensors(part._asdict()))
    return part


def read_part(file: Path, size: int, side: int) -> RenderedImages | None:
    """None where it is not there, or not what was written."""
    try:
        tensors = parse_tensors(file.read_bytes(), file)
        part = RenderedImages(tensors["images"], tensors["positions"])
    except (OSError, CaudexError, KeyError):
        return None
    shapes = {"images": (size, 3, side, side), "positions": (size, 2)}
    fits = all(getattr(part, name).shape == shape for name, shape in shapes.items())
    is_typed = part.images.dtype == torch.uint8 and part.positions.dtype == torch.float64
    return part if fits and is_typed and part.positions.isfinite().all() else None


def settings_hash(stage: AnyStage, randomiser: Randomiser) -> str:
    """Of all that the images follow from: the stage, the randomiser, and the simulator that paints."""
    settings = {"stage": stage.description, "mujoco": version("mujoco"), "rows": ROWS, "format": FORMAT}
    fields = asdict(randomiser) | {"camera": msgspec.to_builtins(randomiser.camera), "off": sorted(randomiser.off)}
    return sha256(json.dumps(settings | fields, sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def explain_failure(folder: Path) -> Iterator[None]:
    """OSError becomes a sentence that names the folder and the way out."""
    try:
        yield
    except OSError as error:
        raise CaudexError(
            f"images cannot be kept in {folder} ({error.strerror}); make room, or set CAUDEX_CACHE to another folder."
        ) from None
