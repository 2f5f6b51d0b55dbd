"""Beam search over tokens of any kind: the likeliest sequences, searched width first with a cache."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Hypothesis(NamedTuple):
    """A sequence of new tokens, its end included where it has one."""

    score: float  # sum of ln p, divided by a power of the length
    tokens: list[int]


def beam_search(
    first: Tensor,
    advance: Callable[[Tensor, Tensor], Tensor],
    beams: int,
    max_new_tokens: int,
    eos_token_ids: Sequence[int] = (),
    length_penalty: float = 1.0,
) -> list[list[Hypothesis]]:
    """For each of B problems up to `beams` sequences, the best first.

    `first` is float [B, V]: ln p of each problem's first token. `advance(rows, tokens)`, int64 [B * beams] both, keeps these rows of
    what the last call computed (of the B problems at first), appends the tokens and returns ln p of the tokens behind, [B * beams, V].
    A sequence ends with one of `eos_token_ids` or after `max_new_tokens`; its score is the sum of its ln p divided by
    length ** `length_penalty` (Wu et al. 2016, section 7, without the constant). A problem is over when no open sequence can
    still become better than the `beams` best that ended.
    """
    (batch, size), device = first.shape, first.device
    ends = torch.tensor(list(eos_token_ids), dtype=torch.long, device=device)
    problems = torch.arange(batch, device=device)[:, None]
    scores = torch.full((batch, beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # one open sequence at first, not the same one several times
    log_probabilities, tokens = first.repeat_interleave(beams, 0), problems.new_empty(batch, beams, 0)
    finished: list[list[Hypothesis]] = [[] for _ in range(batch)]
    for length in range(1, max_new_tokens + 1):
        totals = (scores[..., None] + log_probabilities.view(batch, beams, size)).flatten(1)  # [B, beams * V]
        totals, choices = totals.topk(min(beams * (1 + len(ends)), totals.shape[1]))
        parents, new_tokens = choices // size, choices % size
        tokens = torch.cat([take_beams(tokens, parents), new_tokens[..., None]], 2)  # [B, candidates, length]
        is_over = torch.isin(new_tokens, ends) | (length == max_new_tokens)
        for best, *candidates in zip(finished, totals.tolist(), tokens.tolist(), is_over.tolist()):
            keep_best(best, beams, length**length_penalty, *candidates)
        scores, open_beams = totals.masked_fill(is_over, -torch.inf).topk(beams)
        bounds = scores[:, 0] / max_new_tokens**length_penalty  # if all further tokens were certain
        if all(is_settled(best, beams, bound) for best, bound in zip(finished, bounds.tolist())):
            break
        tokens, parents = take_beams(tokens, open_beams), parents.gather(1, open_beams)
        rows = (problems * beams + parents if length > 1 else problems.expand(-1, beams)).flatten()
        log_probabilities = advance(rows, tokens[..., -1].flatten())
    return [sorted(best, reverse=True) for best in finished]


def take_beams(tokens: Tensor, beams: Tensor) -> Tensor:
    """Of tokens [B, N, T] those of beams [B, K]."""
    return tokens.gather(1, beams[..., None].expand(-1, -1, tokens.shape[2]))


def keep_best(best: list[Hypothesis], count: int, divisor: float, totals, tokens, is_over) -> None:
    """Add the candidates that are over to the heap of at most `count` hypotheses."""
    for total, sequence, over in zip(totals, tokens, is_over):
        if over and total > -torch.inf:
            heapq.heappush(best, Hypothesis(total / divisor, sequence))
    while len(best) > count:
        heapq.heappop(best)


def is_settled(best: list[Hypothesis], count: int, bound: float) -> bool:
    """Whether no open sequence, whose score would be `bound` at most, can be among the best."""
    return bound == -torch.inf or (len(best) == count and best[0].score >= bound)
