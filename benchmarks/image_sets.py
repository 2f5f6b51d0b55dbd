"""What the benchmarks of advise, doctor, suggest and audit share: how they read labelled images, and how they write their tables."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from caudex.data import ImageSet
from caudex.data.stratified import seeded_permutation
from caudex.systems.encoded import read_encoded

RESULTS = Path(__file__).parents[1] / "results"


def read_labelled(name: str, max_images: int | None = None) -> tuple[ImageSet, nn.Module | None]:
    """The labelled images of a set, a random part of them where they are too many, and the encoder that `read_encoded` gives."""
    unsplit, encoder = read_encoded(name, None, "auto", 0, False)
    images = unsplit.images.take(unsplit.images.is_labelled)
    if max_images:
        images = images.take(seeded_permutation(len(images), 0, "of many")[:max_images])
    return replace(images, hidden_labels=None), encoder


def write_table(name: str, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """results/NAME.csv"""
    with (RESULTS / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
