"""Images from folders, tables and public formats, with few labels; videos; texts."""

from caudex.data.images.batches import Batch, Batches, Join
from caudex.data.images.domains import Domains, load_domains
from caudex.data.images.encoding import encode_images, encode_split, stream_encoder
from caudex.data.images.formats import PACKAGED_IMAGES, has_colour, load_images
from caudex.data.images.image_set import ImageFiles, ImageSet, InMemoryImages, Split
from caudex.data.images.image_stream import ImageStream, image_files, read_images
from caudex.data.images.off_topic import off_topic_share, with_half_of_classes, with_off_topic
from caudex.data.images.scenes import SEGMENTS, SceneBatch, SceneBatches, Scenes, make_scenes
from caudex.data.text.corpora import corpus_folder
from caudex.data.text.documents import Documents, open_documents
from caudex.data.text.labelled_texts import LabelledTexts, load_labelled_texts
from caudex.data.text.masked_tokens import MaskedTokenBatch, MaskedTokenBatches
from caudex.data.text.next_sentence import NextSentenceBatch, NextSentenceBatches
from caudex.data.text.text_batches import TextBatch, TextBatches, encode_texts, group_by_length, pad_sequences
from caudex.data.text.token_stream import TokenStream, open_token_stream
from caudex.data.text.token_windows import TokenBatch, TokenBatches, evaluation_windows
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.video.formats import load_videos
from caudex.data.video.sprites import make_sprites
from caudex.data.video.video_set import VideoBatch, VideoBatches, VideoSet, VideoSplit, VideoWindows

__all__ = [
    "PACKAGED_IMAGES",
    "SEGMENTS",
    "Batch",
    "Batches",
    "Documents",
    "Domains",
    "ImageFiles",
    "ImageSet",
    "ImageStream",
    "InMemoryImages",
    "Join",
    "LabelledTexts",
    "MaskedTokenBatch",
    "MaskedTokenBatches",
    "NextSentenceBatch",
    "NextSentenceBatches",
    "SceneBatch",
    "SceneBatches",
    "Scenes",
    "Split",
    "TextBatch",
    "TextBatches",
    "TokenBatch",
    "TokenBatches",
    "TokenStream",
    "Tokenizer",
    "VideoBatch",
    "VideoBatches",
    "VideoSet",
    "VideoSplit",
    "VideoWindows",
    "corpus_folder",
    "encode_images",
    "encode_split",
    "encode_texts",
    "evaluation_windows",
    "group_by_length",
    "has_colour",
    "image_files",
    "load_domains",
    "load_images",
    "load_labelled_texts",
    "load_videos",
    "make_scenes",
    "make_sprites",
    "off_topic_share",
    "open_documents",
    "open_token_stream",
    "pad_sequences",
    "read_images",
    "stream_encoder",
    "with_half_of_classes",
    "with_off_topic",
]  # fmt: skip
