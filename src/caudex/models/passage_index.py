"""Find passages by meaning, by words, and by both."""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
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
from caudex.models.language_model import LanguageModel

WORDS = 120
"""of a passage, about: longer ones are cut by the encoder, and mean less"""
AT_ONCE = 256
"""passages that are encoded before they are written down"""
BY = ("meaning", "words", "both")
WEIGHT = 0.5
"""of words beside meaning; chosen on seed 101 of semantic-search, where 0.5 to 1 were best for headlines"""


class Passage(NamedTuple):
    document: int
    text: str
    where: str = ""


def passages(documents: Iterable[tuple[int, str]], words: int = WORDS) -> Iterator[Passage]:
    """Documents as (number, piece) cut into passages of whole sentences, about so many words each."""
    for number, piece in documents:
        held: list[str] = []
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", piece):
            while len(parts := sentence.split()) > 2 * words:  # a sentence without end
                held, sentence = [*held, *parts[:words]], " ".join(parts[words:])
                yield Passage(number, " ".join(held))
                held = []
            if held and len(held) + len(parts) > words:
                yield Passage(number, " ".join(held))
                held = []
            held += parts
        if held:
            yield Passage(number, " ".join(held))


class ByWords:
    """BM25 (Robertson and Zaragoza 2009, equation 3.15): how often the query's words come in a passage, rare ones more."""

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75):
        self.counter = CountVectorizer(token_pattern=r"(?u)\w+")
        counts = csr_matrix(self.counter.fit_transform(texts), dtype=np.float64)  # [N, V]
        lengths, seen = np.asarray(counts.sum(1)).ravel(), np.asarray((counts > 0).sum(0)).ravel()
        rarity = np.log(1 + (len(texts) - seen + 0.5) / (seen + 0.5))
        rows = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
        long = k1 * (1 - b + b * lengths[rows] / lengths.mean())
        counts.data = counts.data * (k1 + 1) / (counts.data + long) * rarity[counts.indices]
        self.weights = counts.tocsc()
        self.most, self.unheard = (k1 + 1) * rarity, (k1 + 1) * np.log(1 + (len(texts) + 0.5) / 0.5)

    def scores(self, query: str) -> np.ndarray:
        """[N]"""
        asked = self.counter.transform([query]).indices
        return np.asarray(self.weights[:, asked].sum(1)).ravel()

    def shares(self, query: str) -> np.ndarray:
        """[N], from 0 to 1: the scores over that of a passage with every word of the query, each as often as can be."""
        words = set(self.counter.build_analyzer()(query))
        places = [self.counter.vocabulary_.get(word) for word in words]
        return self.scores(query) / max(1e-9, sum(self.unheard if i is None else self.most[i] for i in places))


def encode(model: LanguageModel, texts: Sequence[str]) -> np.ndarray:
    """float32 [N, W] of unit length: the mean of the tokens' features (Reimers and Gurevych 2019, section 3)."""
    return F.normalize(model.mean_features(texts), dim=1).numpy()


class Index:
    """Passages that can be searched, in memory; their features as rows of unit length."""

    def __init__(self, model: LanguageModel, held: Sequence[Passage], vectors: np.ndarray):
        self.model, self.passages, self.vectors = model, held, vectors
        self.words = ByWords([passage.text for passage in held])

    def scores(self, query: str, by: str = "both") -> np.ndarray:
        """[N], higher for what is nearer to the query. `both` is cosine and `WEIGHT` times the share of the query's words,
        a sum of scores whose ends are known (Bruch et al. 2022)."""
        if by == "words":
            return self.words.scores(query)
        meaning = self.vectors @ encode(self.model, [query])[0]
        return meaning if by == "meaning" else meaning + WEIGHT * self.words.shares(query)


def encoder(run: str | None) -> tuple[LanguageModel, str]:
    """The model of a run, or the packaged sentence encoder; and what tells it from others."""
    if run is None:
        from caudex.models.importing import model_of

        folder = data.corpus_folder("minilm")
        _, _, _, model, _ = model_of(folder)
        return model, str(folder)
    from caudex.core.system import load

    model = load(run)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"--model {run} holds no language model; give a run of bert, gpt or an imported one.")
    return model, hashlib.sha256((Path(run) / "model.safetensors").read_bytes()).hexdigest()


def indexed(spec: str, run: str | None, column: str | None) -> Index:
    """The index of these texts: as it lies in the cache, or built there; what was encoded before a kill is kept."""
    documents = data.open_documents(spec, column)
    model, name = encoder(run)
    key = repr([name, str(documents.root.resolve()), documents.column, documents.file_stats(), WORDS])
    folder = cache_folder() / "search" / hashlib.sha256(key.encode()).hexdigest()[:16]
    held = [passage._replace(where=documents.location(passage.document)) for passage in passages(documents)]
    if not held:
        raise CaudexError(f"{spec} has no words to find; give some text.")
    begins = range(0, len(held), AT_ONCE)
    missing = [begin for begin in begins if not (folder / f"{begin}.npy").exists()]
    for begin in track(missing, f"reading {len(held):,} passages", len(missing)):
        buffer = io.BytesIO()
        np.save(buffer, encode(model, [passage.text for passage in held[begin : begin + AT_ONCE]]))
        write_atomically(folder / f"{begin}.npy", buffer.getvalue())
    parts = [np.load(folder / f"{begin}.npy") for begin in begins]
    return Index(model, held, np.concatenate(parts))


def found_in(spec: str, query: str, count: int, by: str, run: str | None, column: str | None) -> list[tuple]:
    """(rank, document, passage) of the best passages, one of each document."""
    if by not in BY:
        raise CaudexError(f"--by {by} is unknown; choose {', '.join(BY)}.")
    if not query.strip():
        raise CaudexError("the query is empty; say what you look for.")
    if count < 1:
        raise CaudexError(f"--count {count} shows nothing; give at least 1.")
    index = indexed(spec, run, column)
    scores, rows, seen = index.scores(query, by), [], set()
    for place in np.argsort(-scores, kind="stable"):
        passage = index.passages[place]
        if scores[place] <= 0 or len(rows) == count:
            break
        if passage.document not in seen:
            seen.add(passage.document)
            told = textwrap.shorten(passage.text, 160, placeholder=" ...")
            rows.append((len(rows) + 1, passage.where, told))
    return rows
