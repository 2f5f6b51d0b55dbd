"""From a word or a path to images: which reader a spec means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images import arrays
from caudex.data.images.csv_labels import table
from caudex.data.images.decode import LEAST_CHOSEN, SMALLEST_SIDE, SUFFIXES, decode_many, far_off, share_cut
from caudex.data.images.folders import folder
from caudex.data.images.hub import hub
from caudex.data.images.image_set import InMemoryImages, Split
from caudex.data.images.paths import below
from caudex.data.images.splits import Found, divide

SETS = {"digits": arrays.digits, "patches": arrays.patches, "fashion-mnist": arrays.fashion_mnist}
KNOWN = f"{', '.join(SETS)}, hf:NAME"


def load_images(
    spec: str,
    *,
    labels: str | None = None,
    labels_per_class: int | None = None,
    size: int = 0,
    seed: int = 0,
    test_share: float = 0.2,
    need_labels: bool = True,
    draw: int | None = None,
) -> Split:
    """The labelled, the unlabelled and the test images of `spec`.

    `spec` is digits, patches, fashion-mnist, hf:NAME, a folder (labelled/<class>/, unlabelled/, test/<class>/; or one folder a
    class; or idx files), an .npz or a .csv (path,label). `labels` is such a .csv for the images of a folder; what it
    does not name is unlabelled. `labels_per_class` keeps that many labels a class, drawn by `draw` (else `seed`), and
    hides the others; None keeps all. `size` is the side of the square images; 0 takes what suits the files, at least 16. Without a test of
    its own, `test_share` of the labelled is held out, drawn by `seed`; nothing where a class has fewer than five.
    Without `need_labels` there may be none at all: images for signals that need none.
    Raises CaudexError on whatever a user can mend.
    """
    if labels_per_class is not None and labels_per_class < 1:
        raise CaudexError(f"{labels_per_class} labels a class are too few; keep at least 1.")
    if size and not SMALLEST_SIDE <= size <= 4096:
        raise CaudexError(f"A size of {size} makes no sense; give one from {SMALLEST_SIDE} to 4096, or 0 to choose.")
    if not 0 <= test_share < 1:
        raise CaudexError(f"A test share of {test_share} makes no sense; give one from 0 up to, not including, 1.")
    found = _found(spec, labels, size, need_labels)
    return divide(found, labels_per_class, seed, seed if draw is None else draw, test_share, need_labels)


def read_images(paths: Iterable[str], shape: tuple[int, int, int]) -> tuple[Tensor, list[tuple[str, str]], str]:
    """The images of files and folders as a model wants them: uint8 [N, C, H, W], in the order of `image_files(paths)`
    without those that cannot be read, which come second as (path, reason); then a sentence where much of some was cut
    away. CaudexError as in `files`."""
    names = image_files(paths)
    pixels, unreadable, cut = decode_many(names, range(len(names)), shape, progress=True)
    readable = torch.ones(len(names), dtype=torch.bool)
    readable[[place for place, _ in unreadable]] = False
    return pixels[readable], [(names[place], reason) for place, reason in unreadable], far_off(names, cut, shape)


def image_files(paths: Iterable[str]) -> list[str]:
    """Each file itself, and for each folder the images in it and below, by name. CaudexError for a path that is not
    there, or if there is no image at all."""
    paths, names = list(paths), []
    for path in paths:
        if Path(path).is_dir():
            names += [str(Path(path, os.fsdecode(each))) for each in below(path)]
        elif Path(path).exists():
            names.append(str(path))
        else:
            raise CaudexError(f"{path} is not there; give files or folders of images.")
    if not names:
        raise CaudexError(f"{', '.join(map(str, paths))} has no image; looked for {', '.join(SUFFIXES)}.")
    return names


def _found(spec: str, labels: str | None, size: int, need_labels: bool) -> Found:
    path = Path(spec).expanduser()
    if labels is not None and not path.is_dir():
        raise CaudexError(f"A table of labels ({labels}) goes with a folder of images, but {spec!r} is not a folder.")
    if labels is not None:
        return table(Path(labels).expanduser(), path, size)
    if spec in SETS:
        return _of_size(SETS[spec](), size)
    if spec.startswith("hf:"):
        return hub(spec[3:], size)
    if path.is_dir():
        if arrays.idx_file(path, "train-images-idx3-ubyte"):
            return _of_size(arrays.idx(path, path.name), size)
        return folder(path, size, need_labels)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _of_size(arrays.npz(path, need_labels), size)
    if path.suffix.lower() == ".csv" and path.is_file():
        return table(path, path.parent, size)
    raise CaudexError(_unknown(spec, path))


def _of_size(found: Found, size: int) -> Found:
    store = found.everything.store
    factor = max(1, LEAST_CHOSEN / min(store.shape[1:]))
    sides = (size, size) if size else tuple(round(side * factor) for side in store.shape[1:])
    if store.shape[1:] == sides:
        return found
    cut = torch.full((len(store),), share_cut(store.shape[:0:-1], sides[::-1]))
    other = InMemoryImages(arrays.resized(store.images, *sides), store.names, cut)
    return replace(found, everything=replace(found.everything, store=other))


def _unknown(spec: str, path: Path) -> str:
    if path.exists():
        return f"{spec} is neither a folder, nor an .npz, nor a .csv; put the images into a folder."
    if path.suffix or len(path.parts) > 1 or spec.endswith(os.sep):
        return f"{spec} is not there; give a folder of images, an .npz, a .csv, or one of: {KNOWN}."
    near = difflib.get_close_matches(spec.lower(), SETS, 1)
    meant = f"; did you mean {near[0]}? known:" if near else "; known:"
    return f"{spec!r} is neither a folder nor a known set{meant} {KNOWN}."
