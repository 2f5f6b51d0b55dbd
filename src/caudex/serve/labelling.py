"""The state behind the page of labels: one queue of images and the table of their labels, shared by all tabs."""

# paths are bytes
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import io
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

from caudex.core.errors import CaudexError
from caudex.data.files import printable
from caudex.data.images.decode import decode_thumbnail
from caudex.data.images.label_queue import QueuedImage, find_images, read_queue, unlabelled_queue
from caudex.data.images.label_table import LabelTable
from caudex.data.images.opening import UnreadableError
from caudex.data.labels import parse_label

MAX_SIDE = 1000
"""pixels of an image on the page"""
LOSSLESS_SIDE = 256
"""of an image whose pixels may be looked at one by one"""
CACHED_IMAGES = 32
AHEAD = 3
"""images that the page fetches before it shows them"""
KEYS = "123456789" + "".join(letter for letter in ascii_lowercase if letter not in "us")  # u undoes, s skips
"""of the classes; further ones are clicked"""


class LabelConflict(Exception):
    """The image has another label than the page showed: nothing was written."""


class Labelling:
    """Images are named by their number in the queue. An image is open while it has no label, or the one that the queue says, unless
    that was chosen here."""

    def __init__(self, root: Path, queue: Sequence[QueuedImage], table: LabelTable, classes: Sequence[str]):
        self.root, self.queue, self.table, self.classes = os.fsencode(root), queue, table, classes
        self._lock, self._decoders = threading.Lock(), threading.BoundedSemaphore(2)
        self._previews: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._labels_before: dict[int, str] = {}  # of the images that were labelled here
        self._decided: dict[int, str] = {}  # the label that was chosen here
        self._allowed = {"", *classes}  # and what the table said, so that it can be restored
        self._count()

    def count_written(self) -> int:
        """Images whose label differs from what it was before the page was opened."""
        return sum(self._label(number) != label for number, label in self._labels_before.items())

    def describe(self) -> dict:
        """What the page asks for first: the classes with their keys, and the first open image."""
        with self._lock:
            names = zip(self.classes, [*KEYS, *[""] * len(self.classes)])
            classes = [{"name": name, "text": escape_invisible(name), "key": key} for name, key in names]
            advised = any(entry.suggestion or entry.reason or entry.label for entry in self.queue)
            return {"total": len(self.queue), "classes": classes, "start": self._next_open(-1), "advised": advised}

    def describe_image(self, number: int) -> dict:
        """An image, its label, what is suggested, and how far the queue is."""
        with self._lock:
            self._refresh()
            return self._describe(number)

    def set_label(self, number: int, label: str, previous: str, undo: bool = False) -> dict:
        """Writes the label of an image that the page showed with the label `previous`; "" is none. An image is open again after
        `undo`. Raises LabelConflict where it has another label meanwhile; CaudexError for a label that is no class, a file that
        vanished and a table that cannot be written."""
        with self._lock:
            self._refresh()
            before = self._label(number)
            if label not in self._allowed:
                raise CaudexError(f"{label!r} is no class; the classes are {', '.join(self.classes)}.")
            if label and self._is_missing(number):
                raise CaudexError(f"{self._name(number)} is no longer there; skip it.")
            is_written = self.table.set_label(self.queue[number].image, label, previous)
            self._refresh()
            if not is_written:
                raise LabelConflict
            self._labels_before.setdefault(number, before)
            self._decided[number] = "" if undo else label
            self._counts.subtract([before])
            self._counts.update([label])
            self._open[number] = self._is_open(number)
            return self._describe(number)

    def preview(self, number: int) -> tuple[bytes, str]:
        """The image as the page shows it, and its media type. Raises UnreadableError with the reason."""
        if self._is_missing(number):
            raise UnreadableError("not there, or no longer")
        with self._decoders:
            if number not in self._previews:
                image, file = decode_thumbnail(os.fsdecode(self._path(number)), MAX_SIDE), io.BytesIO()
                kind = "png" if max(image.size) <= LOSSLESS_SIDE else "jpeg"
                image.save(file, kind, quality=88)
                self._previews[number] = file.getvalue(), f"image/{kind}"
                while len(self._previews) > CACHED_IMAGES:
                    self._previews.popitem(last=False)
            return self._previews[number]

    def _describe(self, number: int) -> dict:
        entry = self.queue[number]
        following = [number]
        for _ in range(AHEAD):
            following.append(self._next_open(following[-1]))
        return {
            "number": number,
            "name": self._name(number),
            "missing": self._is_missing(number),
            "label": self._label(number),
            "queue_label": entry.label,
            "suggestion": entry.suggestion,
            "reason": escape_invisible(entry.reason),
            "following": [other for other in following[1:] if other is not None],
            "open": self._open.count(1),
            "first_open": self._next_open(-1),
            "counts": [self._counts[name] for name in self.classes],
            "edits": len(self.table.edits),
            "edit": escape_invisible(self.table.edits[-1]) if self.table.edits else "",
        }

    def _refresh(self) -> None:
        """Counts anew where the table was edited by others."""
        self.table.refresh()
        if self._num_edits != len(self.table.edits):
            self._count()

    def _count(self) -> None:
        self._num_edits = len(self.table.edits)
        self._counts = Counter(self.table.labels.values())
        self._allowed |= set(self._counts)
        self._open = bytearray(map(self._is_open, range(len(self.queue))))

    def _is_open(self, number: int) -> bool:
        label = self._label(number)
        return not label or (label == self.queue[number].label and label != self._decided.get(number))

    def _next_open(self, number: int | None) -> int | None:
        place = -1 if number is None else self._open.find(1, number + 1)
        return place if place >= 0 else None

    def _label(self, number: int) -> str:
        return self.table.labels.get(self.queue[number].image, "")

    def _path(self, number: int) -> bytes:
        return os.path.join(self.root, self.queue[number].image)

    def _is_missing(self, number: int) -> bool:
        return not os.path.isfile(self._path(number))

    def _name(self, number: int) -> str:
        return escape_invisible(printable(self.queue[number].image))


def open_labelling(
    folder: Path, queue_file: Path | None = None, table_file: Path | None = None, classes: Sequence[str] = ()
) -> tuple[Labelling, list[str]]:
    """The images of a folder that have no label, or those of a queue, with the table of labels (default: FOLDER/labels.csv); and
    sentences on how the folder was read.

    Without `classes`, the classes are those of the table, or of the folder where the table has fewer than two, and those that the
    queue suggests. CaudexError where there is nothing to label, or fewer than two classes.
    """
    if not folder.is_dir():
        raise CaudexError(f"{folder} is no folder; give one of images: caudex label photos/.")
    table_file, classes = table_file or folder / "labels.csv", _check_classes(classes)
    images, is_new = find_images(folder, classes), not table_file.exists()
    table = LabelTable(table_file, folder, images.images, images.classes if is_new else {})
    queue = read_queue(queue_file, folder, images.images) if queue_file else unlabelled_queue(table.labels, images)
    if not queue:
        labelled_by = "their folders, which name classes" if is_new else table_file
        way_out = (
            "name the classes, if those are none: --classes cat dog" if is_new else "look at some again: --queue FILE"
        )
        raise CaudexError(f"every image of {folder} has a label, by {labelled_by}; {way_out}.")
    if not classes:
        labels = set(table.labels.values())
        labels |= set(images.classes.values()) if len(labels) < 2 else set()
        classes = sorted(labels | {entry.suggestion for entry in queue} - {""})
    if len(classes) < 2:
        problem = f"one class, {classes[0]!r}, is" if classes else "no class is"
        raise CaudexError(
            f"{problem} named by {table_file if not is_new else folder}; a label is chosen from two or more: --classes cat dog."
        )
    return Labelling(folder, queue, table, classes), images.notes


def _check_classes(names: Sequence[str]) -> list[str]:
    """The classes as a table names them, each once."""
    for name in names:
        if not parse_label(name):
            raise CaudexError(
                f"--classes: {name!r} says in a table that there is no label; give the class another name."
            )
    if len(names) == 1:
        raise CaudexError(f"--classes {names[0]}: a label is chosen from two classes or more.")
    return list(dict.fromkeys(map(parse_label, names)))


def escape_invisible(text: str) -> str:
    r"""The text with line breaks, marks of direction and the like as \n, \u202e."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
