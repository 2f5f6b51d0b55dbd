"""Classification by a prompt: which class's word is likelier behind the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError, counted
from caudex.core.seeds import derive_seed
from caudex.data.stratified import apportion, seeded_permutation, stratified_sample
from caudex.data.text.labelled_texts import LabelledTexts
from caudex.models.causal_lm import CausalLM
from caudex.models.likelihood import common_prefix_length, continuation_log_likelihoods
from caudex.models.prompting.calibration import (
    EMPTY_TEXTS,
    Calibration,
    empty_calibration,
    median_calibration,
    no_calibration,
    threshold_calibration,
)
from caudex.models.prompting.prompts import ClassificationPrompt, check_words, fit_context

CALIBRATIONS = ("auto", "median", "empty", "threshold", "none")
MIN_MEDIAN_TEXTS = 20
"""from which on `auto` trusts their median"""
MAX_FITTING_EXAMPLES = 200


class Classification(NamedTuple):
    """`kind` is the calibration, `num_shots` how many examples fit into the context, `num_truncated` how many texts did not."""

    probabilities: Tensor  # [draws, N, K]
    kind: str
    num_shots: int
    num_truncated: int


def classify(
    model: CausalLM,
    prompt: ClassificationPrompt,
    texts: Sequence[str],
    kind: str = "auto",
    examples: LabelledTexts | None = None,
    num_shots: int = 0,
    draws: int = 1,
    seed: int = 0,
    progress: str = "",
) -> Classification:
    """The probability of each class for each text, calibrated by one of `CALIBRATIONS`.

    With `num_shots` the prompt's examples are drawn from `examples`, `draws` times; those that are left fit the threshold.
    Raises CaudexError for words, calibrations and examples that cannot be used.
    """
    check_words(model, prompt, kind)
    drawn = [(prompt, examples)]
    if num_shots and examples:
        drawn = [draw_shots(prompt, examples, num_shots, seed, draw) for draw in range(draws)]
    of_draws = []
    for number, (drawn_prompt, left) in enumerate(drawn, 1):
        fitted, fitting_texts, num_truncated = fit_context(model, drawn_prompt, texts)
        left = fitting_examples(left, seed) if left else None
        kind = choose_calibration(kind, len(texts), left, len(prompt.classes))
        title = f"{progress}, draw {number} of {len(drawn)}" if progress and len(drawn) > 1 else progress
        log_likelihoods = class_log_likelihoods(model, fitted, fitting_texts, title)
        of_draws.append(fit_calibration(model, fitted, log_likelihoods, kind, left).probabilities(log_likelihoods))
    return Classification(torch.stack(of_draws), kind, len(fitted.shots), num_truncated)


def class_log_likelihoods(
    model: CausalLM, prompt: ClassificationPrompt, texts: Sequence[str], progress: str = ""
) -> Tensor:
    """[N, K]: ln p of each class's word behind the prompt with each text.

    Prompt and word are encoded as one text, and cut where the classes' tokens begin to differ. As when text is generated, no token
    stands before them unless the tokenizer puts it there.
    """
    words = list(prompt.words.values())
    encoded = [model.prompt_ids(prompt.complete(text, word)) for text in texts for word in words]
    rows = []
    for first in range(0, len(encoded), len(words)):
        of_text = encoded[first : first + len(words)]
        start = min(common_prefix_length(of_text), *(len(ids) - 1 for ids in of_text))
        rows += [(ids, start) for ids in of_text]
    return continuation_log_likelihoods(model, rows, progress).view(len(texts), len(words))


def draw_shots(
    prompt: ClassificationPrompt, examples: LabelledTexts, num_shots: int, seed: int, draw: int
) -> tuple[ClassificationPrompt, LabelledTexts]:
    """(the prompt with examples drawn at random, as many of each class as can be; the examples that are left).

    Raises CaudexError where a class has too few.
    """
    classes, labels = prompt.classes, examples.labels
    counts = apportion([1] * len(classes), num_shots)
    available = torch.bincount(labels, minlength=len(classes)).tolist()
    for name, count, wanted_count in zip(classes, available, counts):
        if count < wanted_count:
            raise CaudexError(
                f"--shots {num_shots} takes {counted(wanted_count, 'example')} of {name!r}, and --examples has {count}; add some, "
                "or take fewer shots."
            )
    draw_seed = derive_seed(seed, "shots", draw)
    rows = stratified_sample(labels, counts, draw_seed, "shots")
    rows = rows[seeded_permutation(len(rows), draw_seed, "order")]
    is_left = torch.ones(len(labels), dtype=torch.bool)
    is_left[rows] = False
    shots = tuple((examples.texts[i], classes[labels[i]]) for i in rows.tolist())
    return replace(prompt, shots=shots), examples.select(is_left.nonzero().flatten())


def fitting_examples(examples: LabelledTexts, seed: int) -> LabelledTexts:
    """At most `MAX_FITTING_EXAMPLES`, drawn at random."""
    order = seeded_permutation(len(examples), derive_seed(seed, "fitting"), "order")
    return examples.select(order[:MAX_FITTING_EXAMPLES].sort().values)


def choose_calibration(kind: str, num_texts: int, examples: LabelledTexts | None, num_classes: int) -> str:
    """`auto` takes the threshold where there are examples of each class, the median of many texts, else empty texts.

    Raises CaudexError for a threshold without examples of each class.
    """
    can_fit = examples is not None and len(examples.labels.unique()) == num_classes
    if kind == "threshold" and not can_fit:
        raise CaudexError(
            "--calibrate threshold needs labelled texts of each class, besides those that are shown; give them by --examples FILE."
        )
    if kind != "auto":
        return kind
    return "threshold" if can_fit else "median" if num_texts >= MIN_MEDIAN_TEXTS else "empty"


def fit_calibration(
    model: CausalLM,
    prompt: ClassificationPrompt,
    log_likelihoods: Tensor,
    kind: str,
    examples: LabelledTexts | None = None,
) -> Calibration:
    """For the texts of these log-likelihoods [N, K], of a kind that `choose_calibration` gives. Their labels are never seen."""
    if kind == "none":
        return no_calibration(log_likelihoods.shape[1])
    if kind == "median":
        return median_calibration(log_likelihoods)
    if kind == "empty":
        return empty_calibration(class_log_likelihoods(model, prompt, EMPTY_TEXTS))
    texts = fit_context(model, prompt, examples.texts)[1]
    return threshold_calibration(class_log_likelihoods(model, prompt, texts), examples.labels)
