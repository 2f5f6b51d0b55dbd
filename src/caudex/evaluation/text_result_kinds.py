"""What tables and warnings need of results.json of systems that learn from texts; as in `result_kinds`."""

from __future__ import annotations

from typing import TypedDict

from msgspec import UNSET, Struct, UnsetType, field

from caudex.core.typed_json import Count
from caudex.evaluation.result_kinds import GainRow, ResultRow

GPTFigures = TypedDict(
    "GPTFigures", {"nats a token": float, "perplexity": float, "bits a byte": float, "accuracy": float}
)


class GPTResults(Struct):
    model: GPTFigures
    frequencies: GPTFigures
    parameters: Count
    test_size: Count
    before: GPTFigures | UnsetType = UNSET
    gain: GainRow | UnsetType = UNSET
    learning: Count | UnsetType = field(default=UNSET, name="learning parameters")

    def __post_init__(self):
        missing = [figure is UNSET for figure in (self.before, self.gain, self.learning)]
        if any(missing) and not all(missing):
            raise ValueError("of a fine-tuned model figures are missing")


class BERTResults(Struct):
    unigram: float
    parameters: Count
    loss: float = field(name="masked-token loss")
    accuracy: float = field(name="masked-token accuracy")
    next_sentence: float | UnsetType = field(default=UNSET, name="next-sentence accuracy")
    random_next: float | UnsetType = field(default=UNSET, name="random next")

    def __post_init__(self):
        if self.next_sentence is not UNSET and self.random_next is UNSET:
            raise ValueError("how many second passages are random is missing")


RankMetrics = TypedDict("RankMetrics", {"reciprocal rank": float, "among ten": float})


class SearchRow(Struct):
    queries: Count
    meaning: RankMetrics
    words: RankMetrics
    both: RankMetrics


class TextLabelsResults(Struct):
    words: ResultRow = field(name="words counted")
    gain: GainRow = field(name="gain over words counted")
    gain_over_prompting: GainRow | UnsetType = field(default=UNSET, name="gain over prompting without labels")
    scratch: ResultRow | UnsetType = field(default=UNSET, name="from scratch")
    tuned: ResultRow | UnsetType = field(default=UNSET, name="fine-tuned")
    frozen: ResultRow | UnsetType = field(default=UNSET, name="frozen trunk, logistic regression")

    def __post_init__(self):
        models = [row for row in (self.tuned, self.scratch, self.frozen) if row is not UNSET]
        if not models or any(row.accuracy is UNSET for row in [self.words, *models]):
            raise ValueError("an accuracy is missing")
