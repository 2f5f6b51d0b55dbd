"""Find passages by meaning, by words, and by both."""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from torch.nn import functional as F

from caudex import data
from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.core.fetch import cache_folder
from caudex.core.progress import track
from caudex.core.run import Run
from caudex.core.run_records import Finished
from caudex.models.language_model import LanguageModel

PASSAGE_WORDS = 120
"""of a passage, about: longer ones are truncated by the encoder, and mean less"""
PASSAGES_PER_FILE = 256
"""that are encoded before they are written to the cache"""
RANKINGS = ("meaning", "words", "both")
WORDS_WEIGHT = 0.5
"""relative to meaning; chosen on seed 101 of semantic-search, where 0.5 to 1 were best for headlines"""


class Passage(NamedTuple):
    document: int
    text: str
    location: str = ""


def split_passages(documents: Iterable[tuple[int, str]], max_words: int = PASSAGE_WORDS) -> Iterator[Passage]:
    """Documents as (number, text) cut into passages of complete sentences, about `max_words` each."""
    for number, text in documents:
        passage: list[str] = []
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text):
            while len(words := sentence.split()) > 2 * max_words:  # an endless sentence
                passage, sentence = [*passage, *words[:max_words]], " ".join(words[max_words:])
                yield Passage(number, " ".join(passage))
                passage = []
            if passage and len(passage) + len(words) > max_words:
                yield Passage(number, " ".join(passage))
                passage = []
            passage += words
        if passage:
            yield Passage(number, " ".join(passage))


class BM25:
    """How often the query's words occur in a passage, weighted by rarity (Robertson and Zaragoza 2009, equation 3.15)."""

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75):
        self.vectorizer = CountVectorizer(token_pattern=r"(?u)\w+")
        counts = csr_matrix(self.vectorizer.fit_transform(texts), dtype=np.float64)  # [N, V]
        lengths, document_frequencies = np.asarray(counts.sum(1)).ravel(), np.asarray((counts > 0).sum(0)).ravel()
        idf = np.log(1 + (len(texts) - document_frequencies + 0.5) / (document_frequencies + 0.5))
        rows = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
        length_penalties = k1 * (1 - b + b * lengths[rows] / lengths.mean())
        counts.data = counts.data * (k1 + 1) / (counts.data + length_penalties) * idf[counts.indices]
        self.weights = counts.tocsc()
        self.max_scores = (k1 + 1) * idf  # [V]
        self.unknown_word_score = (k1 + 1) * np.log(1 + (len(texts) + 0.5) / 0.5)

    def scores(self, query: str) -> np.ndarray:
        """[N]"""
        columns = self.vectorizer.transform([query]).indices
        return np.asarray(self.weights[:, columns].sum(1)).ravel()

    def normalized_scores(self, query: str) -> np.ndarray:
        """[N], from 0 to 1: scores divided by that of a passage with infinitely many of each word of the query."""
        words = set(self.vectorizer.build_analyzer()(query))
        columns = [self.vectorizer.vocabulary_.get(word) for word in words]
        max_score = sum(self.unknown_word_score if i is None else self.max_scores[i] for i in columns)
        return self.scores(query) / max(1e-9, max_score)


def embed_texts(model: LanguageModel, texts: Sequence[str]) -> np.ndarray:
    """float32 [N, W] of unit length: the mean of the tokens' features (Reimers and Gurevych 2019, section 3)."""
    return F.normalize(model.mean_features(texts), dim=1).numpy()


class PassageIndex:
    """Passages that can be searched, in memory; `embeddings` are rows of unit length."""

    def __init__(self, model: LanguageModel, passages: Sequence[Passage], embeddings: np.ndarray):
        self.model, self.passages, self.embeddings = model, passages, embeddings
        self.bm25 = BM25([passage.text for passage in passages])

    def scores(self, query: str, by: str = "both") -> np.ndarray:
        """[N], higher for what is nearer to the query. `both` is cosine plus `WORDS_WEIGHT` times the normalised BM25, a
        sum of scores of known range (Bruch et al. 2022)."""
        if by == "words":
            return self.bm25.scores(query)
        meaning = self.embeddings @ embed_texts(self.model, [query])[0]
        return meaning if by == "meaning" else meaning + WORDS_WEIGHT * self.bm25.normalized_scores(query)


def load_encoder(run: str | None) -> tuple[LanguageModel, str]:
    """The model of a run, or the packaged sentence encoder; and a key for caches."""
    if run is None:
        from caudex.models.importing import load_hf_model

        folder = data.corpus_folder("minilm")
        return load_hf_model(folder).model, str(folder)
    from caudex.core.system import load

    model = load(run)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"--model {run} holds no language model; give a run of bert, gpt or an imported one.")
    return model, Run(run).read_struct("finished", Finished).model


def build_index(spec: str, run: str | None, column: str | None) -> PassageIndex:
    """The index of these texts: as it is in the cache, or built there; what was embedded before a kill is not lost."""
    documents = data.open_documents(spec, column)
    model, encoder = load_encoder(run)
    key = repr([encoder, str(documents.root.resolve()), documents.column, documents.file_stats(), PASSAGE_WORDS])
    folder = cache_folder() / "search" / hashlib.sha256(key.encode()).hexdigest()[:16]
    passages = [
        passage._replace(location=documents.location(passage.document)) for passage in split_passages(documents)
    ]
    if not passages:
        raise CaudexError(f"{spec} has no words to find; give some text.")
    starts = range(0, len(passages), PASSAGES_PER_FILE)
    missing = [start for start in starts if not (folder / f"{start}.npy").exists()]
    for start in track(missing, f"reading {len(passages):,} passages", len(missing)):
        buffer = io.BytesIO()
        texts = [passage.text for passage in passages[start : start + PASSAGES_PER_FILE]]
        np.save(buffer, embed_texts(model, texts))
        write_atomically(folder / f"{start}.npy", buffer.getvalue())
    parts = [np.load(folder / f"{start}.npy") for start in starts]
    return PassageIndex(model, passages, np.concatenate(parts))


def search_passages(spec: str, query: str, count: int, by: str, run: str | None, column: str | None) -> list[tuple]:
    """(rank, document, passage) of the best passages, one of each document."""
    if by not in RANKINGS:
        raise CaudexError(f"--by {by} is unknown; choose {', '.join(RANKINGS)}.")
    if not query.strip():
        raise CaudexError("the query is empty; say what you look for.")
    if count < 1:
        raise CaudexError(f"--count {count} shows nothing; give at least 1.")
    index = build_index(spec, run, column)
    scores, rows, documents = index.scores(query, by), [], set()
    for i in np.argsort(-scores, kind="stable"):
        passage = index.passages[i]
        if scores[i] <= 0 or len(rows) == count:
            break
        if passage.document not in documents:
            documents.add(passage.document)
            excerpt = textwrap.shorten(passage.text, 160, placeholder=" ...")
            rows.append((len(rows) + 1, passage.location, excerpt))
    return rows
