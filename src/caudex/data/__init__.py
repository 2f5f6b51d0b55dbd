"""Pictures from folders, tables and public formats, with few labels."""

# The function `pictures` takes the place of the module of that name; `from caudex.data.pictures import ...` still works.
from caudex.data.pictures import Files, Memory, Pictures, Split  # isort: skip
from caudex.data.formats import pictures

__all__ = ["Files", "Memory", "Pictures", "Split", "pictures"]
