"""Random rows of each class: samples, and splits into what is learned from and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor


def seeded_permutation(count: int, seed: int, purpose: str) -> Tensor:
    """int64 [count]: a random order that depends only on seed and purpose."""
    digest = blake2b(f"{purpose}:{seed}".encode(), digest_size=7).digest()
    return torch.randperm(count, generator=torch.Generator().manual_seed(int.from_bytes(digest)))


def stratified_sample(labels: Tensor, counts: Sequence[int], seed: int, purpose: str) -> Tensor:
    """int64: `counts[k]` random rows with label k, in ascending order.

    With one seed a small sample lies within a larger one.
    """
    shuffled = seeded_permutation(len(labels), seed, purpose)
    rows = [shuffled[labels[shuffled] == label][:count] for label, count in enumerate(counts)]
    return torch.cat(rows).sort().values


def split_stratified(labels: Tensor, share: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """(rows to learn from, rows held out): of each class about `share` is held out, at least one and never all; of a class
    with one example none."""
    held_out = stratified_sample(labels, held_out_counts(torch.bincount(labels).tolist(), share), seed, purpose)
    is_train = torch.ones(len(labels), dtype=torch.bool)
    is_train[held_out] = False
    return is_train.nonzero().flatten(), held_out


def stratified_folds(labels: Tensor, num_folds: int, seed: int, purpose: str) -> list[Tensor]:
    """Rows of each fold, int64 in ascending order: disjoint, with as many of each class as can be; a class with one example
    is in none."""
    shuffled = seeded_permutation(len(labels), seed, purpose)
    by_class = [shuffled[labels[shuffled] == label] for label in labels.unique()]
    return [
        torch.cat([rows[fold::num_folds] for rows in by_class if len(rows) > 1] or [shuffled[:0]]).sort().values
        for fold in range(num_folds)
    ]


def held_out_counts(counts: Sequence[int], share: float) -> list[int]:
    return [max(0, min(count - 1, max(1, round(count * share)))) for count in counts]


def apportion(counts: Sequence[int], total: int) -> list[int]:
    """Whole numbers in proportion to `counts` that sum to `total` (largest remainders; ties to the first)."""
    exact = [count * total / sum(counts) for count in counts]
    parts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: parts[k] - exact[k])
    for k in by_remainder[: total - sum(parts)]:
        parts[k] += 1
    return parts


def class_counts(labels: Tensor, classes: Sequence[str]) -> list[int]:
    """How many examples each class has; -1 is no class."""
    return torch.bincount(labels[labels >= 0], minlength=len(classes)).tolist()
