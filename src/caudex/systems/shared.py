"""What image systems of several families share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec
import torch

from caudex import trunks
from caudex.core.console import print_once
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.core.trunk import Trunk
from caudex.data import ImageSet, Split
from caudex.data.files import describe_skipped
from caudex.data.images.decode import describe_cropping
from caudex.data.images.opening import MAX_PIXELS, MIN_SIDE
from caudex.data.labels import describe_classes
from caudex.data.stratified import class_counts
from caudex.evaluation import result_kinds
from caudex.evaluation.classification import classification_rows, majority_warning
from caudex.systems.image_trunks import check_trunk


@dataclass
class ImageSystem(System):
    """A system that learns from images: its settings, their checks, its trunk and the rows of its results."""

    data: str = "digits"
    """digits, patches, fashion-mnist, a folder (labelled/CLASS/, unlabelled/; or train/CLASS/, val/CLASS/), an .npz, a .csv or hf:NAME"""
    labels: str | None = None
    """a CSV file path,label for the images of the folder; what it does not name is unlabelled"""
    size: int = 0
    """side of the images in pixels; 0 chooses, from 16 to 64"""
    pad: bool = False
    """fit each image whole into the square, on the mean colour of photos, instead of cropping it at the centre"""
    max_pixels: int = MAX_PIXELS
    """of an image file; one of more is left out, as a decompression bomb may be; raise it for scans and panoramas"""
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

    spec_type: ClassVar = ImageSpec
    accepts: ClassVar = ("labelled", "unlabelled", "pairs")
    results_type: ClassVar = result_kinds.ImageResults
    measure: ClassVar = "test accuracy"
    takes_pretrained: ClassVar[bool] = False
    """whether --trunk can name one that learned before"""

    def load_split(self) -> Split:
        """The images that the settings name, as labelled, unlabelled and test images."""
        raise NotImplementedError

    def record_spec(self, run: Run, split: Split) -> ImageSpec:
        """Write spec.json and the table of skipped files."""
        spec = image_spec(split)
        run.write_spec(spec)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in split.skipped])
        return spec

    def print_data(self, run: Run, split: Split) -> None:
        """Print how many images there are, of which classes, how they were read, and what was left out or cut away: once in a
        run, where it fits parts of them too."""
        if "data" in run.main.printed:
            return
        run.main.printed.add("data")
        parts = (split.labelled, split.unlabelled, split.test)
        names = (part.name(i) for part in parts for i in range(len(part)))
        cropping = describe_cropping(names, torch.cat([part.cropped_shares for part in parts]), split.labelled.shape)
        sentences = [describe_images(image_spec(split)), describe_split(split), *split.notes]
        for sentence in (*sentences, describe_skipped(split.skipped), cropping):
            if sentence:
                print_once(run, sentence)

    def should_mirror(self, spec: ImageSpec) -> bool:
        """Whether images are mirrored at random: as set, else where they are in colour."""
        return spec.shape[0] == 3 if self.mirror is None else self.mirror

    def build_trunk(
        self, spec: ImageSpec, width: int | None = None, dropout: float = 0.0, survival: float = 1.0
    ) -> Trunk:
        """The trunk that the settings name, at random."""
        channels, side, width = spec.shape[0], min(spec.shape[1:]), width or self.width
        if self.trunk == "resnet50":
            return trunks.ResNet50(channels, width / 64, small_images=side <= 64)
        return trunks.ResNet(channels, width, self.depth, dropout, survival, stride=self.stride)

    def result_rows(self, results: dict) -> list[tuple]:
        """Accuracies with their intervals, on clean and on corrupted images, gains, and recall by class."""
        return classification_rows(results)

    def warn(self, results: dict) -> list[str]:
        rows = {name: row for name, row in results.items() if isinstance(row, dict)}
        predicting = next((name for name, row in rows.items() if "majority" in row), None)
        warnings = []
        for name, row in rows.items():
            if name == predicting or "column" in row:
                warnings += majority_warning(name, row)
            if "column" in row and "accuracy" not in row:
                warnings.append(
                    f"no test image has a label in column {row['column']!r}, so it is learned and not measured."
                )
        return warnings

    def check(self) -> None:
        super().check()
        check_range(self, max_pixels=(MIN_SIDE**2, float("inf")))
        check_range(self, batch=(2, 1 << 20), width=(4, 4096), depth=(1, 100), stride=(1, 4))
        check_range(self, lr=(1e-8, 10), decay=(0, 10), average=(0, 0.99999))
        check_trunk(self.trunk, self.takes_pretrained, getattr(self, "finetune", 0))


def image_spec(split: Split) -> ImageSpec:
    """What must be known of the images to rebuild a model without them."""
    columns = {name: tuple(classes) for name, (_, classes) in split.labelled.columns.items()}
    counts = {"labelled": len(split.labelled), "unlabelled": len(split.unlabelled), "test": len(split.test)}
    labelled, trunk = split.labelled, split.encoder.config if split.encoder else {}
    shape, pixel_range, pad, *_ = labelled.image_format
    spec = ImageSpec(tuple(shape), tuple(labelled.classes), columns, counts, pixel_range, pad, trunk=trunk)
    if labelled.target == "tags":
        shares = tuple(labelled.labels.double().mean(0).tolist())
        return msgspec.structs.replace(spec, target="tags", target_name=labelled.target_name, tag_shares=shares)
    if labelled.target == "number":
        number = (labelled.labels.mean().item(), labelled.labels.std(correction=0).item())
        return msgspec.structs.replace(spec, target="number", target_name=labelled.target_name, number=number)
    return spec


def describe_split(split: Split) -> str:
    """How many labelled and test images each class or tag has, or the range of the numbers, in words; "" where there are none."""
    labelled = split.labelled
    if labelled.target == "number":
        low, high = (f"{end.item():g}" for end in labelled.labels.aminmax())
        return f"{labelled.target_name}: from {low} to {high}, on average {labelled.labels.mean().item():g}"
    if labelled.target == "tags":
        counts, test_counts = (part.labels.sum(0).long().tolist() for part in (labelled, split.test))
        return f"images with each tag, labelled + to test on: {describe_classes(labelled.classes, counts, test_counts)}"
    if not labelled.classes:
        return ""
    counts, test_counts = (class_counts(part.labels, part.classes) for part in (split.labelled, split.test))
    return (
        f"images of each class, labelled + to test on: {describe_classes(split.labelled.classes, counts, test_counts)}"
    )


def describe_images(spec: ImageSpec) -> str:
    """The numbers of classes and images and the size of these, in words."""
    counts = ", ".join(f"{count:,} {part}" for part, count in spec.counts.items() if count or spec.classes)
    classes = f"{len(spec.classes)} {'tags' if spec.target == 'tags' else 'classes'}; " if spec.classes else ""
    return f"{classes}{counts} images of {spec.shape[1]} x {spec.shape[2]}"


def standardise_inputs(trunk: Trunk, images: ImageSet, labelled: ImageSet | None = None) -> None:
    """The trunk's first layer standardises by the mean and deviation of some of these images; one on features of a frozen encoder
    centres them, too, on some of the labelled."""
    inputs = [part.subsample(2000).inputs(slice(None)) for part in (images, labelled) if part is not None]
    if isinstance(trunk, trunks.FeatureTrunk):
        trunk.set_statistics(*inputs)
    else:
        trunk.standardise.set_statistics(inputs[0])
