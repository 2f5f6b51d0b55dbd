"""Attention with a cache of keys and values, and heads that share them (Vaswani et al. 2017; Ainslie et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.trunks.layers import RMSNorm
from caudex.trunks.rotary import apply_rotary


class KVCache:
    """Keys and values of the tokens so far, of every block: [B, heads, capacity, width / heads]. Filled in place; the capacity
    doubles when it is used up."""

    def __init__(self, blocks: int, batch: int, heads: int, capacity: int, head_dim: int, like: Tensor):
        shape = (batch, heads, capacity, head_dim)
        self.tensors = [[like.new_empty(shape), like.new_empty(shape)] for _ in range(blocks)]
        self.length = 0

    def update(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end, pair = self.length + keys.shape[2], self.tensors[block]
        for i, new in enumerate((keys, values)):
            while pair[i].shape[2] < end:
                pair[i] = torch.cat([pair[i], torch.empty_like(pair[i])], 2)
            pair[i][:, :, self.length : end] = new
        return pair[0][:, :, :end], pair[1][:, :, :end]

    def select_rows(self, rows: Tensor) -> None:
        """Keep these sequences alone, int64 [R]."""
        self.tensors = [[tensor[rows] for tensor in pair] for pair in self.tensors]


class Attention(nn.Module):
    """Every token attends to all, or (causal) to those before it (Vaswani et al. 2017, section 3.2).

    `kv_heads` heads of keys and values are shared by groups of query heads (Ainslie et al. 2023); with `qk_norm` queries and keys are
    normalised before they are turned (Henry et al. 2020). Raises CaudexError for a width that cannot be shared out among the heads.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        causal: bool,
        rotary: bool,
        dropout: float,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        qkv_bias: bool = True,
        out_bias: bool = True,
        qk_norm: bool = False,
        eps: float = 1e-5,
    ):
        super().__init__()
        if (head_dim is None and width % heads) or (rotary and (head_dim or width // heads) % 2):
            unit = heads * (2 if rotary else 1)
            raise CaudexError(
                f"a width of {width} cannot be shared out among {heads} heads; choose a multiple of {unit}."
            )
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads or heads, head_dim or width // heads
        if heads % self.kv_heads:
            raise CaudexError(f"{heads} heads cannot share {kv_heads} heads of keys and values; choose a divisor.")
        self.causal, self.dropout = causal, dropout
        self.qkv_proj = nn.Linear(width, sum(self.qkv_rows), qkv_bias)
        self.out_proj = nn.Linear(heads * self.head_dim, width, out_bias)
        self.query_norm, self.key_norm = (RMSNorm(self.head_dim, eps) if qk_norm else None for _ in range(2))

    @property
    def qkv_rows(self) -> tuple[int, int, int]:
        """The rows of `qkv_proj` that make queries, keys and values."""
        return self.heads * self.head_dim, self.kv_heads * self.head_dim, self.kv_heads * self.head_dim

    def forward(
        self,
        x: Tensor,
        block: int,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
        rotation: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        batch, length, _ = x.shape
        heads = (self.heads, self.kv_heads, self.kv_heads)
        qkv = self.qkv_proj(x).view(batch, length, sum(heads), self.head_dim).transpose(1, 2)  # [B, heads, T, head_dim]
        queries_keys, values = qkv.split_with_sizes((self.heads + self.kv_heads, self.kv_heads), 1)
        if self.query_norm:
            queries, keys = queries_keys.split_with_sizes(heads[:2], 1)
            queries_keys = torch.cat([self.query_norm(queries), self.key_norm(keys)], 1)
        if rotation:  # of both at once: fewer operations a token
            queries_keys = apply_rotary(queries_keys, *rotation)
        queries, keys = queries_keys.split_with_sizes(heads[:2], 1)
        offset = cache.length if cache else 0
        if cache:
            keys, values = cache.update(block, keys, values)
        if length == 1:  # the queries of a group are rows that attend to the same keys
            queries = queries.reshape(batch, self.kv_heads, -1, self.head_dim)
        elif offset:
            mask = torch.ones(length, offset + length, dtype=torch.bool, device=x.device).tril(offset)
        attended = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            mask,
            self.dropout if self.training else 0.0,
            is_causal=self.causal and mask is None and length > 1,
            enable_gqa=keys.shape[1] != queries.shape[1],
        )
        attended = attended.reshape(batch, self.heads, length, self.head_dim)
        return self.out_proj(attended.transpose(1, 2).reshape(batch, length, -1))

    def forward_flops(self, inputs, output):
        """Queries with keys, weights with values; the linear maps count for themselves."""
        batch, length, _ = output.shape
        offset = inputs[2].length if len(inputs) > 2 and inputs[2] else 0
        return 2 * 2 * batch * length * (offset + length) * self.heads * self.head_dim
