"""From a word or a path to pictures: which reader a spec means."""

from __future__ import annotations

from caudex.data import arrays
from caudex.data.pictures import Split
from caudex.data.splits import divide
from caudex.errors import CaudexError


def pictures(
    spec: str,
    *,
    labels: str | None = None,
    labels_per_class: int | None = None,
    size: int = 0,
    seed: int = 0,
    test_share: float = 0.2,
) -> Split:
    readers = {"digits": arrays.digits, "fashion-mnist": arrays.fashion_mnist}
    if spec not in readers:
        raise CaudexError(f"{spec!r} is not known")
    return divide(readers[spec](), labels_per_class, seed, test_share)
