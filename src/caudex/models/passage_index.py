"""Find passages by meaning, by words, and by both."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from torch.nn import functional as F

from caudex import data
from caudex.core.errors import CaudexError
from caudex.models.language_model import LanguageModel
from caudex.models.text_features import TextEncoder

PASSAGE_WORDS = 120
"""of a passage, about: longer ones are truncated by the encoder, and mean less"""
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


def load_encoder(run: str | None) -> LanguageModel:
    """The model of a run, or the packaged sentence encoder."""
    if run is None:
        from caudex.models.importing import load_hf_model

        return load_hf_model(data.corpus_folder("minilm")).model
    from caudex.core.system import load

    model = load(run)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"--model {run} holds no language model; give a run of bert, gpt or an imported one.")
    return model


def build_index(spec: str, run: str | None, column: str | None) -> PassageIndex:
    """The index of these texts; embeddings are read from the cache of features as far as they stand there."""
    documents = data.open_documents(spec, column)
    passages = [
        passage._replace(location=documents.location(passage.document)) for passage in split_passages(documents)
    ]
    if not passages:
        raise CaudexError(f"{spec} has no words to find; give some text.")
    model, texts = load_encoder(run), [passage.text for passage in passages]
    features = TextEncoder(model).encode(data.LabelledTexts(texts, torch.zeros(len(texts)), ("",)))
    return PassageIndex(model, passages, F.normalize(features, dim=1).numpy())


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
