"""Names of classes as people write them: which say that there is none, and which may be one class.

Tables of them are read by images/csv_labels.py and text/labelled_texts.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from caudex.data.files import printable

NO_LABEL = frozenset({"", "-1", "-1.0", "nan", "NaN", "None", "null", "NULL"})
"""what scikit-learn, NumPy, pandas, Python and databases write where there is no label"""
MAX_LISTED = 12  # classes whose counts are printed one by one
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def parse_label(cell: str) -> str:
    """The class that a cell names, in Unicode's composed form (NFC); "" where it says that there is none."""
    name = unicodedata.normalize("NFC", cell).strip()
    return "" if name in NO_LABEL else name


def folder_class(folder: str) -> str:
    """The class that a folder's name stands for, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", printable(folder))


def describe_missing(cells: Iterable[str], consequence: str) -> str:
    """A sentence on the cells that name no class, and what becomes of their rows; "" where there are none."""
    counts = Counter(cell.strip() for cell in cells if not parse_label(cell))
    if not counts:
        return ""
    kinds = ", ".join(f"{name or 'empty'}: {count:,}" for name, count in counts.most_common())
    numbers = "; if -1 is a class, give it a name" if counts.keys() & {"-1", "-1.0"} else ""
    return f"rows without a label, {consequence}: {sum(counts.values()):,} ({kinds}){numbers}"


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
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
