"""Pictures from folders, tables and public formats, with few labels; and videos."""

# The functions `pictures`, `scenes`, `sprites` and `videos` stand in front of the modules of those names, which
# `from caudex.data.pictures import` finds.
from caudex.data.pictures import Files, Memory, Pictures, Split  # isort: skip
from caudex.data.batches import Batch, Batches, Join
from caudex.data.clips import ClipBatches, Clips, ClipSplit, Frames, Windows
from caudex.data.formats import SETS as PACKAGED
from caudex.data.formats import files, pictures, read
from caudex.data.scenes import SEGMENTS, Scene, SceneBatches, Scenes, scenes
from caudex.data.sprites import sprites
from caudex.data.topics import off_topic_share, with_off_topic
from caudex.data.videos import videos

__all__ = [
    "PACKAGED", "SEGMENTS", "Batch", "Batches", "ClipBatches", "ClipSplit", "Clips", "Files", "Frames", "Join", "Memory",
    "Pictures", "Scene", "SceneBatches", "Scenes", "Split", "Windows", "files", "off_topic_share", "pictures", "read",
    "scenes", "sprites", "videos", "with_off_topic",
]  # fmt: skip
