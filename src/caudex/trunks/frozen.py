"""A pretrained trunk in two parts: what stays as it was learned, and what learns on its features."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Trunk, width_of
from caudex.trunks.mobile import EfficientNetLite
from caudex.trunks.resnet50 import ResNet50

FEATURE_NORM = 32.0
"""of each vector that heads are given; learning rates go with it"""


class FrozenEncoder(nn.Module):
    """The first blocks of a pretrained trunk, without gradient and always in eval mode.

    Images [B, C, H, W], uint8 or float in [0, 1], become the trunk's pooled features [B, W]; or, where its last `tuned_blocks` learn,
    the maps [B, c, h, w] that these are given. `config` says, as JSON, how the trunk is built; `runs_in_onnx`, whether onnxruntime
    computes the same. Raises CaudexError where the trunk has not so many blocks.
    """

    def __init__(self, trunk: Trunk, tuned_blocks: int = 0, config: Mapping[str, Any] = MappingProxyType({})):
        super().__init__()
        self.config = dict(config)
        self.width, self.image_size, self.tuned_blocks = width_of(trunk), trunk.image_size, tuned_blocks
        module, last_blocks = trunk, nn.Sequential()
        if tuned_blocks:
            blocks = getattr(trunk, "blocks", None)
            if not isinstance(blocks, nn.Sequential):
                raise CaudexError(
                    f"--finetune {tuned_blocks}: {type(trunk).__name__} can only stay frozen as a whole; leave it out."
                )
            if tuned_blocks >= len(blocks):
                raise CaudexError(
                    f"--finetune {tuned_blocks}: this trunk has {len(blocks)} blocks; give fewer than these."
                )
            module, last_blocks = nn.Sequential(trunk.standardise, blocks[:-tuned_blocks]), blocks[-tuned_blocks:]
        self.module = module.requires_grad_(False)
        self.last_blocks = (last_blocks,)  # in a tuple: `FeatureTrunk` learns a copy of them
        self.runs_in_onnx = isinstance(trunk, EfficientNetLite | ResNet50)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        output = self.module(images)
        return output.pooled if isinstance(output, Features) else output

    def train(self, mode: bool = True):
        return super().train(False)

    def __deepcopy__(self, memo: dict) -> FrozenEncoder:
        """Itself: what never changes is shared by all copies of what stands on it."""
        return self


class FeatureTrunk(Trunk):
    """What learns on the features of a frozen encoder: copies of the last blocks, if any; then features are centred, brought to one
    length, `FEATURE_NORM`, and dropped out. Each scaled by its own deviation, rare ones would drown the others where labels are few.
    At last they are centred on those with a label, whose classes are shared out otherwise than in all: a head's bias, one input of
    size 1 among these, would learn this too slowly.

    Takes such features, or images, which go through the encoder first. Batch normalisation in the blocks keeps its statistics:
    a few labelled images have none worth the name.
    """

    def __init__(self, encoder: FrozenEncoder, channels: int = 3, dropout: float = 0.0):
        super().__init__()
        self._encoder = (encoder,)  # in a tuple: no part of this module's weights
        self.blocks = deepcopy(encoder.last_blocks[0]).requires_grad_(True)
        self.width, self.channels = encoder.width, channels
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("labelled_mean", torch.zeros(self.width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        pooled = self.pool(self.encode(x) if self.takes_images(x) else x)
        return Features(self.dropout(FEATURE_NORM * F.normalize(pooled - self.mean, dim=1) - self.labelled_mean))

    def encode(self, images: Tensor) -> Tensor:
        return self._encoder[0].to(images.device)(images)

    def takes_images(self, x: Tensor) -> bool:
        """Whether these are images, not yet features."""
        return x.ndim == 4 and x.shape[1] == self.channels

    def pool(self, features: Tensor) -> Tensor:
        """[B, width] of features [B, width] or maps [B, c, h, w]."""
        maps = self.blocks(features)
        return maps.mean((2, 3)) if maps.ndim == 4 else maps

    @torch.no_grad()
    def set_statistics(self, features: Tensor, labelled: Tensor | None = None) -> None:
        """Centre by the mean of such features [N, ...], and then by that of the labelled [M, ...], if any."""
        self.mean.copy_(torch.cat([self.pool(part) for part in features.split(100)]).mean(0))
        if labelled is not None:
            unit = torch.cat([F.normalize(self.pool(part) - self.mean, dim=1) for part in labelled.split(100)])
            self.labelled_mean.copy_(FEATURE_NORM * unit.mean(0))

    def train(self, mode: bool = True):
        super().train(mode)
        self.blocks.train(False)
        return self
