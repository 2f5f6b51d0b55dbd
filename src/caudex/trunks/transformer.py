"""Transformers over tokens: the layouts of GPT-2 and of BERT from one network (Vaswani et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Trunk


class Sequences(NamedTuple):
    """Texts as token numbers, padded on the right."""

    tokens: Tensor  # int64 [B, T]
    segments: Tensor | None = None  # int64 [B, T], which of two sentences a token belongs to
    lengths: Tensor | None = None  # int64 [B]; None where nothing is padded


class Memory:
    """Keys and values of the tokens so far, of every block: [B, heads, room, width / heads]. Filled in place; where `room`
    does not suffice, it doubles."""

    def __init__(self, blocks: int, batch: int, heads: int, room: int, size: int, like: Tensor):
        shape = (batch, heads, room, size)
        self.held = [[like.new_empty(shape), like.new_empty(shape)] for _ in range(blocks)]
        self.length = 0

    def with_new(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end, held = self.length + keys.shape[2], self.held[block]
        for i, new in enumerate((keys, values)):
            while held[i].shape[2] < end:
                held[i] = torch.cat([held[i], torch.empty_like(held[i])], 2)
            held[i][:, :, self.length : end] = new
        return held[0][:, :, :end], held[1][:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Forget all sequences but these, int64 [R]."""
        self.held = [[each[rows] for each in pair] for pair in self.held]


class Attention(nn.Module):
    """Every token looks at the others, or at those before it (Vaswani et al. 2017, section 3.2).

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
        self.inner, self.outer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, block: int, memory: Memory | None = None, mask: Tensor | None = None) -> Tensor:
        batch, length, width = x.shape
        parts = self.inner(x).view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # [B, heads, T, width / heads]
        before = memory.length if memory else 0
        if self.rotary:
            queries, keys = rotated(queries, before), rotated(keys, before)
        if memory:
            keys, values = memory.with_new(block, keys, values)
        if before and length > 1:
            mask = torch.ones(length, before + length, dtype=torch.bool, device=x.device).tril(before)
        made = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            mask,
            self.dropout if self.training else 0.0,
            is_causal=self.causal and mask is None and length > 1,
        )
        return self.outer(made.transpose(1, 2).reshape(batch, length, width))

    def forward_flops(self, inputs, output):
        """Queries with keys, weights with values; the linear maps count for themselves."""
        batch, length, width = output.shape
        before = inputs[2].length if len(inputs) > 2 and inputs[2] else 0
        return 2 * 2 * batch * length * (before + length) * width


def rotated(x: Tensor, before: int, base: float = 10_000.0) -> Tensor:
    """Pairs of numbers turned by an angle that grows with the place (Su et al. 2021, section 3.4.2): [..., T, D]."""
    half = x.shape[-1] // 2
    places = torch.arange(before, before + x.shape[-2], device=x.device, dtype=torch.float32)
    angles = places[:, None] * base ** (-torch.arange(half, device=x.device) / half)  # [T, D / 2]
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.split(half, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Block(nn.Module):
    """Attention and two linear maps, each beside a shortcut: normalised before it (GPT-2), or after (BERT)."""

    def __init__(
        self, width: int, heads: int, hidden: int, causal: bool, pre: bool, rotary: bool, gelu: str, eps, dropout
    ):
        super().__init__()
        self.pre, self.gelu = pre, gelu
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attention = Attention(width, heads, causal, rotary, dropout)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, block: int, memory: Memory | None, mask: Tensor | None) -> Tensor:
        if self.pre:
            x = x + self.drop(self.attention(self.norm1(x), block, memory, mask))
            return x + self.drop(self.feed(self.norm2(x)))
        x = self.norm1(x + self.drop(self.attention(x, block, memory, mask)))
        return self.norm2(x + self.drop(self.feed(x)))

    def feed(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x), approximate=self.gelu))


GPT2_LAYOUT = {"causal": True, "pre": True, "gelu": "tanh", "eps": 1e-5}
"""Radford et al. 2019, section 2.3, and the released code"""
BERT_LAYOUT = {"causal": False, "pre": False, "gelu": "none", "eps": 1e-12, "segments": 2}
"""Devlin et al. 2019, section 3, and the released code"""


def initialise(module: nn.Module, pre: bool = True) -> None:
    """Deviation 0.02, of places in GPT-2 0.01; the maps whose results are added up smaller, as there are 2 a block
    (Radford et al. 2019, section 2.3)."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.bias)
    if pre:
        if places := getattr(module, "places", None):
            nn.init.normal_(places.weight, std=0.01)
        for block in module.blocks:
            for last in (block.attention.outer, block.down):
                nn.init.normal_(last.weight, std=0.02 / (2 * len(module.blocks)) ** 0.5)


class Transformer(Trunk):
    """Tokens int64 [B, T], or `Sequences`; `pooled` [B, width] is made from the last token where each sees those
    before it (causal), else from the first; with `mean` it is the mean of all tokens.

    `layers` has each block's result and, as `tokens`, the last, normalised: [B, T, width]. With a state, from
    `memory(batch)`, the tokens go on behind those that it has seen. Raises CaudexError for more tokens than `context`.
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
        pre: bool = True,
        gelu: str = "tanh",
        eps: float = 1e-5,
        segments: int = 0,
        rotary: bool = False,
        dropout: float = 0.0,
        mean: bool = False,
    ):
        super().__init__()
        self.width, self.context, self.causal, self.heads, self.mean = width, context, causal, heads, mean
        self.words = nn.Embedding(vocabulary, width)
        self.places = None if rotary else nn.Embedding(context, width)
        self.segments = nn.Embedding(segments, width) if segments else None
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width, heads, hidden or 4 * width, causal, pre, rotary, gelu, eps, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps)  # last of all, or of the embeddings
        self.pooler = None if causal else nn.Linear(width, width)
        self.pre = pre
        initialise(self, pre)

    def forward(self, x: Tensor | Sequences, state: Memory | None = None) -> Features:
        tokens, segments, lengths = x if isinstance(x, Sequences) else (x, None, None)
        batch, length = tokens.shape
        before = state.length if state else 0
        if before + length > self.context:
            raise CaudexError(
                f"{before + length:,} tokens are more than this trunk can see at once ({self.context:,}); give fewer."
            )
        y = self.words(tokens)
        if self.places:
            y = y + self.places.weight[before : before + length]
        if self.segments:
            y = y + (self.segments.weight[0] if segments is None else self.segments(segments))
        y = self.drop(y if self.pre else self.norm(y))
        mask = None
        if lengths is not None and not self.causal:  # behind a causal token stands nothing that it could see
            mask = (torch.arange(length, device=y.device) < lengths[:, None])[:, None, None]  # [B, 1, 1, T]
        layers = {}
        for i, block in enumerate(self.blocks):
            y = layers[f"block{i + 1}"] = block(y, i, state, mask)
        y = layers["tokens"] = self.norm(y) if self.pre else y
        if state:
            state.length += length
        if self.mean:
            return Features(mean_of(y, lengths), layers, state)
        if self.pooler:
            return Features(self.pooler(y[:, 0]).tanh(), layers, state)
        last = y[:, -1] if lengths is None else y[torch.arange(batch, device=y.device), lengths - 1]
        return Features(last, layers, state)

    def memory(self, batch: int) -> Memory:
        """An empty state, for `batch` texts that go on side by side."""
        shape = (batch, self.heads, self.context, self.width // self.heads)
        return Memory(len(self.blocks), *shape, like=self.words.weight)

    def flops(self, shape: tuple[int, ...]) -> float:
        length, hidden = shape[0], self.blocks[0].up.out_features
        block = 2 * length * self.width * (4 * self.width + 2 * hidden) + 4 * length * length * self.width
        return float(len(self.blocks) * block + (2 * self.width**2 if self.pooler else 0))


def mean_of(tokens: Tensor, lengths: Tensor | None) -> Tensor:
    """[B, W] from features of tokens [B, T, W], of which so many are text."""
    if lengths is None:
        return tokens.mean(1)
    seen = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]  # [B, T]
    return (tokens * seen[..., None]).sum(1) / lengths[:, None]
