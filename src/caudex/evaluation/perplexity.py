"""How well a language model predicts the tokens of held-out text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caudex.data import TokenBatch


@torch.no_grad()
def loss_and_accuracy(trunk: nn.Module, heads: nn.ModuleDict, windows: Tensor, batch: int = 32) -> tuple[float, float]:
    """Mean -ln p of each next token in windows int64 [N, T + 1], and the share of them that is predicted rightly."""
    loss = accuracy = 0.0
    for part in windows.split(batch):
        part = part.to(trunk.token_embedding.weight.device)
        output = heads["next-token"].loss(trunk, TokenBatch(part[:, :-1], part[:, 1:], part[:, 0]))
        loss += output.loss.item() * len(part)
        accuracy += output.metrics["accuracy"].item() * len(part)
    return loss / len(windows), accuracy / len(windows)
