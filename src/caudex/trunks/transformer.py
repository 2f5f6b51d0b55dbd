"""Transformers over tokens: the layouts of GPT-2, BERT and Llama from one network (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from msgspec import convert
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.specs import RopeScaling
from caudex.core.trunk import Features, Trunk
from caudex.trunks.attention import Attention, KVCache
from caudex.trunks.layers import RMSNorm
from caudex.trunks.rotary import rotary_angles


class PaddedTokens(NamedTuple):
    """Texts as token ids, padded on the right."""

    tokens: Tensor  # int64 [B, T]
    segments: Tensor | None = None  # int64 [B, T], which of two sentences a token belongs to
    lengths: Tensor | None = None  # int64 [B]; None where nothing is padded


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each with a shortcut; normalised before them (`pre_norm`, GPT-2) or after (BERT).

    The network is two layers with GELU, or `gated`, SwiGLU (Shazeer 2020, equation 6)."""

    def __init__(
        self,
        width: int,
        hidden: int,
        pre_norm: bool,
        gelu_approximate: str,
        dropout: float,
        attention: Attention,
        make_norm: Callable[[int], nn.Module],
        gated: bool = False,
        mlp_bias: bool = True,
    ):
        super().__init__()
        self.pre_norm, self.gelu_approximate = pre_norm, gelu_approximate
        self.norm1, self.norm2 = make_norm(width), make_norm(width)
        self.attention = attention
        self.gate_proj = nn.Linear(width, hidden, mlp_bias) if gated else None
        self.up_proj, self.down_proj = nn.Linear(width, hidden, mlp_bias), nn.Linear(hidden, width, mlp_bias)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(
        self,
        x: Tensor,
        block: int,
        cache: KVCache | None,
        mask: Tensor | None,
        rotation: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        if self.pre_norm:
            x = x + self.dropout(self.attention(self.norm1(x), block, cache, mask, rotation))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, block, cache, mask, rotation)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        if self.gate_proj:
            gate, up = self.gate_proj(x), self.up_proj(x)
            return self.down_proj(F.silu(gate) * up)
        return self.down_proj(F.gelu(self.up_proj(x), approximate=self.gelu_approximate))


GPT2_LAYOUT = {"causal": True, "pre_norm": True, "gelu_approximate": "tanh", "eps": 1e-5}
"""Radford et al. 2019, section 2.3, and the released code"""
BERT_LAYOUT = {"causal": False, "pre_norm": False, "gelu_approximate": "none", "eps": 1e-12, "segments": 2}
"""Devlin et al. 2019, section 3, and the released code"""
LLAMA_LAYOUT = {
    "causal": True, "pre_norm": True, "rotary": True, "rms_norm": True, "gated": True, "eps": 1e-6,
    "qkv_bias": False, "out_bias": False, "mlp_bias": False,
}  # fmt: skip
"""Touvron et al. 2023, section 2.2"""
MIN_CACHED_TOKENS = 256
"""that a cache has room for at first; the room is doubled when full"""


def init_weights(module: nn.Module, pre_norm: bool = True) -> None:
    """Standard deviation 0.02; in GPT-2 0.01 for positions, and smaller for the two projections of each block that add to the
    residual stream (Radford et al. 2019, section 2.3)."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear) and part.bias is not None:
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
        kv_heads: int | None = None,
        head_dim: int | None = None,
        rms_norm: bool = False,
        gated: bool = False,
        qkv_bias: bool = True,
        out_bias: bool = True,
        mlp_bias: bool = True,
        qk_norm: bool = False,
        rope_base: float = 10_000.0,
        rope_scaling: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.width, self.context, self.causal = width, context, causal
        self.rotary, self.rope_base = rotary, rope_base
        self.rope_scaling = convert(rope_scaling, RopeScaling | None)
        self.mean_pooling = mean_pooling
        make_norm = partial(RMSNorm if rms_norm else nn.LayerNorm, eps=eps)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = None if rotary else nn.Embedding(context, width)
        self.segment_embedding = nn.Embedding(segments, width) if segments else None
        self.dropout = nn.Dropout(dropout)
        parts = (kv_heads, head_dim, qkv_bias, out_bias, qk_norm, eps)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width,
                hidden or 4 * width,
                pre_norm,
                gelu_approximate,
                dropout,
                Attention(width, heads, causal, rotary, dropout, *parts),
                make_norm,
                gated,
                mlp_bias,
            )
            for _ in range(depth)
        )
        self.norm = make_norm(width)  # of the output, or of the embeddings
        self.pooler = None if causal else nn.Linear(width, width)
        self.pre_norm = pre_norm
        init_weights(self, pre_norm)

    def forward(self, x: Tensor | PaddedTokens, state: KVCache | None = None) -> Features:
        tokens, segments, lengths = x if isinstance(x, PaddedTokens) else (x, None, None)
        length, offset = tokens.shape[1], state.length if state else 0
        if offset + length > self.context:
            raise CaudexError(
                f"{offset + length:,} tokens are more than this trunk can see at once ({self.context:,}); give fewer."
            )
        y = self.token_embedding(tokens)
        if self.position_embedding:
            y = y + self.position_embedding.weight[offset : offset + length]
        if self.segment_embedding:
            y = y + (self.segment_embedding.weight[0] if segments is None else self.segment_embedding(segments))
        return self.run_blocks(self.dropout(y if self.pre_norm else self.norm(y)), lengths, state)

    def run_blocks(
        self, y: Tensor, lengths: Tensor | None = None, state: KVCache | None = None, first: int = 0
    ) -> Features:
        """What follows the output [B, T, width] of the block before `first`."""
        (batch, length, _), offset, mask = y.shape, state.length if state else 0, None
        if lengths is not None and not self.causal:  # a causal token attends to no padding
            mask = (torch.arange(length, device=y.device) < lengths[:, None])[:, None, None]  # [B, 1, 1, T]
        rotation, layers = self.rotation(offset, length, y.device), {}
        for i, block in enumerate(self.blocks[first:], first):
            y = layers[f"block{i + 1}"] = block(y, i, state, mask, rotation)
        y = layers["tokens"] = self.norm(y) if self.pre_norm else y
        if state:
            state.length += length
        if self.mean_pooling:
            return Features(mean_pooling(y, lengths), layers, state)
        if self.pooler:
            return Features(self.pooler(y[:, 0]).tanh(), layers, state)
        last = y[:, -1] if lengths is None else y[torch.arange(batch, device=y.device), lengths - 1]
        return Features(last, layers, state)

    def rotation(self, offset: int, length: int, device: torch.device) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines, float32 [length, head_dim], of the positions from `offset` on."""
        if not self.rotary:
            return None
        head_dim = self.blocks[0].attention.head_dim
        return rotary_angles(offset, length, head_dim, device, self.rope_base, self.rope_scaling)

    def initial_state(self, batch: int) -> KVCache:
        """An empty cache for `batch` texts."""
        attention = self.blocks[0].attention
        shape = (batch, attention.kv_heads, min(self.context, MIN_CACHED_TOKENS), attention.head_dim)
        return KVCache(len(self.blocks), *shape, like=self.token_embedding.weight)

    def flops(self, shape: tuple[int, ...]) -> float:
        length, block = shape[0], self.blocks[0]
        linear = [block.attention.qkv_proj, block.attention.out_proj, block.gate_proj, block.up_proj, block.down_proj]
        weights = sum(layer.weight.numel() for layer in linear if layer is not None)
        per_block = 2 * length * weights + 4 * length * length * block.attention.out_proj.in_features
        return float(len(self.blocks) * per_block + (2 * self.width**2 if self.pooler else 0))


def mean_pooling(tokens: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean [B, W] of features of tokens [B, T, W]; those behind `lengths` are padding."""
    if lengths is None:
        return tokens.mean(1)
    mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]  # [B, T]
    return (tokens * mask[..., None]).sum(1) / lengths[:, None]
