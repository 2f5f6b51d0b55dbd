"""A transformer that stays as it was learned but for its last blocks, with features of one scale for a head."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Trunk
from caudex.trunks.transformer import PaddedTokens, Transformer, mean_pooling


class PaddedActivations(NamedTuple):
    """What the last blocks of a transformer are given of texts."""

    values: Tensor  # float [B, T, W]
    lengths: Tensor  # int64 [B]


class FrozenTransformer(Trunk):
    """Standardises features of a transformer: those of the last token, or with `mean_pooling` the mean of all. Its last `tuned_blocks`
    can learn, the others have no gradient; it is always in eval mode.

    Takes texts, or what `encode` made of them. A few features of language models are hundreds of times as large as the others (Sun et
    al. 2024), so that vectors brought to one length hold little else. Raises CaudexError where it has not so many blocks.
    """

    def __init__(self, transformer: Transformer, mean_pooling: bool = False, tuned_blocks: int = 0):
        super().__init__()
        check_tuned_blocks(tuned_blocks, transformer)
        self.transformer, self.mean_pooling = transformer.requires_grad_(False), mean_pooling
        self.num_frozen, self.tuned_blocks = len(transformer.blocks) - tuned_blocks, tuned_blocks
        for part in self.tuned_parts():
            part.requires_grad_(True)
        self.width, self.context = transformer.width, transformer.context
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("std", torch.ones(self.width))
        self.eval()

    def tuned_parts(self) -> list[nn.Module]:
        """The blocks that can learn, and the norm behind them."""
        blocks = [*self.transformer.blocks[self.num_frozen :]]
        return [*blocks, self.transformer.norm] if blocks and self.transformer.pre_norm else blocks

    def copy_tuned(self) -> FrozenTransformer:
        """A copy with weights of its own where it can learn."""
        return deepcopy(self, {id(weight): weight for weight in self.parameters() if not weight.requires_grad})

    def forward(self, x: PaddedTokens | PaddedActivations | Tensor, state: Any = None) -> Features:
        if isinstance(x, PaddedTokens):
            x = PaddedActivations(self.encode(x), x.lengths) if self.tuned_blocks else self.encode(x)
        if isinstance(x, PaddedActivations):
            tokens = self.transformer.run_blocks(x.values, x.lengths, first=self.num_frozen).layers["tokens"]
            x = self.pool(tokens, x.lengths)
        return Features((x - self.mean) / self.std)

    @torch.no_grad()
    def encode(self, texts: PaddedTokens) -> Tensor:
        """The features [B, W] of texts; where blocks can learn, the activations [B, T, W] that they are given."""
        layers = self.transformer(texts).layers
        return layers[f"block{self.num_frozen}"] if self.tuned_blocks else self.pool(layers["tokens"], texts.lengths)

    def pool(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """[B, W] of tokens [B, T, W]."""
        if self.mean_pooling:
            return mean_pooling(tokens, lengths)
        return tokens[torch.arange(len(tokens), device=tokens.device), lengths - 1]

    @torch.no_grad()
    def set_statistics(self, features: Tensor) -> None:
        """Standardise by the mean and deviation of these features [N, W]; one that never changes is only centred."""
        std = features.double().std(0, correction=0)
        self.mean.copy_(features.double().mean(0))
        self.std.copy_(torch.where(std > 1e-6 * (1 + self.mean.abs()), std, 1.0))

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.transformer.flops(shape)

    def train(self, mode: bool = True):
        return super().train(False)


class TunedBlocks(Trunk):
    """What of a frozen transformer can learn, so that checkpoints hold nothing else. Takes what it takes."""

    def __init__(self, trunk: FrozenTransformer):
        super().__init__()
        self.parts, self.width = nn.ModuleList(trunk.tuned_parts()), trunk.width
        self._trunk = (trunk,)  # in a tuple: no part of this module's weights

    def forward(self, x: PaddedTokens | PaddedActivations | Tensor, state: Any = None) -> Features:
        return self._trunk[0](x)

    def flops(self, shape: tuple[int, ...]) -> float:
        return self._trunk[0].flops(shape)


def check_tuned_blocks(tuned_blocks: int, transformer: Transformer) -> None:
    """Raises CaudexError where a transformer has not so many blocks, and one that stays as it is."""
    if tuned_blocks >= (depth := len(transformer.blocks)):
        raise CaudexError(f"--finetune {tuned_blocks}: this trunk has {depth} blocks; give fewer than these.")
