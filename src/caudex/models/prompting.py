"""Answers from the prompt alone: a language model that was never trained for a task is asked by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.models.language_model import LanguageModel

SHOWN = (
    ("A moving film, beautifully acted from first to last.", "positive"),
    ("Two hours of noise without one idea; I nearly left.", "negative"),
    ("The battery died within a week and nobody answered my letters.", "negative"),
    ("Works exactly as promised, and the price is fair.", "positive"),
)
"""examples that stand before the text whose sentiment is asked"""
SENTIMENTS = ("positive", "negative")


def sentiment(model: LanguageModel, texts: Sequence[str], shots: int = len(SHOWN)) -> tuple[Tensor, int]:
    """The probability that each text is positive, [N], after `shots` examples (Brown et al. 2020, section 2), or as many
    as fit into the context; and how many these are.

    What the model would say of no text at all is taken off first, or its habit would answer (Zhao et al. 2021,
    section 4). Raises CaudexError for a text that does not fit even alone.
    """

    def prompt(text: str, shots: int) -> str:
        lines = [f"Review: {shown}\nSentiment: {said}\n" for shown, said in SHOWN[:shots]]
        return "\n".join([*lines, f"Review: {text}\nSentiment:"])

    longest = max(texts, key=len)
    while shots and model.size(prompt(longest, shots)) > model.trunk.context - 5:
        shots -= 1
    asked = [prompt(text, shots) for text in ("N/A", *texts)]
    found, _ = model.likelihoods([(each, f" {word}") for each in asked for word in SENTIMENTS])
    scores = found.view(len(asked), 2)
    return (scores[1:] - scores[:1]).softmax(1)[:, 0], shots


class Schema(NamedTuple):
    """A sentence with _ in place of a pronoun, and what it may stand for (Levesque et al. 2012)."""

    sentence: str
    candidates: tuple[str, ...]
    answer: int | None = None


SCHEMAS = [
    Schema(f"The trophy does not fit into the brown suitcase because _ is too {word}.", ("the trophy", "the suitcase"), n)
    for n, word in enumerate(("large", "small"))
] + [
    Schema(f"Joan made sure to thank Susan for all the help _ had {word}.", ("Joan", "Susan"), n)
    for n, word in enumerate(("received", "given"))
] + [
    Schema(f"The lorry overtook the bus because _ was going so {word}.", ("the lorry", "the bus"), n)
    for n, word in enumerate(("fast", "slowly"))
] + [
    Schema(f"The cat would not go near the dog because _ was so {word}.", ("the cat", "the dog"), n)
    for n, word in enumerate(("timid", "fierce"))
]  # fmt: skip
"""packaged ones: pairs in which one word turns the answer round, so that guessing is right half of the time"""


class Resolved(NamedTuple):
    """By each way of scoring, which candidate is likelier."""

    full: int
    partial: int


def winograd(model: LanguageModel, schemas: Sequence[Schema]) -> list[Resolved]:
    """Whom the pronoun means: the candidate that makes the whole sentence likelier (full), or what stands behind it,
    given all before (partial; Trinh and Le 2018, section 3, and what GPT-2 reports). Nothing is divided by lengths."""
    pairs, sizes = [], []
    for schema in schemas:
        before, _, behind = schema.sentence.partition("_")
        if not _ or not behind.strip() or len(schema.candidates) < 2:
            raise CaudexError(
                f"{schema.sentence!r} is no schema: it needs one _ for the pronoun with words behind it, and two "
                "candidates at least."
            )
        for candidate in schema.candidates:
            named = before + (candidate[0].upper() + candidate[1:] if not before.strip() else candidate)
            pairs += [("", named + behind), (named, behind)]
        sizes.append(len(schema.candidates))
    found, _ = model.likelihoods(pairs)
    parts = found.view(-1, 2).split(sizes)  # of each schema [candidates, 2]
    return [Resolved(*part.argmax(0).tolist()) for part in parts]


QUESTIONS = (
    ("Who wrote the play Hamlet?", "William Shakespeare"),
    ("What is the capital of France?", "Paris"),
    ("How many legs has a spider?", "eight"),
)
"""examples that stand before a question"""
ASKED = (
    ("Who wrote the book the origin of species?", "Charles Darwin"),
    ("What is the largest planet of the solar system?", "Jupiter"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci"),
    ("In which country is Kyoto?", "Japan"),
)
"""packaged questions with their answers"""


def answer(model: LanguageModel, question: str, most: int = 20) -> tuple[str, float]:
    """The likeliest answer, greedily, to the end of its line, after as many examples as fit into the context; and the
    probability of its tokens together (Radford et al. 2019, section 3.8).

    Raises CaudexError for a question that does not fit even alone.
    """
    prompts = ["\n".join([*_shown(shots), f"Q: {question}\nA:"]) for shots in range(len(QUESTIONS), -1, -1)]
    prompt = next((each for each in prompts if model.size(each) + most < model.trunk.context), None)
    if prompt is None:
        raise CaudexError(
            f"{question[:60]!r} and an answer of {most} tokens do not fit into the context of {model.trunk.context:,}; "
            "shorten it, or use a model with a longer context."
        )
    said = ""
    for (part,) in model.generate(prompt, most, temperature=0):
        said += part
        if "\n" in said.lstrip():
            break
    said = said.strip().split("\n")[0].strip()
    return (said, model.likelihoods([(prompt, f" {said}")])[0].exp().item()) if said else ("", 0.0)


def _shown(count: int) -> list[str]:
    return [f"Q: {asked}\nA: {said}\n" for asked, said in QUESTIONS[:count]]


def right(said: str, truth: str) -> bool:
    """Whether the answer holds the truth, case and punctuation aside."""

    def plain(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())

    return f" {plain(truth)} " in f" {plain(said)} "
