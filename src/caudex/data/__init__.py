"""Pictures from folders, tables and public formats, with few labels; videos; texts."""

# The functions `documents`, `pictures`, `scenes`, `sprites` and `videos` stand in front of the modules of those names, which
# `from caudex.data.pictures import` finds.
from caudex.data.pictures import Files, Memory, Pictures, Split  # isort: skip
from caudex.data.batches import Batch, Batches, Join
from caudex.data.clips import ClipBatches, Clips, ClipSplit, Frames, Windows
from caudex.data.corpora import folder
from caudex.data.documents import Documents, documents
from caudex.data.fetching import cache
from caudex.data.formats import SETS as PACKAGED
from caudex.data.formats import files, pictures, read
from caudex.data.hidden import HiddenBatch, HiddenBatches
from caudex.data.labelled import LabelledTexts, labelled_texts
from caudex.data.pairs import PairBatch, PairBatches
from caudex.data.scenes import SEGMENTS, Scene, SceneBatches, Scenes, scenes
from caudex.data.sentences import TextBatch, TextBatches, by_length, encoded, padded
from caudex.data.sprites import sprites
from caudex.data.streams import Stream, stream
from caudex.data.tokenizers import Tokenizer
from caudex.data.topics import off_topic_share, with_off_topic
from caudex.data.videos import videos
from caudex.data.windows import TokenBatch, TokenBatches, evaluation_windows

__all__ = [
    "PACKAGED", "SEGMENTS", "Batch", "Batches", "ClipBatches", "ClipSplit", "Clips", "Documents", "Files", "Frames",
    "HiddenBatch", "HiddenBatches", "Join", "LabelledTexts", "Memory", "PairBatch", "PairBatches", "Pictures", "Scene",
    "SceneBatches", "Scenes", "Split", "Stream", "TextBatch", "TextBatches", "TokenBatch", "TokenBatches", "Tokenizer",
    "Windows", "by_length", "cache", "documents", "encoded", "evaluation_windows", "files", "folder", "labelled_texts",
    "off_topic_share", "padded", "pictures", "read", "scenes", "sprites", "stream", "videos", "with_off_topic",
]  # fmt: skip
