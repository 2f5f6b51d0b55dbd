"""semantic-search: find by meaning, not by string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from caudex import data
from caudex.claim import Claim
from caudex.data.splits import order
from caudex.errors import CaudexError
from caudex.language import LanguageModel
from caudex.run import Run
from caudex.screen import say
from caudex.searching import BY, Index, Passage, encode, encoder
from caudex.system import System, inside


@dataclass
class SemanticSearch(System):
    """How well documents are found by their own headlines: by meaning, by words (BM25), and by both.

    `caudex search texts/ "how do I get my money back"` searches; this measures it. The first line of each document is
    the query, what follows it is to be found. Once more with headlines from which every word that stands in their
    document has been taken.
    """

    data: str = "topics"
    """topics, or a file or folder of documents whose first line is a headline"""
    column: str | None = None
    """of a .jsonl or .csv: the column that holds the text; default: text"""
    start: str | None = None
    """run whose features are compared; default: a packaged sentence encoder, MiniLM"""
    documents: int = 1000
    """to be told apart, at most"""
    words: int = 150
    """of a document, from behind its headline"""

    scales: ClassVar = {"tiny": {"documents": 60, "words": 40}}
    measure: ClassVar = "mean reciprocal rank"
    statement: ClassVar = "where words differ, meaning finds what BM25 does not"

    def train(self, run: Run) -> LanguageModel:
        model, _ = encoder(self.start)
        titles, bodies = self.headlines()
        run.keep("facts", {"start": self.start})
        say(run, f"reading {len(bodies):,} documents of up to {self.words} words")
        with run.counting(model):
            index = Index(model, [Passage(i, body) for i, body in enumerate(bodies)], encode(model, bodies))
            strange = [(i, without_shared(title, bodies[i])) for i, title in enumerate(titles)]
            sets = {
                "headlines": list(enumerate(titles)),
                "headlines that share no word": [(i, title) for i, title in strange if title],
            }
            results = {
                name: {"queries": len(queries), **{by: found(index, queries, by) for by in BY}}
                for name, queries in sets.items()
            }
        run.keep("results", results)
        return model

    def headlines(self) -> tuple[list[str], list[str]]:
        """The first line of each document, and the words behind it."""
        texts: dict[int, str] = {}
        for number, piece in data.documents(self.data, self.column):
            texts.setdefault(number, piece)
        pairs = [text.strip().partition("\n") for text in texts.values()]
        pairs = [(title, " ".join(body.split()[: self.words])) for title, _, body in pairs if body.strip()]
        if len(pairs) < 10:
            raise CaudexError(
                f"{self.data} has {len(pairs)} documents with a line behind the first; ten are the least to search among."
            )
        kept = [pairs[i] for i in order(len(pairs), self.seed, "documents")[: self.documents].tolist()]
        return [title for title, _ in kept], [body for _, body in kept]

    def model(self, facts: dict) -> LanguageModel:
        return encoder(facts["start"])[0]

    def tell(self, results: dict) -> list[tuple]:
        rows = [("mean reciprocal rank", *BY, "queries")]
        for name, row in results.items():
            rows.append((name, *(f"{row[by]['reciprocal rank']:.3f}" for by in BY), f"{row['queries']:,}"))
            rows.append(("  among the first ten", *(f"{row[by]['among ten']:.1%}" for by in BY), ""))
        return rows

    def claim(self, run: Run) -> Claim:
        self.train(run)
        results = run.kept("results")
        strange = {
            by: row["reciprocal rank"] for by, row in results["headlines that share no word"].items() if by in BY
        }
        further = {f"headlines, {by}": results["headlines"][by]["reciprocal rank"] for by in BY}
        return Claim(
            self.statement, strange["meaning"], {"BM25": strange["words"]}, further | {"both": strange["both"]}
        )

    def check(self) -> None:
        super().check()
        inside(self, documents=(10, 1 << 20), words=(5, 100_000))


def without_shared(title: str, body: str) -> str:
    """The headline without the words that stand in the body, in whatever form: its first three letters are alike.
    Nothing where less than two are left."""

    def stems(text: str) -> list[tuple[str, str]]:
        return [(word, word.lower()[:3]) for word in re.findall(r"\w+", text)]

    there = {stem for _, stem in stems(body)}
    left = [word for word, stem in stems(title) if stem not in there]
    return " ".join(left) if len(left) > 1 else ""


def found(index: Index, queries: list[tuple[int, str]], by: str) -> dict[str, float]:
    """(document, query) pairs: mean of 1 / rank of the document, and how many are among the first ten. What has no score
    above zero is not found."""
    ranks = []
    for document, query in queries:
        scores = index.scores(query, by)
        own = scores[document]
        ranks.append(1 + int((scores > own).sum()) if own > 0 else np.inf)
    ranks = np.array(ranks)
    return {"reciprocal rank": float((1 / ranks).mean()), "among ten": float((ranks <= 10).mean())}
