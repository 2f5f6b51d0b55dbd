"""The next token, drawn from the likeliest ones."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.errors import CaudexError

MANY_CANDIDATES = 256
"""tokens that are looked at first: sorting a whole vocabulary takes longer than computing it"""


def sample_tokens(
    logits: Tensor, temperature: float, top_p: float, generator: torch.Generator | None, top_k: int = 0
) -> Tensor:
    """A token for each row [N] of logits [N, V] on the CPU; temperature 0 is greedy.

    Drawn from the `top_k` likeliest (0: all; Fan et al. 2018, section 5.2), and of these from the likeliest that together have the
    share `top_p` of their probability (Holtzman et al. 2020, section 3.1). Raises CaudexError for logits that are not finite.
    """
    if not logits.amax().isfinite():
        raise CaudexError(
            "the model's logits are not finite; its weights are damaged, or too large: import or train it anew."
        )
    if temperature == 0:
        return torch.from_numpy(logits.numpy().argmax(1))  # ten times as fast as torch's
    logits = logits / temperature
    if top_k:
        logits, order = logits.topk(min(top_k, logits.shape[1]))
        probabilities = logits.softmax(1)
    else:
        probabilities, order = likeliest(logits.softmax(1), top_p)
    before = probabilities.cumsum(1) - probabilities  # of those that are likelier
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    return order.gather(1, probabilities.multinomial(1, generator=generator)).squeeze(1)


def likeliest(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """(probabilities [N, K], tokens [N, K]), the likeliest first: as many as have the share `top_p` together, or more."""
    size = probabilities.shape[1]
    if top_p < 1 and size > MANY_CANDIDATES:
        candidates = probabilities.topk(MANY_CANDIDATES)
        if (candidates.values.sum(1) > top_p + 1e-6).all():
            return candidates
        unlikely = (1 - top_p) / size  # tokens below have less than 1 - top_p together, so the others have top_p
        return probabilities.topk(int((probabilities >= unlikely).sum(1).max()))
    return probabilities.sort(dim=1, descending=True)
