"""How people lay out folders of examples: one folder a class, parts to train and to test on, some unlabelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from caudex.core.errors import CaudexError
from caudex.data.files import list_folders
from caudex.data.labels import folder_class

LABELLED, UNLABELLED = ("labelled", "labeled"), ("unlabelled", "unlabeled")
TRAIN, TEST, VALIDATION = ("train", "training"), ("test", "testing"), ("val", "valid", "validation")

_NO_CLASS = re.compile(r"unlabel|unsorted|unclassified|uncategori[sz]ed|no[ _-]?label", re.IGNORECASE)


class Layout(NamedTuple):
    """Folders are named relative to the root; "" is the root itself, or none for the test."""

    class_root: str  # the folder whose folders `classes` are the classes
    classes: list[str]
    unlabelled: list[str]
    test: str
    skipped: list[tuple[str, str]]  # (folder/, reason) of those that are not read
    ambiguity: str = ""  # a sentence, where classes and parts of the set cannot be told apart


def find_layout(root: Path, list_examples: Callable[[Path], Collection]) -> Layout:
    """Which folders of `root` are classes and which parts of the set, whatever the case of their names.

    root/labelled/CLASS, or root/train/CLASS where a test stands beside it or nothing else does, or root/CLASS; unlabelled/
    beside or in train/; test/CLASS, else val/CLASS (valid, validation). `list_examples` lists what lies in a folder itself.
    """
    folders = list_folders(root)
    labelled, train, test, validation = (_only(root, folders, names) for names in (LABELLED, TRAIN, TEST, VALIDATION))
    unlabelled = _named(folders, UNLABELLED)
    classes = [name for name in folders if name not in (*unlabelled, test)]
    held_out = [name for name in (test, validation) if name]
    if train and held_out and set(classes) <= {train, validation} and list_examples(root / train):
        return Layout("", [], [], "", [], _describe_flat_parts(root, [train, *held_out]))
    if not labelled and not _is_train(root, train, [test, validation], classes, list_examples):
        train = ""
    class_root = labelled or train
    if validation and not (
        _is_part(root / validation, list_examples) and (class_root or _shares(root, validation, classes))
    ):
        validation = ""
    parts = [name for name in (test, validation) if name]
    skipped = [(f"{root / name}/", f"not used: {parts[0]} is the test") for name in parts[1:]]
    if class_root:
        beside = set(folders) - {class_root, *unlabelled, *parts}
        skipped += [
            (f"{root / name}/", f"not used: it stands beside {class_root}, which has the classes")
            for name in sorted(beside)
        ]
        classes = list_folders(root / class_root)
        if train == class_root:
            class_root, classes, unlabelled = _inside_train(root, train, classes, unlabelled)
    else:
        classes = [name for name in classes if name not in parts]
    ambiguity = "" if class_root else _describe_repetition(root, classes, list_examples)
    return Layout(class_root, classes, unlabelled, parts[0] if parts else "", skipped, ambiguity)


def describe_no_classes(classes: Iterable[str]) -> list[str]:
    """A sentence for each class whose name says that it holds what has no class."""
    return [
        f"{name!r} is read as a class; if nothing in it has a label, call the folder unlabelled"
        for name in classes
        if _NO_CLASS.search(name)
    ]


def describe_wrapper(root: Path, list_examples: Callable[[Path], Collection]) -> str:
    """A sentence where the set lies in the only folder below `root`, as in what was unpacked from a .zip; "" elsewhere."""
    inside = root
    while len(folders := list_folders(inside)) == 1 and not list_examples(inside):
        inside = inside / folders[0]
        layout = find_layout(inside, list_examples)
        if len(layout.classes) > 1 or layout.ambiguity:
            return f"{inside} looks like the set: --data {inside}."
    return ""


def list_class_folders(folders: list[str]) -> dict[str, list[str]]:
    """Folders by the class that their names stand for, in the order of the classes: names that differ only in how Unicode
    composes them are one."""
    by_class: dict[str, list[str]] = {}
    for folder in folders:
        by_class.setdefault(folder_class(folder), []).append(folder)
    return dict(sorted(by_class.items()))


def _inside_train(
    root: Path, train: str, classes: list[str], unlabelled: list[str]
) -> tuple[str, list[str], list[str]]:
    """The class root, its classes and all unlabelled folders, where train/ may have labelled/ and unlabelled/ in it."""
    inner = _named(classes, UNLABELLED)
    unlabelled = [*unlabelled, *(f"{train}/{name}" for name in inner)]
    if labelled := _only(root / train, classes, LABELLED):
        return f"{train}/{labelled}", list_folders(root / train / labelled), unlabelled
    return train, [name for name in classes if name not in inner], unlabelled


def _named(folders: list[str], names: tuple[str, ...]) -> list[str]:
    return [folder for folder in folders if folder.lower() in names]


def _only(root: Path, folders: list[str], names: tuple[str, ...]) -> str:
    """The folder of one of these names, or ''."""
    matches = _named(folders, names)
    if len(matches) > 1:
        raise CaudexError(f"{root} has {' and '.join(matches)}, which mean the same; join them, or rename one.")
    return matches[0] if matches else ""


def _is_part(folder: Path, list_examples: Callable) -> bool:
    """Whether it can be a part of a set: class folders, and nothing beside them."""
    return bool(list_folders(folder)) and not list_examples(folder)


def _shares(root: Path, part: str, classes: list[str]) -> bool:
    return bool(set(list_folders(root / part)) & (set(classes) - {part}))


def _is_train(root: Path, train: str, held_out: list[str], others: list[str], list_examples: Callable) -> bool:
    """Whether the folder train/ is a part, and not a class of trains."""
    if not train or not _is_part(root / train, list_examples):
        return False
    held_out = [name for name in held_out if name and _is_part(root / name, list_examples)]
    if any(train in list_folders(root / name) for name in held_out):
        return False
    return bool(held_out) or others == [train]


def _describe_flat_parts(root: Path, parts: list[str]) -> str:
    return (
        f"{root} has no class folders in {' and '.join(parts)}, so that nothing says what is what. Move the files to "
        f"{root / parts[0]}/<class>/, or name the labels of images in a table: --labels few.csv (path,label)."
    )


def _describe_repetition(root: Path, classes: list[str], list_examples: Callable) -> str:
    if len(classes) < 2:
        return ""
    repeated: set[str] | None = None
    for name in classes:
        inner = set(list_folders(root / name))
        repeated = inner if repeated is None else repeated & inner
        if len(repeated) < 2 or list_examples(root / name):
            return ""
    tops, names = (", ".join(names[:3]) + (", ..." if len(names) > 3 else "") for names in (classes, sorted(repeated)))
    return (
        f"{root} has the same folders ({names}) in each of {tops}: which are the classes? If {tops} are, move them into "
        f"{root / 'labelled'}; if {names} are, join them, or call their parents train and test."
    )
