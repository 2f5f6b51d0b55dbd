"""load_images: from the name of a dataset, or a path, to images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.specs import MAX_IMAGE_SIDE
from caudex.data.files import describe_skipped, not_found_message
from caudex.data.images import arrays
from caudex.data.images.csv_labels import read_csv_labels
from caudex.data.images.decode import (
    MIN_DEFAULT_SIDE,
    MIN_SIDE,
    SUFFIXES,
    common_format,
    cropped_share,
    decode_images,
    describe_cropping,
)
from caudex.data.images.folders import read_image_folder
from caudex.data.images.hub import read_hub
from caudex.data.images.image_set import InMemoryImages, Split
from caudex.data.images.paths import image_finder
from caudex.data.images.pixel_range import PixelRange, describe_range
from caudex.data.images.splits import UnsplitImages, split_images

PACKAGED_IMAGES = {
    "digits": arrays.load_digits,
    "patches": arrays.load_patches,
    "fashion-mnist": arrays.load_fashion_mnist,
}
KNOWN_NAMES = (*PACKAGED_IMAGES, "hf:NAME")


def load_images(
    spec: str,
    *,
    labels: str | None = None,
    labels_per_class: int | None = None,
    size: int = 0,
    seed: int = 0,
    test_share: float = 0.2,
    need_labels: bool = True,
    label_seed: int | None = None,
) -> Split:
    """The labelled, the unlabelled and the test images of `spec`.

    `spec` is digits, patches, fashion-mnist, hf:NAME, a folder (as `find_layout` reads it, or of idx files), an .npz or a
    .csv (path,label). `labels` is such a .csv for the images of a folder; what it
    does not name is unlabelled. `labels_per_class` keeps that many labels a class, drawn by `label_seed` (else `seed`), and
    hides the others; None keeps all. `size` is the side of the square images; 0 takes what suits the files, at least 16. Without a test of
    its own, `test_share` of the labelled is held out, drawn by `seed`; nothing where a class has fewer than five.
    Without `need_labels` there may be none at all: images for signals that need none.
    Raises CaudexError on whatever a user can mend.
    """
    if labels_per_class is not None and labels_per_class < 1:
        raise CaudexError(f"{labels_per_class} labels a class are too few; keep at least 1.")
    check_size_and_test_share(size, test_share)
    images = _read_image_spec(spec, labels, size, need_labels)
    label_seed = seed if label_seed is None else label_seed
    return split_images(images, labels_per_class, seed, label_seed, test_share, need_labels)


def check_size_and_test_share(size: int, test_share: float) -> None:
    """Raises CaudexError where one of these settings of `load_images` and `load_videos` is out of range."""
    if size and not MIN_SIDE <= size <= MAX_IMAGE_SIDE:
        raise CaudexError(
            f"A size of {size} makes no sense; give one from {MIN_SIDE} to {MAX_IMAGE_SIDE}, or 0 to choose."
        )
    if not 0 <= test_share < 1:
        raise CaudexError(f"A test share of {test_share} makes no sense; give one from 0 up to, not including, 1.")


class ReadImages(NamedTuple):
    """What `read_images` returns."""

    images: Tensor  # uint8 [N, C, H, W]
    names: list[str]
    skipped: list[tuple[str, str]]  # (path, reason) of files that cannot be read
    notes: list[str]  # sentences on how they were read


def read_images(paths: Iterable[str], shape: tuple[int, int, int], pixel_range: PixelRange | None = None) -> ReadImages:
    """The images of files and folders as a model wants them, in the order of `image_files(paths)`; `pixel_range` is that of
    the set it learned from, else those of more than 8 bits are scaled from their own. CaudexError as in `image_files`."""
    names, skipped = image_files(paths)
    if pixel_range is None:
        with contextlib.suppress(CaudexError):
            pixel_range = common_format(names, MIN_SIDE).pixel_range
    pixels, unreadable, cropped_shares = decode_images(names, range(len(names)), shape, pixel_range, progress=True)
    readable = torch.ones(len(names), dtype=torch.bool)
    readable[[row for row, _ in unreadable]] = False
    notes = [describe_cropping(names, cropped_shares, shape), describe_range(pixel_range)]
    return ReadImages(
        pixels[readable],
        [name for name, is_readable in zip(names, readable.tolist()) if is_readable],
        skipped + [(names[row], reason) for row, reason in unreadable],
        [note for note in notes if note],
    )


def image_files(paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Each file itself, and for each folder the images in it and below, by name; and (path, reason) of what is passed over
    there. CaudexError for a path that is not there, or if there is no image at all."""
    paths, names, skipped = list(paths), [], []
    for path in paths:
        if Path(path).is_dir():
            finder = image_finder(path)
            names += [str(Path(path, os.fsdecode(name))) for name in finder.below()]
            skipped += finder.skipped
        elif Path(path).exists():
            names.append(str(path))
        else:
            raise CaudexError(f"{path} is not there; give files or folders of images.")
    if not names:
        left_out = f" ({describe_skipped(skipped)})" if skipped else ""
        raise CaudexError(f"{', '.join(map(str, paths))} has no image; looked for {', '.join(SUFFIXES)}{left_out}.")
    return names, skipped


def _read_image_spec(spec: str, labels: str | None, size: int, need_labels: bool) -> UnsplitImages:
    path = Path(spec).expanduser()
    if labels is not None and not path.is_dir():
        raise CaudexError(f"A table of labels ({labels}) goes with a folder of images, but {spec!r} is not a folder.")
    if labels is not None:
        return read_csv_labels(Path(labels).expanduser(), path, size)
    if spec in PACKAGED_IMAGES:
        return _resize(PACKAGED_IMAGES[spec](), size)
    if spec.startswith("hf:"):
        return read_hub(spec[3:], size)
    if path.is_dir():
        if arrays.find_idx_file(path, "train-images-idx3-ubyte"):
            return _resize(arrays.read_idx(path, path.name), size)
        return read_image_folder(path, size, need_labels)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _resize(arrays.read_npz(path, need_labels), size)
    if path.suffix.lower() == ".csv" and path.is_file():
        return read_csv_labels(path, path.parent, size)
    raise CaudexError(not_found_message(spec, "a folder of images, an .npz or a .csv", KNOWN_NAMES))


def _resize(unsplit: UnsplitImages, size: int) -> UnsplitImages:
    store = unsplit.images.store
    factor = max(1, MIN_DEFAULT_SIDE / min(store.shape[1:]))
    sides = (size, size) if size else tuple(round(side * factor) for side in store.shape[1:])
    if max(sides) > MAX_IMAGE_SIDE:
        height, width = store.shape[1:]
        raise CaudexError(f"Images of {height:,} x {width:,} are too long; give a --size, up to {MAX_IMAGE_SIDE}.")
    if store.shape[1:] == sides:
        return unsplit
    cropped_shares = torch.full((len(store),), cropped_share(store.shape[:0:-1], sides[::-1]))
    resized = InMemoryImages(arrays.resize_and_crop(store.images, *sides), store.names, cropped_shares)
    return replace(unsplit, images=replace(unsplit.images, store=resized))
