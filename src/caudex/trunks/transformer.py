"""Transformers over tokens: the layouts of GPT-2 and of BERT from one network (Vaswani et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Trunk


class PaddedTokens(NamedTuple):
    """Texts as token ids, padded on the right."""

    tokens: Tensor  # int64 [B, T]
    segments: Tensor | None = None  # int64 [B, T], which of two sentences a token belongs to
    lengths: Tensor | None = None  # int64 [B]; None where nothing is padded


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

    Raises CaudexError for a width that cannot be shared out among the heads.
    """

    def __init__(self, width: int, heads: int, causal: bool, rotary: bool, dropout: float):
        super().__init__()
        if width % heads or (rotary and width // heads % 2):
            unit = heads * (2 if rotary else 1)
            raise CaudexError(
                f"a width of {width} cannot be shared out among {heads} heads; choose a multiple of {unit}."
            )
        self.heads, self.causal, self.rotary, self.dropout = heads, causal, rotary, dropout
        self.qkv_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, block: int, cache: KVCache | None = None, mask: Tensor | None = None) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv_proj(x).view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # [B, heads, T, width / heads]
        offset = cache.length if cache else 0
        if self.rotary:
            queries, keys = apply_rotary(queries, offset), apply_rotary(keys, offset)
        if cache:
            keys, values = cache.update(block, keys, values)
        if offset and length > 1:
            mask = torch.ones(length, offset + length, dtype=torch.bool, device=x.device).tril(offset)
        attended = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            mask,
            self.dropout if self.training else 0.0,
            is_causal=self.causal and mask is None and length > 1,
        )
        return self.out_proj(attended.transpose(1, 2).reshape(batch, length, width))

    def forward_flops(self, inputs, output):
        """Queries with keys, weights with values; the linear maps count for themselves."""
        batch, length, width = output.shape
        offset = inputs[2].length if len(inputs) > 2 and inputs[2] else 0
        return 2 * 2 * batch * length * (offset + length) * width


def apply_rotary(x: Tensor, offset: int, base: float = 10_000.0) -> Tensor:
    """Rotary position embedding: pairs of features turned by an angle that grows with the position (Su et al.
    2021, section 3.4.2): [..., T, D]."""
    half = x.shape[-1] // 2
    positions = torch.arange(offset, offset + x.shape[-2], device=x.device, dtype=torch.float32)
    angles = positions[:, None] * base ** (-torch.arange(half, device=x.device) / half)  # [T, D / 2]
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.split(half, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each with a shortcut; normalised before them (`pre_norm`, GPT-2) or after (BERT)."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        causal: bool,
        pre_norm: bool,
        rotary: bool,
        gelu_approximate: str,
        eps,
        dropout,
    ):
        super().__init__()
        self.pre_norm, self.gelu_approximate = pre_norm, gelu_approximate
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attention = Attention(width, heads, causal, rotary, dropout)
        self.up_proj, self.down_proj = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, block: int, cache: KVCache | None, mask: Tensor | None) -> Tensor:
        if self.pre_norm:
            x = x + self.dropout(self.attention(self.norm1(x), block, cache, mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, block, cache, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.up_proj(x), approximate=self.gelu_approximate))


GPT2_LAYOUT = {"causal": True, "pre_norm": True, "gelu_approximate": "tanh", "eps": 1e-5}
"""Radford et al. 2019, section 2.3, and the released code"""
BERT_LAYOUT = {"causal": False, "pre_norm": False, "gelu_approximate": "none", "eps": 1e-12, "segments": 2}
"""Devlin et al. 2019, section 3, and the released code"""


def init_weights(module: nn.Module, pre_norm: bool = True) -> None:
    """Standard deviation 0.02; in GPT-2 0.01 for positions, and smaller for the two projections of each block that add to the
    residual stream (Radford et al. 2019, section 2.3)."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.bias)
    if pre_norm:
        if embedding := getattr(module, "position_embedding", None):
            nn.init.normal_(embedding.weight, std=0.01)
        for block in module.blocks:
            for projection in (block.attention.out_proj, block.down_proj):
                nn.init.normal_(projection.weight, std=0.02 / (2 * len(module.blocks)) ** 0.5)


class Transformer(Trunk):
    """Tokens int64 [B, T], or `PaddedTokens`; `pooled` [B, width] comes from the last token (causal), else from the first; with
    `mean_pooling` it is the mean of all tokens.

    `layers` has each block's output and, as `tokens`, the last, normalised: [B, T, width]. With a state, at first that of
    `initial_state(batch)`, the tokens follow those that it holds. Raises CaudexError for more tokens than `context`.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int = 128,
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        hidden: int | None = None,
        causal: bool = True,
        pre_norm: bool = True,
        gelu_approximate: str = "tanh",
        eps: float = 1e-5,
        segments: int = 0,
        rotary: bool = False,
        dropout: float = 0.0,
        mean_pooling: bool = False,
    ):
        super().__init__()
        self.width, self.context, self.causal, self.heads = width, context, causal, heads
        self.mean_pooling = mean_pooling
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = None if rotary else nn.Embedding(context, width)
        self.segment_embedding = nn.Embedding(segments, width) if segments else None
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width, heads, hidden or 4 * width, causal, pre_norm, rotary, gelu_approximate, eps, dropout
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps)  # of the output, or of the embeddings
        self.pooler = None if causal else nn.Linear(width, width)
        self.pre_norm = pre_norm
        init_weights(self, pre_norm)

    def forward(self, x: Tensor | PaddedTokens, state: KVCache | None = None) -> Features:
        tokens, segments, lengths = x if isinstance(x, PaddedTokens) else (x, None, None)
        batch, length = tokens.shape
        offset = state.length if state else 0
        if offset + length > self.context:
            raise CaudexError(
                f"{offset + length:,} tokens are more than this trunk can see at once ({self.context:,}); give fewer."
            )
        y = self.token_embedding(tokens)
        if self.position_embedding:
            y = y + self.position_embedding.weight[offset : offset + length]
        if self.segment_embedding:
            y = y + (self.segment_embedding.weight[0] if segments is None else self.segment_embedding(segments))
        y = self.dropout(y if self.pre_norm else self.norm(y))
        mask = None
        if lengths is not None and not self.causal:  # a causal token attends to no padding
            mask = (torch.arange(length, device=y.device) < lengths[:, None])[:, None, None]  # [B, 1, 1, T]
        layers = {}
        for i, block in enumerate(self.blocks):
            y = layers[f"block{i + 1}"] = block(y, i, state, mask)
        y = layers["tokens"] = self.norm(y) if self.pre_norm else y
        if state:
            state.length += length
        if self.mean_pooling:
            return Features(mean_pooling(y, lengths), layers, state)
        if self.pooler:
            return Features(self.pooler(y[:, 0]).tanh(), layers, state)
        last = y[:, -1] if lengths is None else y[torch.arange(batch, device=y.device), lengths - 1]
        return Features(last, layers, state)

    def initial_state(self, batch: int) -> KVCache:
        """An empty cache for `batch` texts."""
        shape = (batch, self.heads, self.context, self.width // self.heads)
        return KVCache(len(self.blocks), *shape, like=self.token_embedding.weight)

    def flops(self, shape: tuple[int, ...]) -> float:
        length, hidden = shape[0], self.blocks[0].up_proj.out_features
        block = 2 * length * self.width * (4 * self.width + 2 * hidden) + 4 * length * length * self.width
        return float(len(self.blocks) * block + (2 * self.width**2 if self.pooler else 0))


def mean_pooling(tokens: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean [B, W] of features of tokens [B, T, W]; those behind `lengths` are padding."""
    if lengths is None:
        return tokens.mean(1)
    mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]  # [B, T]
    return (tokens * mask[..., None]).sum(1) / lengths[:, None]
