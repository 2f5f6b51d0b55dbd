"""Masks of tokens, for a network to predict what they hide."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.views.draw import Draw


def mask_tokens(
    tokens: Tensor,
    draw: Draw,
    mask_id: int,
    is_special: Tensor,
    is_continuation: Tensor | None = None,
    masked_share: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Tokens int64 [B, T] with some masked, and targets [B, T]: the tokens that were masked, -1 at all other positions.

    `masked_share` of each text's tokens, one at least, are selected; of these 80% become `mask_id`, 10% a random token,
    10% stay (Devlin et al. 2019, appendix A.1). Tokens of `is_special` [V] are neither selected nor drawn.
    With `is_continuation` [V] (word pieces that continue a word) whole words are selected, in a random order, as long
    as they fit into the budget; each piece is still replaced on its own (as in the released code).
    """
    eligible = ~is_special[tokens]  # [B, T]
    budget = (eligible.sum(1) * masked_share).round().clamp_min(1)  # [B]
    order = draw.uniform(tokens.shape[1])  # [B, T], the lowest are selected first
    action, random = draw.uniform(tokens.shape[1]), draw.uniform(tokens.shape[1])
    sizes = torch.ones_like(order)
    if is_continuation is not None:
        begins = torch.ones_like(eligible)
        begins[:, 1:] = ~(is_continuation[tokens] & eligible)[:, 1:] | ~eligible[:, :-1]
        word = begins.cumsum(1) - 1  # [B, T], which word of its text a piece belongs to
        positions = torch.arange(tokens.shape[1], device=tokens.device).expand_as(word)
        order = order.gather(1, torch.where(begins, positions, 0).cummax(1).values)  # of its word's first piece
        sizes = torch.zeros_like(order).scatter_add_(1, word, eligible.float()).gather(1, word)
        sizes = torch.where(begins, sizes, 0.0)  # a word counts once, at its first piece
    order = order.masked_fill(~eligible, 2.0)
    ranked = order.argsort(dim=1, stable=True)
    cost = torch.empty_like(order).scatter_(1, ranked, sizes.gather(1, ranked).cumsum(1))  # [B, T]
    selected = eligible & (cost <= budget[:, None])
    selected |= eligible & (order == order.amin(1, keepdim=True)) & ~selected.any(1, keepdim=True)  # one word at least
    allowed = (~is_special).nonzero().flatten()
    random_tokens = allowed[(random * len(allowed)).long().clamp_max(len(allowed) - 1)]
    masked = torch.where(action < 0.8, mask_id, torch.where(action < 0.9, random_tokens, tokens))
    return torch.where(selected, masked, tokens), torch.where(selected, tokens, -1)
