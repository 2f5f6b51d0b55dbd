"""A queue of images to label: the unlabelled ones of a folder, or those that a table names, with what is suggested."""

# a million paths stay bytes, which pathlib would slow down
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from caudex.core.errors import CaudexError
from caudex.data.headers import find_column
from caudex.data.images.csv_labels import image_reader, parse_csv
from caudex.data.images.opening import SUFFIXES
from caudex.data.images.paths import image_finder, list_images
from caudex.data.labels import parse_label
from caudex.data.layouts import describe_no_classes, find_layout, list_class_folders

QUEUE_COLUMNS = ("label", "suggestion", "reason")


class QueuedImage(NamedTuple):
    """An image of a queue; "" is what is not known."""

    image: bytes  # relative to the folder of images, or absolute
    label: str = ""  # what it was called when the queue was written
    suggestion: str = ""  # the class that a model, or its folder, gives it
    reason: str = ""  # why it stands there


class FolderImages(NamedTuple):
    """The images below a folder, without those of its test, relative to it."""

    images: dict[bytes, None]  # by name
    classes: dict[bytes, str]  # of those that lie in a folder of a class
    notes: list[str]


def find_images(root: Path, classes: Collection[str] = ()) -> FolderImages:
    """The images of a folder in one of the layouts of `find_layout`. Where images stand beside the folders, or these repeat
    each other, no folder is a class; where `classes` are given and no folder is called labelled or train, only folders of their
    names are. CaudexError where there is no image."""
    layout, finder = find_layout(root, list_images), image_finder(root)
    images = dict.fromkeys(finder.below(leave_out=[layout.test]))
    if not images:
        raise CaudexError(f"{root} has no image to label; looked for {', '.join(SUFFIXES)} in it and in its folders.")
    if layout.ambiguity or (not layout.class_root and list_images(root)):
        return FolderImages(images, {}, [])
    class_folders = {
        os.fsencode(folder): name
        for folder_name, folders in list_class_folders(layout.classes).items()
        if (name := parse_label(folder_name)) and (layout.class_root or not classes or name in classes)
        for folder in folders
    }
    start = os.fsencode(os.path.join(layout.class_root, ""))
    labels = {}
    for image in images:
        if image.startswith(start):
            folder, separator, _ = image[len(start) :].partition(b"/")
            if separator and folder in class_folders:
                labels[image] = class_folders[folder]
    return FolderImages(images, labels, [] if classes else describe_no_classes(class_folders.values()))


def read_queue(file: Path, root: Path, images: Collection[bytes]) -> list[QueuedImage]:
    """The images that a table names, in its order, each once, there or not: the column path, and any of label, suggestion and
    reason; paths are as in `read_csv_labels`. Where it has suggestions or reasons, labelled images with neither are left out:
    nothing is to be seen there. CaudexError for a table that `parse_csv` refuses, without these columns, or without such rows."""
    columns, lines = parse_csv(file)
    names = {name.casefold() for name in columns}
    places = {name: find_column(name, columns, file) for name in QUEUE_COLUMNS if name in names}
    if not places:
        raise CaudexError(f"{file} is no queue: it has none of the columns {', '.join(QUEUE_COLUMNS)} beside path.")
    image_of, queue = image_reader(file, root, images), {}
    for _, name, cells in lines:
        label, suggestion, reason = (cells[places[name]] if name in places else "" for name in QUEUE_COLUMNS)
        entry = QueuedImage(image_of(name), parse_label(label), parse_label(suggestion), reason)
        if entry.suggestion or reason or not entry.label or set(places) == {"label"}:
            queue.setdefault(entry.image, entry)
    if not queue:
        raise CaudexError(f"{file} names no image to look at.")
    return list(queue.values())


def unlabelled_queue(labels: Collection[bytes], folder: FolderImages) -> list[QueuedImage]:
    """The images of a folder that have none of the labels, with the class of their folder as a suggestion."""
    rest = [image for image in folder.images if image not in labels]
    return [
        QueuedImage(image, "", folder.classes[image], "the name of its folder")
        if image in folder.classes
        else QueuedImage(image)
        for image in rest
    ]
