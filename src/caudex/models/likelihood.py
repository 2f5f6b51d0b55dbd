"""How likely a causal language model finds tokens; what all texts begin with is computed once."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.progress import ProgressBar
from caudex.data import pad_sequences
from caudex.trunks.attention import KVCache

MAX_BATCH_TOKENS = 4096
"""of the texts of a batch with what they begin with; bounds the memory of their features"""
MAX_LOGIT_ROWS = 512
"""tokens whose logits are held at once, each as long as the vocabulary"""


@torch.inference_mode()
def continuation_log_likelihoods(model, sequences: Sequence[tuple[Sequence[int], int]], progress: str = "") -> Tensor:
    """[N]: the sum of ln p of the tokens from `start` on, of (tokens, start) with start >= 1.

    Sequences that differ in their last token alone are one pass of the network, and the common beginning of all is computed
    once. `progress` names a bar on standard error.
    """
    rows_of: dict[tuple[int, ...], list[int]] = {}  # the input of the network, and the sequences that it is for
    for i, (tokens, _) in enumerate(sequences):
        rows_of.setdefault(tuple(tokens[:-1]), []).append(i)
    prefix = min(common_prefix_length(list(rows_of)), min((start for _, start in sequences), default=1) - 1)
    cache = prefix_cache(model, next(iter(rows_of))[:prefix]) if prefix else None
    log_likelihoods = torch.zeros(len(sequences))
    with ProgressBar(progress, len(rows_of), silent=not progress) as bar:
        for batch in batch_by_tokens(list(rows_of)):
            tokens = pad_sequences([(text[prefix:], []) for text in batch]).tokens.to(model.device)
            state = repeat_cache(cache, len(batch), tokens.shape[1]) if cache else None
            features = model.trunk(tokens, state).layers["tokens"]  # [B, T, W]
            places = [
                (row, number, position - 1 - prefix, sequences[row][0][position])
                for number, text in enumerate(batch)
                for row in rows_of[text]
                for position in range(sequences[row][1], len(sequences[row][0]))
            ]
            for part in torch.tensor(places).split(MAX_LOGIT_ROWS):
                rows, numbers, positions, targets = part.unbind(1)
                logits = model.signals["next-token"].logits(model.trunk, features[numbers, positions]).float().cpu()
                log_likelihoods.index_add_(0, rows, -F.cross_entropy(logits, targets, reduction="none"))
            bar.advance(len(batch), lambda: f"{bar.completed:,.0f} of {len(rows_of):,}")
    return log_likelihoods


def common_prefix_length(sequences: Sequence[Sequence[int]]) -> int:
    """How many tokens all sequences begin with alike."""
    if not sequences:
        return 0
    first, last = min(sequences), max(sequences)  # in the order of a dictionary, so that these two differ earliest
    shorter = min(len(first), len(last))
    return next((i for i in range(shorter) if first[i] != last[i]), shorter)


def batch_by_tokens(texts: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Batches of texts of similar length, each at most `MAX_BATCH_TOKENS` with its padding, or one text."""
    batch: list[tuple[int, ...]] = []
    for text in sorted(texts, key=len):
        if batch and len(text) * (len(batch) + 1) > MAX_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def prefix_cache(model, tokens: Sequence[int]) -> KVCache:
    """Keys and values of the tokens that several texts begin with."""
    return model.trunk(torch.tensor([tokens], device=model.device), model.trunk.initial_state(1)).state


def repeat_cache(cache: KVCache, batch: int, capacity: int) -> KVCache:
    """The cache of one text, for `batch` texts that go on with up to `capacity` tokens each."""
    repeated = copy.copy(cache)
    repeated.tensors = [
        [F.pad(tensor[:, :, : cache.length].expand(batch, -1, -1, -1), (0, 0, 0, capacity)) for tensor in pair]
        for pair in cache.tensors
    ]
    return repeated
