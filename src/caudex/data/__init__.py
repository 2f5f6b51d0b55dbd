"""Pictures from folders, tables and public formats, with few labels; videos; texts."""

# The functions `documents`, `pictures`, `scenes`, `sprites` and `videos` stand in front of the modules of those names, which
# `from caudex.data.pictures import` finds.
from caudex.data.images.image_set import Files, Memory, Pictures, Split  # isort: skip
from caudex.data.images.batches import Batch, Batches, Join
from caudex.data.images.formats import SETS as PACKAGED
from caudex.data.images.formats import files, pictures, read
from caudex.data.images.off_topic import off_topic_share, with_off_topic
from caudex.data.images.scenes import SEGMENTS, Scene, SceneBatches, Scenes, scenes
from caudex.data.text.corpora import folder
from caudex.data.text.documents import Documents, documents
from caudex.data.text.labelled_texts import LabelledTexts, labelled_texts
from caudex.data.text.masked_tokens import HiddenBatch, HiddenBatches
from caudex.data.text.passage_pairs import PairBatch, PairBatches
from caudex.data.text.text_batches import TextBatch, TextBatches, by_length, encoded, padded
from caudex.data.text.token_stream import Stream, stream
from caudex.data.text.token_windows import TokenBatch, TokenBatches, evaluation_windows
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.video.clips import ClipBatches, Clips, ClipSplit, Frames, Windows
from caudex.data.video.formats import videos
from caudex.data.video.sprites import sprites

__all__ = [
    "PACKAGED", "SEGMENTS", "Batch", "Batches", "ClipBatches", "ClipSplit", "Clips", "Documents", "Files", "Frames",
    "HiddenBatch", "HiddenBatches", "Join", "LabelledTexts", "Memory", "PairBatch", "PairBatches", "Pictures", "Scene",
    "SceneBatches", "Scenes", "Split", "Stream", "TextBatch", "TextBatches", "TokenBatch", "TokenBatches", "Tokenizer",
    "Windows", "by_length", "documents", "encoded", "evaluation_windows", "files", "folder", "labelled_texts",
    "off_topic_share", "padded", "pictures", "read", "scenes", "sprites", "stream", "videos", "with_off_topic",
]  # fmt: skip
