"""What the processes of one training exchange, so that they learn what one process would; of one process, nothing."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def num_processes() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def process_rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def mean_over_processes(figure: Tensor) -> Tensor:
    """The mean of the processes' figures, without a gradient.

    A sum or mean of one process's examples is divided by it where the equation divides by that of the whole batch: the
    processes' gradients are averaged.
    """
    if num_processes() == 1:
        return figure
    total = figure.detach().clone() if figure.is_floating_point() else figure.float()
    distributed.all_reduce(total)
    return total / num_processes()


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """The rows [B, ...] of all processes, in one order, and where those of this process begin. Gradients come back from
    all processes; how many rows each has may differ."""
    if num_processes() == 1:
        return rows, 0
    own_count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(own_count) for _ in range(num_processes())]
    distributed.all_gather(counts, own_count)
    counts = torch.cat(counts).tolist()
    return _GatherRows.apply(rows, counts), sum(counts[: process_rank()])


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])  # collectives take tensors of one size
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts)])

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad = grad.contiguous().clone()
        distributed.all_reduce(grad)
        return grad.split(ctx.counts)[process_rank()], None
