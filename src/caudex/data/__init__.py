"""Images from folders, tables and public formats, with few labels; videos; texts."""

from caudex.data.images.batches import Batch, Batches, Join
from caudex.data.images.formats import SETS as PACKAGED
from caudex.data.images.formats import image_files, load_images, read_images
from caudex.data.images.image_set import Files, ImageSet, InMemoryImages, Split
from caudex.data.images.off_topic import off_topic_share, with_off_topic
from caudex.data.images.scenes import SEGMENTS, Scene, SceneBatches, Scenes, load_scenes
from caudex.data.text.corpora import corpus_folder
from caudex.data.text.documents import Documents, open_documents
from caudex.data.text.labelled_texts import LabelledTexts, load_labelled_texts
from caudex.data.text.masked_tokens import HiddenBatch, HiddenBatches
from caudex.data.text.passage_pairs import PairBatch, PairBatches
from caudex.data.text.text_batches import TextBatch, TextBatches, by_length, encoded, padded
from caudex.data.text.token_stream import Stream, open_stream
from caudex.data.text.token_windows import TokenBatch, TokenBatches, evaluation_windows
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.video.clips import ClipBatches, Clips, ClipSplit, Frames, Windows
from caudex.data.video.formats import load_videos
from caudex.data.video.sprites import make_sprites

__all__ = [
    "PACKAGED", "SEGMENTS", "Batch", "Batches", "ClipBatches", "ClipSplit", "Clips", "Documents", "Files", "Frames",
    "HiddenBatch", "HiddenBatches", "ImageSet", "InMemoryImages", "Join", "LabelledTexts", "PairBatch", "PairBatches",
    "Scene", "SceneBatches", "Scenes", "Split", "Stream", "TextBatch", "TextBatches", "TokenBatch", "TokenBatches",
    "Tokenizer", "Windows", "by_length", "corpus_folder", "encoded", "evaluation_windows", "image_files", "load_images",
    "load_labelled_texts", "load_scenes", "load_videos", "make_sprites", "off_topic_share", "open_documents",
    "open_stream", "padded", "read_images", "with_off_topic",
]  # fmt: skip
