"""Questions, answered after a few examples: the likeliest line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from caudex.core.errors import CaudexError
from caudex.core.progress import ProgressBar
from caudex.models.causal_lm import CausalLM
from caudex.models.likelihood import common_prefix_length, prefix_cache, repeat_cache
from caudex.models.prompting.packaged_questions import QA_EXAMPLES
from caudex.models.text_stream import TextStream

MAX_BATCH = 16


class Answer(NamedTuple):
    """`probability` is that of all its tokens, 0 where there is no answer."""

    text: str
    probability: float


def answer_questions(
    model: CausalLM,
    questions: Sequence[str],
    num_shots: int = len(QA_EXAMPLES),
    max_new_tokens: int = 20,
    progress: str = "",
) -> list[Answer]:
    """The greedy answer to each, to the end of its line, after as many of the examples as fit into the context (Radford et
    al. 2019, section 3.8).

    Raises CaudexError for a question that does not fit even alone.
    """
    model.require_signal("next-token", "answer questions")
    room = model.trunk.context - max_new_tokens
    for shots in range(num_shots, -1, -1):
        prompts = [make_question_prompt(question, shots) for question in questions]
        encoded = [model.prompt_ids(prompt) for prompt in prompts]
        longest = max(range(len(encoded)), key=lambda i: len(encoded[i]))
        if len(encoded[longest]) < room:
            return generate_lines(model, encoded, max_new_tokens, progress)
    raise CaudexError(
        f"{questions[longest][:60]!r} and an answer of {max_new_tokens} tokens do not fit into the context of "
        f"{model.trunk.context:,}; shorten it, or use a model with a longer context."
    )


def make_question_prompt(question: str, num_shots: int) -> str:
    shots = [f"Q: {example}\nA: {answer}\n" for example, answer in QA_EXAMPLES[:num_shots]]
    return "\n".join([*shots, f"Q: {question}\nA:"])


@torch.inference_mode()
def generate_lines(
    model: CausalLM, prompts: Sequence[Sequence[int]], max_new_tokens: int, progress: str = ""
) -> list[Answer]:
    """The likeliest line behind each prompt. Prompts of one length are a batch; what all begin with is computed once."""
    prefix = min(common_prefix_length(prompts), min(map(len, prompts)) - 1)
    cache = prefix_cache(model, prompts[0][:prefix]) if prefix else None
    answers = [Answer("", 0.0)] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    with ProgressBar(progress, len(prompts), silent=not progress) as bar:
        while order:
            length = len(prompts[order[0]])
            batch = [i for i in order[:MAX_BATCH] if len(prompts[i]) == length]
            order = order[len(batch) :]
            state = model.trunk.initial_state(len(batch))
            if cache:
                state = repeat_cache(cache, len(batch), length - prefix + max_new_tokens)
            lines = _generate_batch(model, [prompts[i] for i in batch], prefix, state, max_new_tokens)
            for i, answer in zip(batch, lines):
                answers[i] = answer
            bar.advance(len(batch))
    return answers


def _generate_batch(model, prompts, prefix: int, state, max_new_tokens: int) -> list[Answer]:
    """The same of prompts of one length, whose first `prefix` tokens the state holds."""
    streams = [TextStream(model.tokenizer, prompt, ("\n",), model.eos_token_ids) for prompt in prompts]
    texts, sums = [""] * len(prompts), [0.0] * len(prompts)
    active, tokens = list(range(len(prompts))), torch.tensor([prompt[prefix:] for prompt in prompts])
    for _ in range(max_new_tokens):
        log_probs, tokens = model.next_logits(tokens, state).cpu().log_softmax(1).max(1)
        for i, token, log_prob in zip(active, tokens.tolist(), log_probs.tolist()):
            text = streams[i].add(token)
            if text or not streams[i].is_finished:  # else it only ends the line
                texts[i] += text
                sums[i] += log_prob
        going_on = [row for row, i in enumerate(active) if not streams[i].is_finished]
        if not going_on:
            break
        active, tokens = [active[row] for row in going_on], tokens[going_on][:, None]
        state.select_rows(torch.tensor(going_on, device=model.device))
    return [Answer(text.strip(), math.exp(total) if text.strip() else 0.0) for text, total in zip(texts, sums)]


def is_correct_answer(answer: str, truth: str) -> bool:
    """Whether the answer contains the truth, or one of its spellings divided by |, ignoring case and punctuation."""

    def normalize(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())

    spellings = filter(None, map(normalize, truth.split("|")))
    return any(f" {spelling} " in f" {normalize(answer)} " for spelling in spellings)
