"""Settings that are numbers lie within bounds."""

from __future__ import annotations

from caudex.core.errors import CaudexError


def check_range(settings: object, **ranges: tuple[float, float]) -> None:
    """Raises CaudexError unless each named setting, where it is given, lies in its (lowest, highest)."""
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            flag = name.replace("_", "-")
            limit = f"at least {low:.8g}" if high == float("inf") else f"between {low:.8g} and {high:.8g}"
            raise CaudexError(f"--{flag} {value:.8g} is out of range; it must be {limit}.")
