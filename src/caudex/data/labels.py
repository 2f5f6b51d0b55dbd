"""Names of classes as people write them: which say that there is none, and which may be one class.

Tables of them are read by images/csv_labels.py and text/labelled_texts.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from caudex.data.files import printable

NO_LABEL = frozenset({"", "-1", "-1.0", "nan", "n/a", "na", "null", "none"})
"""what scikit-learn, NumPy, pandas, R, Python and databases write where there is no label, in any letter case"""
MIN_DISTINCT_ROWS, DISTINCT_SHARE = 10, 0.9
"""rows from which on, and values a row above which, a column looks like one of identifiers"""
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")  # joiners stay: some scripts write with them
MAX_LISTED = 12  # classes whose counts are printed one by one
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def parse_label(cell: str) -> str:
    """The class that a cell names, in Unicode's composed form (NFC) and without spaces of no width; "" where it says that
    there is none."""
    name = _visible(cell).strip()
    return "" if name.lower() in NO_LABEL else name


def parse_number(cell: str) -> float | None:
    """The number that a cell holds; None where it says that there is none. Raises ValueError, in a sentence, for anything else."""
    text = _visible(cell).strip()
    if text.lower() in NO_LABEL - {"-1", "-1.0"}:
        return None
    if not _NUMBER.fullmatch(text):
        hint = f"; write {text.replace(',', '.')}" if _NUMBER.fullmatch(text.replace(",", ".")) else ""
        raise ValueError(f"{text!r} is not a number{hint or '; numbers are written as 12.5, without units'}.")
    if not abs(number := float(text)) <= 1e30:
        raise ValueError(f"{text} is too large for a number that can be learned.")
    return number


def folder_class(folder: str) -> str:
    """The class that a folder's name stands for, in Unicode's composed form (NFC) and without spaces of no width."""
    return _visible(printable(folder)) or ascii(folder)


def _visible(name: str) -> str:
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", name))


def describe_missing(cells: Iterable[str], consequence: str) -> str:
    """A sentence on the cells that name no class, and what becomes of their rows; "" where there are none."""
    counts = Counter(_visible(cell).strip() for cell in cells if not parse_label(cell))
    if not counts:
        return ""
    kinds = ", ".join(f"{name or 'empty'}: {count:,}" for name, count in counts.most_common())
    written = [name for name, _ in counts.most_common() if name]
    advice = f"; if {written[0]} is a class, give it another name" if written else ""
    return f"rows without a label, {consequence}: {sum(counts.values()):,} ({kinds}){advice}"


def describe_distinct(column: str, num_rows: int, num_classes: int) -> str:
    """A sentence on a column of labels that looks like one of identifiers; "" where it does not."""
    if num_rows < MIN_DISTINCT_ROWS or num_classes < DISTINCT_SHARE * num_rows:
        return ""
    each = "each" if num_classes == num_rows else "nearly each"
    return (
        f"column {column!r} has another value in {each} of {num_rows:,} rows, as identifiers have and classes have not"
    )


def similar_classes(classes: Iterable[str]) -> list[str]:
    """A sentence for every group of classes that may be one: `1` and `1.0`, `cat` and `Cat `."""
    groups: dict[object, list[str]] = {}
    for name in classes:
        groups.setdefault(_comparison_key(name), []).append(name)
    return [
        f"the classes {' and '.join(map(repr, names))} may be one; if they are, write them alike"
        for names in groups.values()
        if len(names) > 1
    ]


def describe_classes(classes: Sequence[str], counts: Sequence[int], test_counts: Sequence[int] = ()) -> str:
    """How many examples each class has to learn from (+ to test on); of many classes the largest and the smallest."""
    test_counts = test_counts if any(test_counts) else [0] * len(counts)
    rows = list(zip(classes, counts, test_counts))

    def listed(rows: Iterable[tuple[str, int, int]]) -> str:
        return ", ".join(f"{name}: {count:,}" + (f" + {tested:,}" if tested else "") for name, count, tested in rows)

    if len(rows) <= MAX_LISTED:
        return listed(rows)
    ranked = sorted(rows, key=lambda row: -row[1])
    return f"largest: {listed(ranked[:3])}; smallest: {listed(ranked[-3:])}"


def _comparison_key(name: str) -> object:
    if _NUMBER.fullmatch(name):
        return float(name)
    visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return re.sub(r"[\s_-]+", " ", visible).strip().casefold()
