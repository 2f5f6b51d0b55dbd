"""Hide tokens, for a network to tell what they were."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.views.draw import Draw


def hide(
    tokens: Tensor,
    draw: Draw,
    mask: int,
    vocabulary: int,
    special: Tensor,
    continues: Tensor | None = None,
    share: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Tokens int64 [B, T] with some hidden, and targets [B, T]: what they were, -1 at all other places.

    `share` of each text's tokens, one at least, are chosen; of these 80% become `mask`, 10% another token at random, 10%
    stay as they are (Devlin et al. 2019, appendix A.1). `special` [V] says which tokens are never chosen or put.
    With `continues` [V], which pieces go on with a word, whole words are chosen, in a random order, as long as they
    fit into the budget; what becomes of a piece is still drawn for each (as in the released code).
    """
    eligible = ~special[tokens]  # [B, T]
    budget = (eligible.sum(1) * share).round().clamp_min(1)  # [B]
    order = draw.uniform(tokens.shape[1])  # [B, T], the lowest are chosen first
    fate, other = draw.uniform(tokens.shape[1]), draw.uniform(tokens.shape[1])
    sizes = torch.ones_like(order)
    if continues is not None:
        begins = torch.ones_like(eligible)
        begins[:, 1:] = ~(continues[tokens] & eligible)[:, 1:] | ~eligible[:, :-1]
        word = begins.cumsum(1) - 1  # [B, T], which word of its text a piece belongs to
        places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(word)
        order = order.gather(1, torch.where(begins, places, 0).cummax(1).values)  # of its word's first piece
        sizes = torch.zeros_like(order).scatter_add_(1, word, eligible.float()).gather(1, word)
        sizes = torch.where(begins, sizes, 0.0)  # a word is paid for once, at its first piece
    order = order.masked_fill(~eligible, 2.0)
    ranked = order.argsort(dim=1, stable=True)
    spent = torch.empty_like(order).scatter_(1, ranked, sizes.gather(1, ranked).cumsum(1))  # [B, T]
    chosen = eligible & (spent <= budget[:, None])
    chosen |= eligible & (order == order.amin(1, keepdim=True)) & ~chosen.any(1, keepdim=True)  # one word at least
    allowed = (~special).nonzero().flatten()
    wild = allowed[(other * len(allowed)).long().clamp_max(len(allowed) - 1)]
    hidden = torch.where(fate < 0.8, mask, torch.where(fate < 0.9, wild, tokens))
    return torch.where(chosen, hidden, tokens), torch.where(chosen, tokens, -1)
