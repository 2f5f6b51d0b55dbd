"""load_images: from the name of a dataset, or a path, to images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from caudex.core.errors import CaudexError
from caudex.core.specs import MAX_IMAGE_SIDE
from caudex.data.files import not_found_message
from caudex.data.images import arrays
from caudex.data.images.csv_labels import read_csv_labels
from caudex.data.images.decode import MIN_DEFAULT_SIDE, ImageFormat, cropped_share
from caudex.data.images.folders import read_image_folder
from caudex.data.images.font_digits import load_font_digits, load_random_font_digits
from caudex.data.images.hub import read_hub
from caudex.data.images.image_set import InMemoryImages, Split
from caudex.data.images.mnist import load_mnist
from caudex.data.images.opening import MAX_PIXELS, MIN_SIDE
from caudex.data.images.splits import UnsplitImages, split_images

PACKAGED_IMAGES = {
    "digits": arrays.load_digits,
    "patches": arrays.load_patches,
    "fashion-mnist": arrays.load_fashion_mnist,
    "mnist": load_mnist,
    "font-digits": load_font_digits,
    "random-font-digits": load_random_font_digits,
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
    on_demand: bool = False,
    pad: bool = False,
    max_pixels: int = MAX_PIXELS,
    target: str = "class",
) -> Split:
    """The labelled, the unlabelled and the test images of `spec`.

    `spec` is one of `PACKAGED_IMAGES`, hf:NAME, a folder (as `find_layout` reads it, or of idx files), an .npz or a
    .csv (path,label). `labels` is such a .csv for the images of a folder; what it
    does not name is unlabelled. `labels_per_class` keeps that many labels a class, drawn by `label_seed` (else `seed`), and
    hides the others; None keeps all. `size` is the side of the square images; 0 takes what suits the files, at least 16. Without a test of
    its own, `test_share` of the labelled is held out, drawn by `seed`; nothing where a class has fewer than five.
    `target` is what a table's labels are: "class", "auto" (tags where its first column of labels has that name)
    or KIND:COLUMN with a kind of class, tags and number; tags and numbers need ten labelled images to hold some out.
    With `pad` each image is fitted in whole and padded, instead of cropped at the centre; one of more than `max_pixels` is
    not read. Without `need_labels` there may be none at all: images for signals that need none.
    `on_demand` leaves files undecoded until they are fetched. Raises CaudexError on whatever a user can mend.
    """
    if labels_per_class is not None and labels_per_class < 1:
        raise CaudexError(f"{labels_per_class} labels a class are too few; keep at least 1.")
    check_size_and_test_share(size, test_share)
    image_format = ImageFormat((0, size, size), pad=pad, max_pixels=max_pixels, on_demand=on_demand)
    images = read_unsplit_images(spec, labels, image_format, need_labels, target)
    if labels_per_class is not None and images.images.target != "class":
        raise CaudexError(f"{labels_per_class} labels a class cannot be kept: {images.images.target} are no classes.")
    label_seed = seed if label_seed is None else label_seed
    return split_images(images, labels_per_class, seed, label_seed, test_share, need_labels)


def has_colour(spec: str, labels: str | None = None, target: str = "auto") -> bool:
    """Whether the images of `spec`, as in `load_images`, have three channels. Raises CaudexError as that does."""
    image_format = ImageFormat((0, 0, 0), on_demand=True)
    return read_unsplit_images(spec, labels, image_format, False, target).images.shape[0] == 3


def check_size_and_test_share(size: int, test_share: float) -> None:
    """Raises CaudexError where one of these settings of `load_images` and `load_videos` is out of range."""
    if size and not MIN_SIDE <= size <= MAX_IMAGE_SIDE:
        raise CaudexError(
            f"A size of {size} makes no sense; give one from {MIN_SIDE} to {MAX_IMAGE_SIDE}, or 0 to choose."
        )
    if not 0 <= test_share < 1:
        raise CaudexError(f"A test share of {test_share} makes no sense; give one from 0 up to, not including, 1.")


def read_unsplit_images(
    spec: str, labels: str | None, image_format: ImageFormat, need_labels: bool, target: str
) -> UnsplitImages:
    """All images of `spec` with their labels, as in `load_images`; what stands in the training and the test images is not compared."""
    path = Path(spec).expanduser()
    is_table = labels is not None or (path.suffix.lower() == ".csv" and path.is_file())
    if ":" in target and not is_table:
        raise CaudexError(f"--target {target} names a column of a table; give one: --labels tags.csv (path,tags).")
    if labels is not None and not path.is_dir():
        raise CaudexError(f"A table of labels ({labels}) goes with a folder of images, but {spec!r} is not a folder.")
    if labels is not None:
        return read_csv_labels(Path(labels).expanduser(), path, image_format, target)
    if spec in PACKAGED_IMAGES:
        return _resize(PACKAGED_IMAGES[spec](), image_format)
    if spec.startswith("hf:"):
        return read_hub(spec[3:], image_format)
    if path.is_dir():
        if arrays.find_idx_file(path, "train-images-idx3-ubyte"):
            return _resize(arrays.read_idx(path, path.name), image_format)
        return read_image_folder(path, image_format, need_labels)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _resize(arrays.read_npz(path, need_labels), image_format)
    if path.suffix.lower() == ".csv" and path.is_file():
        return read_csv_labels(path, path.parent, image_format, target)
    raise CaudexError(not_found_message(spec, "a folder of images, an .npz or a .csv", KNOWN_NAMES))


def _resize(unsplit: UnsplitImages, image_format: ImageFormat) -> UnsplitImages:
    store = unsplit.images.store
    channels, *sides = store.images.shape[1:]
    size, factor = image_format.shape[1], max(1, MIN_DEFAULT_SIDE / min(sides))
    shape = (channels, size, size) if size else (channels, *(round(side * factor) for side in sides))
    if max(shape) > MAX_IMAGE_SIDE:
        height, width = sides
        raise CaudexError(f"Images of {height:,} x {width:,} are too long; give a --size, up to {MAX_IMAGE_SIDE}.")
    image_format = image_format._replace(shape=shape)
    images, cropped_shares = store.images, None
    if list(shape[1:]) != sides:
        images = arrays.fit_images(images, image_format)
        if not image_format.pad:
            cropped_shares = torch.full((len(store),), cropped_share(sides[::-1], shape[:0:-1]))
    resized = InMemoryImages(images, store.names, cropped_shares, image_format)
    return replace(unsplit, images=replace(unsplit.images, store=resized))
