"""How the panels of a figure are laid out."""

from __future__ import annotations

MAX_PANELS = 60
"""of a figure; further ones are left out"""


def panel_columns(count: int) -> int:
    """Columns for so many panels: three, or two where fewer stay empty then."""
    return min(count, 3 if -count % 3 <= -count % 2 or count > 4 else 2)
