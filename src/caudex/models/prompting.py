"""Zero-shot and few-shot tasks: a language model that was never trained for them scores prompts by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.models.causal_lm import CausalLM

SENTIMENT_EXAMPLES = (
    ("A moving film, beautifully acted from first to last.", "positive"),
    ("Two hours of noise without one idea; I nearly left.", "negative"),
    ("The battery died within a week and nobody answered my letters.", "negative"),
    ("Works exactly as promised, and the price is fair.", "positive"),
)
"""before the text to classify"""
SENTIMENT_LABELS = ("positive", "negative")


def classify_sentiment(
    model: CausalLM, texts: Sequence[str], num_shots: int = len(SENTIMENT_EXAMPLES)
) -> tuple[Tensor, int]:
    """(probability that each text is positive, [N], number of shots): after `num_shots` examples (Brown et al. 2020,
    section 2), or as many as fit into the context.

    The model's scores of the text N/A are subtracted, which calibrates its bias (Zhao et al. 2021, section 4). Raises
    CaudexError for a text that does not fit even alone.
    """

    def make_prompt(text: str, num_shots: int) -> str:
        shots = [f"Review: {example}\nSentiment: {label}\n" for example, label in SENTIMENT_EXAMPLES[:num_shots]]
        return "\n".join([*shots, f"Review: {text}\nSentiment:"])

    longest = max(texts, key=len)
    while num_shots and model.count_tokens(make_prompt(longest, num_shots)) > model.trunk.context - 5:
        num_shots -= 1
    prompts = [make_prompt(text, num_shots) for text in ("N/A", *texts)]
    pairs = [(prompt, f" {label}") for prompt in prompts for label in SENTIMENT_LABELS]
    log_likelihoods, _ = model.log_likelihoods(pairs)
    scores = log_likelihoods.view(len(prompts), 2)
    return (scores[1:] - scores[:1]).softmax(1)[:, 0], num_shots


class WinogradSchema(NamedTuple):
    """A sentence with _ in place of a pronoun, and what it may stand for (Levesque et al. 2012)."""

    sentence: str
    candidates: tuple[str, ...]
    answer: int | None = None


WINOGRAD_SCHEMAS = [
    WinogradSchema(f"The trophy does not fit into the brown suitcase because _ is too {word}.", ("the trophy", "the suitcase"), n)
    for n, word in enumerate(("large", "small"))
] + [
    WinogradSchema(f"Joan made sure to thank Susan for all the help _ had {word}.", ("Joan", "Susan"), n)
    for n, word in enumerate(("received", "given"))
] + [
    WinogradSchema(f"The lorry overtook the bus because _ was going so {word}.", ("the lorry", "the bus"), n)
    for n, word in enumerate(("fast", "slowly"))
] + [
    WinogradSchema(f"The cat would not go near the dog because _ was so {word}.", ("the cat", "the dog"), n)
    for n, word in enumerate(("timid", "fierce"))
]  # fmt: skip
"""packaged ones: pairs in which one word turns the answer round, so that guessing is right half of the time"""


class WinogradPrediction(NamedTuple):
    """The likelier candidate by each score."""

    full: int
    partial: int


def resolve_pronouns(model: CausalLM, schemas: Sequence[WinogradSchema]) -> list[WinogradPrediction]:
    """The candidate that makes the complete sentence likelier (full), or the part after the pronoun given the part
    before (partial; Trinh and Le 2018, section 3, and the score that GPT-2 reports). No length normalisation."""
    pairs, sizes = [], []
    for schema in schemas:
        before, pronoun, after = schema.sentence.partition("_")
        if not pronoun or not after.strip() or len(schema.candidates) < 2:
            raise CaudexError(
                f"{schema.sentence!r} is no schema: it needs one _ for the pronoun with words behind it, and two "
                "candidates at least."
            )
        for candidate in schema.candidates:
            resolved = before + (candidate[0].upper() + candidate[1:] if not before.strip() else candidate)
            pairs += [("", resolved + after), (resolved, after)]
        sizes.append(len(schema.candidates))
    log_likelihoods, _ = model.log_likelihoods(pairs)
    parts = log_likelihoods.view(-1, 2).split(sizes)  # of each schema [candidates, 2]
    return [WinogradPrediction(*part.argmax(0).tolist()) for part in parts]


QA_EXAMPLES = (
    ("Who wrote the play Hamlet?", "William Shakespeare"),
    ("What is the capital of France?", "Paris"),
    ("How many legs has a spider?", "eight"),
)
"""before a question"""
QUESTIONS = (
    ("Who wrote the book the origin of species?", "Charles Darwin"),
    ("What is the largest planet of the solar system?", "Jupiter"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci"),
    ("In which country is Kyoto?", "Japan"),
)
"""packaged questions with their answers"""


def answer_question(model: CausalLM, question: str, max_new_tokens: int = 20) -> tuple[str, float]:
    """(answer, probability of its tokens): the greedy answer, to the end of its line, after as many examples as fit into
    the context (Radford et al. 2019, section 3.8).

    Raises CaudexError for a question that does not fit even alone.
    """
    prompts = ["\n".join([*_qa_shots(shots), f"Q: {question}\nA:"]) for shots in range(len(QA_EXAMPLES), -1, -1)]
    max_prompt_tokens = model.trunk.context - max_new_tokens
    prompt = next((prompt for prompt in prompts if model.count_tokens(prompt) < max_prompt_tokens), None)
    if prompt is None:
        raise CaudexError(
            f"{question[:60]!r} and an answer of {max_new_tokens} tokens do not fit into the context of {model.trunk.context:,}; "
            "shorten it, or use a model with a longer context."
        )
    tokenizer, ids = model.tokenizer, model.tokenizer.encode(prompt, parse_special=False)
    prompt_length, skipped, answer = len(ids), len(model.tokenizer.decode(ids)), ""
    for (token,) in model.generate_tokens(ids[:], max_new_tokens, temperature=0):
        text = tokenizer.decode([*ids, token], skip_special_tokens=True)[skipped:].lstrip()
        line, newline, _ = text.partition("\n")
        ends = token in model.eos_token_ids
        if not ends and (line.strip() != answer or not newline):  # it holds a part of the answer
            ids.append(token)
            answer = line.strip()
        if newline or ends:
            break
    return (answer, model.token_log_likelihoods([(ids, prompt_length)])[0].exp().item()) if answer else ("", 0.0)


def _qa_shots(count: int) -> list[str]:
    return [f"Q: {question}\nA: {answer}\n" for question, answer in QA_EXAMPLES[:count]]


def is_correct_answer(answer: str, truth: str) -> bool:
    """Whether the answer contains the truth, ignoring case and punctuation."""

    def normalize(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())

    return f" {normalize(truth)} " in f" {normalize(answer)} "
