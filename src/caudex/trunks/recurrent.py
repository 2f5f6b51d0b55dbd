"""A trunk with memory: what it makes of an observation depends on those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.gru import GRU
from caudex.trunks.transformer import Block, Memory, initialise

TOGETHER = 1024
"""observations encoded at once: of more, what convolutions make leaves the processor's caches, and takes twice the time"""


class Padded(NamedTuple):
    """Sequences of different lengths, one beside the other, padded at their ends."""

    values: Tensor  # [B, T, ...]
    lengths: Tensor  # int64 [B]

    def real(self) -> Tensor:
        """bool [B, T]: where a sequence has not ended."""
        return torch.arange(self.values.shape[1], device=self.lengths.device) < self.lengths[:, None]


def chosen(observations: Tensor | Padded, rows: Tensor | slice) -> Tensor | Padded:
    """These rows, each an observation or a sequence of them."""
    return Padded(*(part[rows] for part in observations)) if isinstance(observations, Padded) else observations[rows]


class Remembered(NamedTuple):
    """What attention has seen so far, and the inputs of the last step, [B, 1, inputs]."""

    attended: Memory
    last: Tensor


class Causal(nn.Module):
    """Remembers everything, and attends to it: the blocks of GPT-2, [B, T, inputs] to [B, T, width], and the state.

    Places are rotary: no weight belongs to one, so that a sequence may be longer than those that were learned from. A step
    sees the inputs of the step before beside its own: what was done then, and what came of it, stand in one place, and to
    find these again takes one block, not two (Olsson et al. 2022; a shift before attention: Fu et al. 2023).
    """

    def __init__(self, inputs: int, width: int, depth: int = 2, heads: int = 4):
        super().__init__()
        self.inner, self.norm = nn.Linear(2 * inputs, width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            Block(width, heads, 4 * width, True, True, True, "tanh", 1e-5, 0.0) for _ in range(depth)
        )
        initialise(self)

    def forward(self, x: Tensor, state: Remembered | None = None) -> tuple[Tensor, Remembered | None]:
        memory, last = state or (None, torch.zeros_like(x[:, :1]))
        y = self.inner(torch.cat([x, torch.cat([last, x[:, :-1]], 1)], -1))
        for i, block in enumerate(self.blocks):
            y = block(y, i, memory, None)
        if memory:
            memory.length += x.shape[1]
        return self.norm(y), memory and Remembered(memory, x[:, -1:])

    def memory(self, batch: int) -> Remembered:
        heads, width = self.blocks[0].attention.heads, self.norm.weight
        attended = Memory(len(self.blocks), batch, heads, 64, len(width) // heads, like=width)
        return Remembered(attended, width.new_zeros(batch, 1, self.inner.in_features // 2))

    def kept(self, state: Remembered, rows: Tensor) -> Remembered:
        state.attended.keep(rows)
        return Remembered(state.attended, state.last[rows])

    def flops(self, length: int) -> float:
        inputs, width = self.inner.in_features, self.inner.out_features
        block = 2 * length * width * 12 * width + 4 * length * length * width
        return 2.0 * length * inputs * width + len(self.blocks) * block


class Recurrent(Trunk):
    """Sequences [B, T, ...] through `trunk`, then through a `core` that remembers: `pooled` is [B, T, width], of `Padded`
    sequences [M, width] of their M steps, one sequence behind the other.

    One who acts gives a `state`, from `memory(batch)` where sequences begin, and is given that of the steps seen since;
    without one they begin, and are whole.
    """

    def __init__(self, trunk: Trunk, width: int, core: Callable[[int, int], nn.Module] = GRU):
        super().__init__()
        self.trunk, self.width = trunk, width
        self.core = core(trunk.width, width)

    def forward(self, x: Tensor | Padded, state: Any = None) -> Features:
        if isinstance(x, Padded):  # one call over all, as far as the longest: packed sequences are 15 times slower here
            real = x.real()
            shown = x.values[real]
            more = shown.new_zeros(-len(shown) % (TOGETHER // 8), *shown.shape[1:])
            seen = self.encoded(torch.cat([shown, more]))[: len(shown)]  # oneDNN keeps megabytes for each size it meets
            padded = seen.new_zeros(*real.shape, self.trunk.width)
            padded[real] = seen
            return Features(self.remembered(padded, x.lengths)[real])
        batch, time = x.shape[:2]
        pooled, state = self.core(self.encoded(x.flatten(0, 1)).unflatten(0, (batch, time)), state)
        return Features(pooled, {}, state)

    def remembered(self, padded: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, ...] to [B, T, width]. Where sequences differ in length a processor takes those of about the same together,
        as far as the longest of them: of sixteen mazes two thirds would be padding."""
        if padded.device.type != "cpu" or int(lengths.min()) == padded.shape[1]:
            return self.core(padded)[0]
        order = lengths.argsort(descending=True)
        found = padded.new_zeros(*padded.shape[:2], self.width)
        for rows in order.split(max(4, -(-len(order) // 4))):
            longest = int(lengths[rows].max())
            found[rows, :longest] = self.core(padded[rows, :longest])[0]
        return found

    def encoded(self, x: Tensor) -> Tensor:
        """[M, ...] to what the trunk makes of each, [M, trunk.width]."""
        return torch.cat([self.trunk(part).pooled for part in x.split(TOGETHER)])

    def memory(self, batch: int) -> Any:
        """The state of so many sequences that begin."""
        return self.core.memory(batch)

    def kept(self, state: Any, rows: Tensor) -> Any:
        """The state of the sequences int64 [R] alone; the one given is used up."""
        return self.core.kept(state, rows)

    def flops(self, shape: tuple[int, ...]) -> float:
        return shape[0] * self.trunk.flops(shape[1:]) + self.core.flops(shape[0])
