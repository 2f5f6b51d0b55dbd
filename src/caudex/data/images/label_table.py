"""A table of labels that is written label by label, while others may edit it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from caudex.core.disk import lock_folder, write_atomically
from caudex.core.errors import CaudexError, counted
from caudex.data.files import printable
from caudex.data.headers import find_column
from caudex.data.images.csv_labels import (
    BYTE_ORDER_MARK,
    csv_delimiter,
    image_reader,
    parse_csv_text,
    read_csv_text,
)
from caudex.data.images.targets import AUTO, choose_column, collect_cells
from caudex.data.labels import parse_label


class Original(NamedTuple):
    """What the file said of an image before this program changed it."""

    label: str
    rows: list[str]  # as they stand in the file


class LabelTable:
    """The labels in the CSV `file`, path,label and perhaps further columns, of the images below `root`.

    Images are named by bytes: the path relative to root where it is below it, else the absolute one; `images` are those that are
    there. Where there is no file yet, the first label writes one, with `initial`, the label of each image that has one already.

    The file is the truth: it is read again before each label where another has written it, only the row of the image is
    changed, and the file is replaced as a whole. Raises CaudexError for a file that `parse_csv` refuses, that contradicts
    itself, or that has other labels than classes.
    """

    def __init__(self, file: Path, root: Path, images: Collection[bytes], initial: Mapping[bytes, str]):
        self.file, self._image_of = file, image_reader(file, root, images)
        self.labels: dict[bytes, str] = {}
        self.edits: list[str] = []
        self._originals: dict[bytes, Original] = {}
        self._version = self._file_version()
        if self._version:
            self._parse(read_csv_text(file))
            return
        if not file.parent.is_dir():
            raise CaudexError(f"{file} cannot be written: there is no folder {file.parent}; make it first.")
        self._parse("path,label\n")
        names = {image: self._name(image) for image in initial}
        self._parse("path,label\n" + "".join(self._format([names[image], label]) for image, label in initial.items()))

    def refresh(self) -> None:
        """Reads the file again where another has written it, and adds a sentence to `edits`. A file that was removed changes
        nothing: the next label writes it again."""
        version, before = self._file_version(), self.labels
        if version == self._version:
            return
        if version:
            self._parse(read_csv_text(self.file))
            self._originals.clear()
            images = before.keys() | self.labels.keys()
            count = sum(before.get(image) != self.labels.get(image) for image in images)
            differ = (
                f"{counted(count, 'label')} {'differs' if count == 1 else 'differ'} now"
                if count
                else "no label differs"
            )
            self.edits.append(
                f"{self.file} was edited by another program: {differ}. New labels are added to what it says."
            )
        else:
            self.edits.append(f"{self.file} was removed. The next label writes it again, with all labels.")
        self._version = version

    def set_label(self, image: bytes, label: str, previous: str) -> bool:
        """Writes the label, "" for none, and says True; False where the file calls the image neither `previous` nor that.

        A label that goes back to what it was restores the row as it was. CaudexError where the file cannot be written.
        """
        try:
            with lock_folder(self._target().parent, wait=True):
                self.refresh()
                current = self.labels.get(image, "")
                if current == label:
                    return True
                if current != previous:
                    return False
                records, places = self._edited(image, label, current)
                write_atomically(self._target(), "".join(records).encode())
                self._version = self._file_version()
        except OSError as error:
            raise CaudexError(
                f"{self.file} cannot be written ({error.strerror or error}); this label is not in it. Mend that, and label again."
            ) from None
        self._records, self._places[image] = records, places
        self.labels.pop(image, None)
        if label:
            self.labels[image] = label
        return True

    def _parse(self, text: str) -> None:
        columns, lines = parse_csv_text(text, self.file)
        kind, column = choose_column(AUTO, columns, self.file)
        if kind != "class":
            raise CaudexError(f"{self.file} has {kind} and no column `label`; give another table: --labels labels.csv.")
        images = [self._image_of(name) for _, name, _ in lines]
        cell = columns.index(column)
        labels = collect_cells(lines, images, cell, lambda cell: parse_label(cell) or None, self.file, "Keep one.")
        self._delimiter = csv_delimiter(text)
        physical_lines = list(io.StringIO(text, newline=""))
        reader, start, records, record_at = csv.reader(physical_lines, delimiter=self._delimiter), 0, [], {}
        for _ in reader:
            record_at[reader.line_num] = len(records)
            records.append("".join(physical_lines[start : reader.line_num]))
            start = reader.line_num
        header = [name.strip() for name in self._cells(records[0].removeprefix(BYTE_ORDER_MARK))]
        self._newline = "\r\n" if records[0].endswith("\r\n") else "\r" if records[0].endswith("\r") else "\n"
        self._num_columns = len(header)
        self._path_column, self._label_column = find_column("path", header, self.file), header.index(column)
        places: dict[bytes, list[int]] = {}
        for (line, _, _), image in zip(lines, images):
            places.setdefault(image, []).append(record_at[line])
        self.labels, self._records, self._places = labels, records, places

    def _edited(self, image: bytes, label: str, current: str) -> tuple[list[str], list[int]]:
        """All records with the new label of the image, and where its own stand."""
        records, places = list(self._records), self._places.get(image, [])
        rows = [records[place] for place in places]
        original = self._originals.setdefault(image, Original(current, rows))
        if label == original.label:
            rows = original.rows or [""] * len(places)  # the row was added for this label
        elif any(rows):
            rows = [self._with_label(row, label) for row in rows]
        else:
            cells = [""] * self._num_columns
            cells[self._path_column], cells[self._label_column] = self._name(image), label
            rows = [self._format(cells)]
        if not places:
            if not records[-1].endswith(("\n", "\r")):
                records[-1] += self._newline
            places = [len(records)]
            records.append("")
        for place, row in zip(places, rows):
            records[place] = row
        return records, places

    def _with_label(self, row: str, label: str) -> str:
        cells = self._cells(row)
        cells[self._label_column] = label
        ending = "" if not row.endswith(("\n", "\r")) else self._newline
        return self._format(cells).removesuffix(self._newline) + ending

    def _cells(self, row: str) -> list[str]:
        return next(csv.reader(io.StringIO(row, newline=""), delimiter=self._delimiter), [])

    def _format(self, cells: list[str]) -> str:
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=self._delimiter).writerow(cells)
        return file.getvalue().removesuffix("\r\n") + self._newline

    def _name(self, image: bytes) -> str:
        """How the table names the image, so that it is read back as the same."""
        name = printable(image)
        for path in (name, f"./{name}"):  # cells lose spaces around them
            if self._image_of(path.strip()) == image:
                return path
        raise CaudexError(f"{name!r} cannot be named in a table; rename the file.")

    def _target(self) -> Path:
        """The file itself, where its name is a link."""
        return Path(os.path.realpath(self.file))

    def _file_version(self) -> tuple[int, int, int] | None:
        """Another one whenever another file or another content stands there; None where there is none."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
