"""semantic-search: find by meaning, not by string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from caudex import data
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import EncoderSpec
from caudex.core.system import System
from caudex.data.stratified import seeded_permutation
from caudex.evaluation import text_result_kinds
from caudex.evaluation.claim import Claim
from caudex.models.language_model import LanguageModel
from caudex.models.passage_index import RANKINGS, Passage, PassageIndex, embed_texts, load_encoder


@dataclass
class SemanticSearch(System):
    """How well documents are found by their own headlines: by meaning, by words (BM25), and by both.

    `caudex search texts/ "how do I get my money back"` searches; this measures it. The first line of each document is
    the query, what follows it is to be found. Once more among documents from which every word of their own headline has
    been taken, so that none shares a word with its query.
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

    spec_type: ClassVar = EncoderSpec
    scales: ClassVar = {"tiny": {"documents": 60, "words": 40}}
    results_type: ClassVar = dict[str, text_result_kinds.SearchRow]
    measure: ClassVar = "mean reciprocal rank"
    statement: ClassVar = "where words differ, meaning finds what BM25 does not"

    def train(self, run: Run) -> LanguageModel:
        model = load_encoder(self.start)
        titles, bodies = self.load_headlines()
        run.write_spec(EncoderSpec(self.start))
        print_once(run, f"reading {len(bodies):,} documents of up to {self.words} words")
        with run.counting(model):
            unlike_titles = [remove_title_words(title, body) for title, body in zip(titles, bodies)]
            results = {}
            for name, texts in {"headlines": bodies, "no word shared": unlike_titles}.items():
                index = PassageIndex(
                    model, [Passage(i, text) for i, text in enumerate(texts)], embed_texts(model, texts)
                )
                ranks = {by: rank_metrics(index, titles, by) for by in RANKINGS}
                results[name] = {"queries": len(titles), **ranks}
        run.write_json("results", results)
        return model

    def load_headlines(self) -> tuple[list[str], list[str]]:
        """The first line of each document, and the words behind it."""
        texts: dict[int, str] = {}
        for number, piece in data.open_documents(self.data, self.column):
            texts.setdefault(number, piece)
        pairs = [text.strip().partition("\n") for text in texts.values()]
        pairs = [(title, " ".join(body.split()[: self.words])) for title, _, body in pairs if body.strip()]
        if len(pairs) < 10:
            raise CaudexError(
                f"{self.data} has {len(pairs)} documents with a line behind the first; ten are the least to search among."
            )
        pairs = [pairs[i] for i in seeded_permutation(len(pairs), self.seed, "documents")[: self.documents].tolist()]
        return [title for title, _ in pairs], [body for _, body in pairs]

    def model(self, spec: EncoderSpec) -> LanguageModel:
        return load_encoder(spec.start)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("mean reciprocal rank", *RANKINGS, "queries")]
        for name, row in results.items():
            rows.append((name, *(f"{row[by]['reciprocal rank']:.3f}" for by in RANKINGS), f"{row['queries']:,}"))
            rows.append(("  among the first ten", *(f"{row[by]['among ten']:.1%}" for by in RANKINGS), ""))
        return rows

    def claim(self, run: Run) -> Claim:
        self.train(run)
        ranks = {
            name: {by: row[by]["reciprocal rank"] for by in RANKINGS} for name, row in run.read_json("results").items()
        }
        no_word_shared = ranks["no word shared"]
        secondary = {f"headlines, {by}": rank for by, rank in ranks["headlines"].items()}
        secondary["both"] = no_word_shared["both"]
        queries = run.read_json("results")["no word shared"]["queries"]
        controls = {"any order": sum(1 / rank for rank in range(1, queries + 1)) / queries}
        return Claim(self.statement, no_word_shared["meaning"], {"BM25": no_word_shared["words"]}, secondary, controls)

    def check(self) -> None:
        super().check()
        check_range(self, documents=(10, 1 << 20), words=(5, 100_000))


def remove_title_words(title: str, body: str) -> str:
    """The body without the words of the title, in whatever form: those whose first four letters are alike."""

    def stems(text: str) -> set[str]:
        return {word.lower()[:4] for word in re.findall(r"\w+", text)}

    title_stems = stems(title)
    return " ".join(word for word in body.split() if not stems(word) & title_stems)


def rank_metrics(index: PassageIndex, queries: list[str], by: str) -> dict[str, float]:
    """Of searches where query i is to find document i: the mean of 1 / rank, and the share among the first ten. A
    document whose score is not above zero is not found."""
    ranks = []
    for document, query in enumerate(queries):
        scores = index.scores(query, by)
        score = scores[document]
        ranks.append(1 + int((scores > score).sum()) if score > 0 else np.inf)
    ranks = np.array(ranks)
    return {"reciprocal rank": float((1 / ranks).mean()), "among ten": float((ranks <= 10).mean())}
