"""What the systems that learn from images share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from caudex import trunks
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import check_range
from caudex.core.trunk import Trunk
from caudex.data import Split
from caudex.data.images.decode import far_off

TRUNKS = ("small", "resnet50")


@dataclass
class ImageSystem:
    """The settings of systems that learn from images: fields only, so that what a system does stands in its file."""

    data: str = "digits"
    """digits, patches, fashion-mnist, a folder (labelled/CLASS/, unlabelled/), an .npz, a .csv or hf:NAME"""
    labels: str | None = None
    """a CSV file path,label for the images of the folder; what it does not name is unlabelled"""
    size: int = 0
    """side of the images in pixels; 0 chooses, from 16 to 64"""
    batch: int = 80
    """images a step"""
    mirror: bool | None = None
    """also mirror images at random; default: colour images only"""
    trunk: str = "small"
    """small: a residual net of three stages; resnet50: the publications' (He et al. 2016), for large images"""
    width: int = 16
    """channels of the first stage; 64 in the published resnet50"""
    depth: int = 1
    """residual blocks in each of three stages of the small trunk"""
    stride: int = 2
    """of the small trunk's first convolution; 1 sees finer detail and costs four times as much"""
    lr: float = 3e-3
    """learning rate"""
    decay: float = 0.05
    """weight decay"""
    average: float = 0.99
    """decay of the averaged weights that label and predict"""

    accepts: ClassVar = ("labelled", "unlabelled", "pairs")


def spec_of(split: Split) -> ImageSpec:
    """What must be known to rebuild a classifier without its data."""
    columns = {name: tuple(classes) for name, (_, classes) in split.labelled.columns.items()}
    counts = {"labelled": len(split.labelled), "unlabelled": len(split.unlabelled), "test": len(split.test)}
    return ImageSpec(tuple(split.labelled.shape), tuple(split.labelled.classes), columns, counts)


def record_spec(run: Run, split: Split) -> ImageSpec:
    """The spec of the split, written down; what could not be read; and a word on images of which much was cut away."""
    spec = spec_of(split)
    run.write_spec(spec)
    run.table("skipped", [{"file": file, "reason": reason} for file, reason in split.skipped])
    parts = (split.labelled, split.unlabelled, split.test)
    names = (part.name(i) for part in parts for i in range(len(part)))
    if said := far_off(names, torch.cat([part.cut for part in parts]), split.labelled.shape):
        print_once(run, said)
    return spec


def found(spec: ImageSpec) -> str:
    """What there is to learn from, in words."""
    counts = ", ".join(f"{count:,} {part}" for part, count in spec.counts.items() if count or spec.classes)
    classes = f"{len(spec.classes)} classes; " if spec.classes else ""
    return f"{classes}{counts} images of {spec.shape[1]} x {spec.shape[2]}"


def mirrored(settings: ImageSystem, spec: ImageSpec) -> bool:
    """Whether images may be mirrored: where it is asked for, or they are in colour."""
    return spec.shape[0] == 3 if settings.mirror is None else settings.mirror


def network(
    settings: ImageSystem, spec: ImageSpec, width: int | None = None, dropout: float = 0.0, survival: float = 1.0
) -> Trunk:
    """The trunk that the settings name."""
    channels, side, width = spec.shape[0], min(spec.shape[1:]), width or settings.width
    if settings.trunk == "resnet50":
        return trunks.ResNet50(channels, width / 64, small=side <= 64)
    return trunks.ResNet(channels, width, settings.depth, dropout, survival, stride=settings.stride)


def check_network(settings: ImageSystem) -> None:
    check_range(settings, batch=(2, 1 << 20), width=(4, 4096), depth=(1, 100), stride=(1, 4))
    check_range(settings, lr=(1e-8, 10), decay=(0, 10), average=(0, 0.99999))
    if settings.trunk not in TRUNKS:
        raise CaudexError(f"--trunk {settings.trunk} is unknown; choose {' or '.join(TRUNKS)}.")
