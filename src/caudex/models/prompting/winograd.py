"""Winograd schemas: whom a pronoun means, by which candidate makes the sentence likelier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from caudex.core.errors import CaudexError
from caudex.models.causal_lm import CausalLM
from caudex.models.prompting.packaged_schemas import TWINS

LOWERED = frozenset(("The", "A", "An", "My", "His", "Her", "Their", "Our", "Its", "Your", "This", "That"))
"""first words of a candidate that are capital only where a sentence begins"""


class WinogradSchema(NamedTuple):
    """The sentence before and after a pronoun, and whom it may mean (Levesque et al. 2012)."""

    before: str
    after: str
    candidates: tuple[str, ...]
    answer: int | None = None

    def resolve(self, candidate: str) -> str:
        """The sentence up to and with the candidate in place of the pronoun, its first letter as its place wants it."""
        if re.search(r"(^|[.!?][\"')]*)\s*[\"'(]*$", self.before):  # a sentence begins
            candidate = candidate[:1].upper() + candidate[1:]
        elif candidate.partition(" ")[0] in LOWERED:
            candidate = candidate[:1].lower() + candidate[1:]
        return self.before + candidate


class WinogradPrediction(NamedTuple):
    """The likelier candidate by each score."""

    full: int
    partial: int


def parse_schema(sentence: str, candidates: Sequence[str], answer: int | None = None) -> WinogradSchema:
    """The schema of a sentence with _ for the pronoun. Raises CaudexError for one that is none."""
    before, pronoun, after = sentence.partition("_")
    candidates = tuple(candidate.strip() for candidate in candidates)
    if not pronoun or not after.strip() or "_" in after or len(candidates) < 2 or not all(candidates):
        raise CaudexError(
            f"{sentence!r} is no schema: it needs one _ for the pronoun with words behind it, and two candidates at least."
        )
    return WinogradSchema(before, after, candidates, answer)


def packaged_schemas() -> list[WinogradSchema]:
    """Sixty, each beside its twin."""
    return [
        parse_schema(sentence.format(word), candidates, answer)
        for sentence, words, candidates in TWINS
        for answer, word in enumerate(words)
    ]


def resolve_pronouns(
    model: CausalLM, schemas: Sequence[WinogradSchema], progress: str = ""
) -> list[WinogradPrediction]:
    """The candidate that makes the complete sentence likelier (full), or the part after the pronoun given the part
    before (partial; Trinh and Le 2018, section 3, and the score that GPT-2 reports). No length normalisation."""
    pairs, sizes = [], []
    for schema in schemas:
        for candidate in schema.candidates:
            resolved = schema.resolve(candidate)
            pairs += [("", resolved + schema.after), (resolved, schema.after)]
        sizes.append(len(schema.candidates))
    log_likelihoods, _ = model.log_likelihoods(pairs, progress)
    parts = log_likelihoods.view(-1, 2).split(sizes)  # of each schema [candidates, 2]
    return [WinogradPrediction(*part.argmax(0).tolist()) for part in parts]
