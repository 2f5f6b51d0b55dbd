"""Recurrent trunks: the features of an observation depend on those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.attention import Attention, KVCache
from caudex.trunks.gru import GRU
from caudex.trunks.rotary import rotary_angles
from caudex.trunks.transformer import TransformerBlock, init_weights

ENCODE_CHUNK = 1024
"""observations encoded at once: more leave the processor's caches, and take twice the time"""


class PaddedSequences(NamedTuple):
    """Sequences of different lengths, padded at their ends."""

    values: Tensor  # [B, T, ...]
    lengths: Tensor  # int64 [B]

    def mask(self) -> Tensor:
        """bool [B, T]: False in the padding."""
        return torch.arange(self.values.shape[1], device=self.lengths.device) < self.lengths[:, None]


def select_rows(observations: Tensor | PaddedSequences, rows: Tensor | slice) -> Tensor | PaddedSequences:
    """These rows, each an observation or a sequence of them."""
    if isinstance(observations, PaddedSequences):
        return PaddedSequences(*(part[rows] for part in observations))
    return observations[rows]


class CausalState(NamedTuple):
    """The keys and values so far, and the inputs of the last step, [B, 1, inputs]."""

    cache: KVCache
    last_inputs: Tensor


class CausalTransformer(nn.Module):
    """Causal attention to all steps before: the blocks of GPT-2, [B, T, inputs] to [B, T, width], and the state.

    Position embeddings are rotary, so that a sequence may be longer than those of training. Each step also gets the inputs
    of the step before: an action and its outcome then share a position, and one block finds them again, not two (Olsson et
    al. 2022; a shift before attention: Fu et al. 2023).
    """

    def __init__(self, inputs: int, width: int, depth: int = 2, heads: int = 4):
        super().__init__()
        self.in_proj, self.norm = nn.Linear(2 * inputs, width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width, 4 * width, True, "tanh", 0.0, Attention(width, heads, True, True, 0.0), nn.LayerNorm
            )
            for _ in range(depth)
        )
        init_weights(self)

    def forward(self, x: Tensor, state: CausalState | None = None) -> tuple[Tensor, CausalState | None]:
        cache, last_inputs = state or (None, torch.zeros_like(x[:, :1]))
        y = self.in_proj(torch.cat([x, torch.cat([last_inputs, x[:, :-1]], 1)], -1))
        head_dim, offset = self.blocks[0].attention.head_dim, cache.length if cache else 0
        rotation = rotary_angles(offset, x.shape[1], head_dim, x.device)
        for i, block in enumerate(self.blocks):
            y = block(y, i, cache, None, rotation)
        if cache:
            cache.length += x.shape[1]
        return self.norm(y), cache and CausalState(cache, x[:, -1:])

    def initial_state(self, batch: int) -> CausalState:
        heads, width = self.blocks[0].attention.heads, self.norm.weight
        cache = KVCache(len(self.blocks), batch, heads, 64, len(width) // heads, like=width)
        return CausalState(cache, width.new_zeros(batch, 1, self.in_proj.in_features // 2))

    def select_rows(self, state: CausalState, rows: Tensor) -> CausalState:
        state.cache.select_rows(rows)
        return CausalState(state.cache, state.last_inputs[rows])

    def flops(self, length: int) -> float:
        inputs, width = self.in_proj.in_features, self.in_proj.out_features
        block = 2 * length * width * 12 * width + 4 * length * length * width
        return 2.0 * length * inputs * width + len(self.blocks) * block


class Recurrent(Trunk):
    """Sequences [B, T, ...] through `trunk`, then through a recurrent `core`: `pooled` is [B, T, width], of `PaddedSequences`
    sequences [M, width] of their M steps, one sequence behind the other.

    To act step by step, pass a `state`, at first that of `initial_state(batch)`; the features hold the next one. Without a
    state the sequences are complete.
    """

    def __init__(self, trunk: Trunk, width: int, core: Callable[[int, int], nn.Module] = GRU):
        super().__init__()
        self.trunk, self.width = trunk, width
        self.core = core(trunk.width, width)

    def forward(self, x: Tensor | PaddedSequences, state: Any = None) -> Features:
        if isinstance(x, PaddedSequences):  # one call, up to the longest: packed sequences are 15 times slower here
            mask = x.mask()
            observations = x.values[mask]
            # filled up, because oneDNN keeps megabytes for each size it meets
            filler = observations.new_zeros(-len(observations) % (ENCODE_CHUNK // 8), *observations.shape[1:])
            encoded = self.encode(torch.cat([observations, filler]))[: len(observations)]
            padded = encoded.new_zeros(*mask.shape, self.trunk.width)
            padded[mask] = encoded
            return Features(self.run_core(padded, x.lengths)[mask])
        batch, time = x.shape[:2]
        pooled, state = self.core(self.encode(x.flatten(0, 1)).unflatten(0, (batch, time)), state)
        return Features(pooled, {}, state)

    def run_core(self, padded: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, ...] to [B, T, width]. On a processor, sequences of similar length are taken together, up to the longest of
        them: of sixteen mazes two thirds would be padding."""
        if padded.device.type != "cpu" or int(lengths.min()) == padded.shape[1]:
            return self.core(padded)[0]
        order = lengths.argsort(descending=True)
        outputs = padded.new_zeros(*padded.shape[:2], self.width)
        for rows in order.split(max(4, -(-len(order) // 4))):
            longest = int(lengths[rows].max())
            outputs[rows, :longest] = self.core(padded[rows, :longest])[0]
        return outputs

    def encode(self, x: Tensor) -> Tensor:
        """[M, ...] to the trunk's features, [M, trunk.width]."""
        return torch.cat([self.trunk(part).pooled for part in x.split(ENCODE_CHUNK)])

    def initial_state(self, batch: int) -> Any:
        """The state before the first step of `batch` sequences."""
        return self.core.initial_state(batch)

    def select_rows(self, state: Any, rows: Tensor) -> Any:
        """The state of the sequences int64 [R] alone; `state` must not be used again."""
        return self.core.select_rows(state, rows)

    def flops(self, shape: tuple[int, ...]) -> float:
        return shape[0] * self.trunk.flops(shape[1:]) + self.core.flops(shape[0])
