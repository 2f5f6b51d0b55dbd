"""Folders of images: classes, what is unlabelled and what is held out, in the layouts that people use."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from caudex.core.errors import CaudexError, counted
from caudex.data.files import FileFinder, describe_skipped, list_folders
from caudex.data.images.decode import ImageFormat
from caudex.data.images.image_set import ImageSet
from caudex.data.images.opening import SUFFIXES
from caudex.data.images.paths import ImagePaths, image_finder, list_images
from caudex.data.images.splits import UnsplitImages
from caudex.data.images.stores import make_store
from caudex.data.layouts import describe_no_classes, describe_wrapper, find_layout, list_class_folders


def read_image_folder(root: Path, image_format: ImageFormat, need_labels: bool = True) -> UnsplitImages:
    """The images of a folder in one of the layouts of `find_layout`; a class's may lie in folders below it.

    Raises CaudexError where a classifier cannot be trained on it; but without `need_labels`, images that lie in root
    itself are unlabelled, and so is all below it, and all in a layout that could be read in two ways.
    """
    layout, finder, paths = find_layout(root, list_images), image_finder(root), ImagePaths(root)
    if not need_labels and (layout.ambiguity or (not layout.class_root and list_images(root))):
        labels = torch.full((paths.add(finder.below()),), -1)
        notes = [f"{layout.ambiguity} Here all are unlabelled."] if layout.ambiguity else []
        return decode_paths(paths, labels, [], len(paths), image_format, finder.skipped, notes=notes)
    if layout.ambiguity:
        raise CaudexError(layout.ambiguity)
    class_root = root / layout.class_root
    if layout.class_root or layout.classes:
        _check_no_strays(class_root)
    class_folders = list_class_folders(layout.classes)
    classes = list(class_folders)
    labels, counts = [], []
    for label, folders in enumerate(class_folders.values()):
        labels.append(label)
        counts.append(sum(paths.add(finder.below(str(Path(layout.class_root, name)))) for name in folders))
    test_finder = image_finder(root)
    test_images = find_test_images(test_finder, root, layout.test) if layout.test else {}
    finder.exclude(test_finder)
    for folder in layout.unlabelled:
        labels.append(-1)
        counts.append(paths.add(finder.below(folder)))
    skipped = layout.skipped + finder.skipped + test_finder.skipped
    if need_labels or not sum(counts):
        _check_classes(root, class_root, class_folders, counts, skipped)
    train_count = len(paths)
    check_test_classes(test_images, classes, root / layout.test, class_root)
    for name, images in test_images.items():
        labels.append(classes.index(name))
        counts.append(paths.add(images))
    labels = torch.tensor(labels).repeat_interleave(torch.tensor(counts))
    notes = describe_no_classes(classes)
    if len(classes) == 1 and (wrapper := describe_wrapper(root, list_images)):  # `need_labels` would have refused it
        notes.append(wrapper)
    return decode_paths(paths, labels, classes, train_count, image_format, skipped, notes=notes)


def decode_paths(
    paths: ImagePaths,
    labels: torch.Tensor,
    classes: list[str],
    train_count: int,
    image_format: ImageFormat,
    skipped: list[tuple[str, str]],
    columns: dict | None = None,
    notes: Collection[str] = (),
) -> UnsplitImages:
    """Decodes the files; those from row `train_count` on are the test set, if there are any."""
    store, readable, unreadable = make_store(paths, image_format)
    is_test = (torch.arange(len(paths)) >= train_count)[readable]
    images = ImageSet(store, labels, tuple(classes), columns or {}).take(readable)
    test_rows = is_test.nonzero().flatten() if is_test.any() else None
    return UnsplitImages(images, test_rows, skipped + unreadable, duplicates="raise", notes=list(notes))


def find_test_images(finder: FileFinder, root: Path, test: str) -> dict[str, list[bytes]]:
    """The images of root/test/<class>/ by class; a class without any is left out."""
    _check_no_strays(root / test)
    images = {
        name: [path for folder in folders for path in finder.below(str(Path(test, folder)))]
        for name, folders in list_class_folders(list_folders(root / test)).items()
    }
    return {name: paths for name, paths in images.items() if paths}


def check_test_classes(images: Collection[str], classes: Collection[str], test: Path, label_source: Path) -> None:
    """Raises CaudexError for a class of the test that `classes` lacks."""
    for name in images:
        if name not in classes:
            raise CaudexError(
                f"{test} has a class {name!r} that {label_source} has not; the classes are {', '.join(classes)}."
            )


def _check_no_strays(class_root: Path) -> None:
    if strays := list_images(class_root):
        raise CaudexError(
            f"{class_root} has {counted(len(strays), 'image')} outside a class folder, the first is {strays[0]}. "
            f"Move them to {class_root}/<class>/."
        )


def _check_classes(
    root: Path,
    class_root: Path,
    class_folders: dict[str, list[str]],
    counts: list[int],
    skipped: list[tuple[str, str]],
) -> None:
    left_out = f" ({describe_skipped(skipped)})" if skipped else ""
    if not sum(counts) and next(image_finder(root).below(), None) is None:
        suffixes = ", ".join(SUFFIXES)
        raise CaudexError(f"{root} has no image; looked for {suffixes} in it and in its folders{left_out}.")
    if not class_folders:
        raise CaudexError(
            f"{root} has images but no labels. Put some into {root}/labelled/<class>/, "
            f"or name them in a table: --labels few.csv (path,label)."
        )
    if len(class_folders) == 1:
        way_out = describe_wrapper(root, list_images) or f"Add a folder {class_root}/<other class>."
        raise CaudexError(
            f"{class_root} has one class, {next(iter(class_folders))!r}; a classifier needs two. {way_out}"
        )
    for folders, count in zip(class_folders.values(), counts):
        if not count:
            folder = class_root / folders[0]
            if reason := next((reason for path, reason in skipped if path.startswith(f"{folder}/")), ""):
                raise CaudexError(f"{folder} has no image that can be read: {reason}.")
            raise CaudexError(f"{folder} has no image. Add some, or remove the folder.")
