"""Pictures from folders, tables and public formats, with few labels."""

# The function `pictures` stands in front of the module of that name, which `from caudex.data.pictures import` finds.
from caudex.data.pictures import Files, Memory, Pictures, Split  # isort: skip
from caudex.data.batches import Batch, Batches, Join
from caudex.data.formats import SETS as PACKAGED
from caudex.data.formats import files, pictures, read
from caudex.data.topics import off_topic_share, with_off_topic

__all__ = [
    "PACKAGED", "Batch", "Batches", "Files", "Join", "Memory", "Pictures", "Split", "files", "off_topic_share", "pictures",
    "read", "with_off_topic",
]  # fmt: skip
