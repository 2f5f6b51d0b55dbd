"""Folders of images: labelled/<class>/, unlabelled/, test/<class>/, or nothing but one folder a class."""

from __future__ import annotations

from pathlib import Path

import torch

from caudex.core.errors import CaudexError
from caudex.data.images.decode import SUFFIXES
from caudex.data.images.image_set import ImageSet
from caudex.data.images.paths import ImagePaths, image_paths_below, list_folders, list_images
from caudex.data.images.splits import UnsplitImages
from caudex.data.images.stores import make_store


def read_image_folder(root: Path, size: int, need_labels: bool = True) -> UnsplitImages:
    """root/labelled/<class>/**, root/unlabelled/**, root/test/<class>/**; without labelled/, every other folder in
    root is a class. Raises CaudexError where a classifier cannot be trained on it; but without `need_labels`, images
    that lie in root itself are unlabelled, and so is all below it."""
    labelled, unlabelled = find_folder(root, "labelled", "labeled"), find_folder(root, "unlabelled", "unlabeled")
    test = find_folder(root, "test")
    class_root = root / labelled if labelled else root
    if not need_labels and not labelled and list_images(root):
        paths = ImagePaths(root)
        return decode_paths(paths, torch.full((paths.add(image_paths_below(root)),), -1), [], len(paths), size)
    classes = [name for name in list_folders(class_root) if labelled or name not in (unlabelled, test)]
    if labelled:
        _check_no_strays(class_root)
    elif classes:
        _check_no_strays(root)

    paths, labels, counts = ImagePaths(root), [], []
    for label, name in enumerate(classes):
        labels.append(label)
        counts.append(paths.add(image_paths_below(root, str(Path(labelled, name)))))
    if unlabelled:
        labels.append(-1)
        counts.append(paths.add(image_paths_below(root, unlabelled)))
    if need_labels or not sum(counts):
        _check_classes(root, class_root, classes, counts)
    train_count = len(paths)
    if test:
        for name, count in add_test_paths(paths, root, test, classes, class_root):
            labels.append(classes.index(name))
            counts.append(count)
    return decode_paths(paths, torch.tensor(labels).repeat_interleave(torch.tensor(counts)), classes, train_count, size)


def decode_paths(
    paths: ImagePaths, labels: torch.Tensor, classes: list[str], train_count: int, size: int, columns=None
) -> UnsplitImages:
    """Decodes the files; those from row `train_count` on are the test set, if there are any."""
    store, readable, skipped = make_store(paths, size)
    is_test = (torch.arange(len(paths)) >= train_count)[readable]
    images = ImageSet(store, labels, tuple(classes), columns or {}).take(readable)
    return UnsplitImages(images, is_test.nonzero().flatten() if is_test.any() else None, skipped, duplicates="raise")


def find_folder(root: Path, *names: str) -> str:
    """The first of these folders that root has, or ''."""
    return next((name for name in names if (root / name).is_dir()), "")


def add_test_paths(
    paths: ImagePaths, root: Path, test: str, classes: list[str], label_source: Path
) -> list[tuple[str, int]]:
    """Appends the images of root/test/<class>/: (class, count) for each. CaudexError for a class that `classes` lacks."""
    _check_no_strays(root / test)
    added = [(name, paths.add(image_paths_below(root, str(Path(test, name))))) for name in list_folders(root / test)]
    for name, count in added:
        if count and name not in classes:
            raise CaudexError(
                f"{root / test} has a class {name!r} that {label_source} has not; the classes are {', '.join(classes)}."
            )
    return [(name, count) for name, count in added if count]


def _check_no_strays(class_root: Path) -> None:
    if strays := list_images(class_root):
        raise CaudexError(
            f"{class_root} has {len(strays):,} images outside a class folder, the first is {strays[0]}. "
            f"Move them to {class_root}/<class>/."
        )


def _check_classes(root: Path, class_root: Path, classes: list[str], counts: list[int]) -> None:
    if not sum(counts) and next(image_paths_below(root), None) is None:
        raise CaudexError(f"{root} has no image; looked for {', '.join(SUFFIXES)} in it and in its folders.")
    if not classes:
        raise CaudexError(
            f"{root} has images but no labels. Put some into {root}/labelled/<class>/, "
            f"or name them in a table: --labels few.csv (path,label)."
        )
    if len(classes) == 1:
        raise CaudexError(
            f"{class_root} has one class, {classes[0]!r}; a classifier needs two. Add a folder {class_root}/<other class>."
        )
    for name, count in zip(classes, counts):
        if not count:
            raise CaudexError(f"{class_root / name} has no image. Add some, or remove the folder.")
