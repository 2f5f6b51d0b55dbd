"""Folders of images: labelled/<class>/, unlabelled/, test/<class>/, or nothing but one folder a class."""

from __future__ import annotations

from pathlib import Path

import torch

from caudex.core.errors import CaudexError
from caudex.data.images.decode import SUFFIXES
from caudex.data.images.image_set import ImageSet
from caudex.data.images.loading import load
from caudex.data.images.paths import Paths, below, folders_in, images_in
from caudex.data.images.splits import Found


def folder(root: Path, size: int, need_labels: bool = True) -> Found:
    """root/labelled/<class>/**, root/unlabelled/**, root/test/<class>/**; without labelled/, every other folder in
    root is a class. Raises CaudexError on anything from which nobody could learn to tell classes apart; but without
    `need_labels`, images that lie in root itself are unlabelled, and so is all below it."""
    labelled, unlabelled = role(root, "labelled", "labeled"), role(root, "unlabelled", "unlabeled")
    test = role(root, "test")
    home = root / labelled if labelled else root
    if not need_labels and not labelled and images_in(root):
        paths = Paths(root)
        return found(paths, torch.full((paths.add(below(root)),), -1), [], len(paths), size)
    classes = [name for name in folders_in(home) if labelled or name not in (unlabelled, test)]
    if labelled:
        _no_strays(home)
    elif classes:
        _no_strays(root)

    paths, labels, counts = Paths(root), [], []
    for label, name in enumerate(classes):
        labels.append(label)
        counts.append(paths.add(below(root, str(Path(labelled, name)))))
    if unlabelled:
        labels.append(-1)
        counts.append(paths.add(below(root, unlabelled)))
    if need_labels or not sum(counts):
        _can_teach(root, home, classes, counts)
    training = len(paths)
    if test:
        for name, count in add_test(paths, root, test, classes, home):
            labels.append(classes.index(name))
            counts.append(count)
    return found(paths, torch.tensor(labels).repeat_interleave(torch.tensor(counts)), classes, training, size)


def found(paths: Paths, labels: torch.Tensor, classes: list[str], training: int, size: int, columns=None) -> Found:
    """Decodes the files; those from row `training` on are the test set, if there are any."""
    store, readable, skipped = load(paths, size)
    is_test = (torch.arange(len(paths)) >= training)[readable]
    everything = ImageSet(store, labels, tuple(classes), columns or {}).take(readable)
    return Found(everything, is_test.nonzero().flatten() if is_test.any() else None, skipped, leaks="raise")


def role(root: Path, *names: str) -> str:
    """The first of these folders that root has, or ''."""
    return next((name for name in names if (root / name).is_dir()), "")


def add_test(paths: Paths, root: Path, test: str, classes: list[str], home: Path) -> list[tuple[str, int]]:
    """Appends the images of root/test/<class>/: (class, count) for each. CaudexError for a class nobody learns."""
    _no_strays(root / test)
    added = [(name, paths.add(below(root, str(Path(test, name))))) for name in folders_in(root / test)]
    for name, count in added:
        if count and name not in classes:
            raise CaudexError(
                f"{root / test} has a class {name!r} that {home} has not; the classes are {', '.join(classes)}."
            )
    return [(name, count) for name, count in added if count]


def _no_strays(home: Path) -> None:
    if strays := images_in(home):
        raise CaudexError(
            f"{home} has {len(strays):,} images outside a class folder, the first is {strays[0]}. "
            f"Move them to {home}/<class>/."
        )


def _can_teach(root: Path, home: Path, classes: list[str], counts: list[int]) -> None:
    if not sum(counts) and next(below(root), None) is None:
        raise CaudexError(f"{root} has no image; looked for {', '.join(SUFFIXES)} in it and in its folders.")
    if not classes:
        raise CaudexError(
            f"{root} has images but no labels. Put some into {root}/labelled/<class>/, "
            f"or name them in a table: --labels few.csv (path,label)."
        )
    if len(classes) == 1:
        raise CaudexError(
            f"{home} has one class, {classes[0]!r}; a classifier needs two. Add a folder {home}/<other class>."
        )
    for name, count in zip(classes, counts):
        if not count:
            raise CaudexError(f"{home / name} has no image. Add some, or remove the folder.")
