"""What trunks share: the contract, standardising, normalisation, stochastic depth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from caudex.core.errors import CaudexError


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Within it recurrent layers and attention are computed such that their gradients have gradients; the fast kernels have
    none of attention, and on graphics cards none of recurrent layers."""
    with torch.backends.cudnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
        yield


class Standardise(nn.Module):
    """uint8 images, or floats in [0, 1], to zero mean and unit deviation per channel."""

    def __init__(self, channels: int, mean: float = 0.5, deviation: float = 0.25):
        super().__init__()
        self.register_buffer("mean", torch.full((channels, 1, 1), float(mean)))
        self.register_buffer("deviation", torch.full((channels, 1, 1), float(deviation)))

    def measure(self, images: Tensor) -> None:
        """Take mean and deviation from images, uint8 [N, C, H, W]."""
        values = images.float().div(255)
        self.mean.copy_(values.mean((0, 2, 3)).view(-1, 1, 1))
        self.deviation.copy_(values.std((0, 2, 3)).clamp_min(0.02).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        laid = images.contiguous(memory_format=torch.channels_last)  # while they are bytes: a third of the time
        less = laid.float().div_(255).sub_(self.mean) if laid.dtype == torch.uint8 else laid - self.mean
        return less.div_(self.deviation).to(self.mean.dtype)  # half where the weights are


class StochasticDepth(nn.Module):
    """Drop a residual branch for whole examples (Huang et al. 2016, equation 2); scaled so that its mean stays."""

    def __init__(self, survival: float):
        super().__init__()
        self.survival = survival

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.survival == 1:
            return branch
        kept = torch.rand(len(branch), *[1] * (branch.ndim - 1), device=branch.device) < self.survival
        return branch * (kept / self.survival)


def normalisation(kind: str, channels: int) -> nn.Module:
    """`batch`, or `group`, whose result does not depend on the other examples of the batch (Wu and He 2018)."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(next(groups for groups in (8, 4, 2, 1) if channels % groups == 0), channels)
    raise CaudexError(f"normalisation {kind!r} is unknown; choose 'batch' or 'group'.")


def channels_of(trunk: nn.Module) -> int:
    """How many channels the images of a trunk have, or a sentence that says which trunks know."""
    standardise = getattr(trunk, "standardise", None)
    if standardise is None:
        raise CaudexError(f"{type(trunk).__name__} knows no images; this signal needs a trunk such as ResNet or Conv.")
    return len(standardise.mean)


def vocabulary_of(trunk: nn.Module) -> int:
    """How many tokens a trunk knows, or a sentence that says which trunks know any."""
    words = getattr(trunk, "words", None)
    if words is None:
        raise CaudexError(f"{type(trunk).__name__} knows no tokens; this signal needs a trunk such as Transformer.")
    return words.num_embeddings


class Tied(nn.Module):
    """Scores of all words from a table that belongs to the trunk: features [..., W] and the table [V, W] to [..., V]."""

    def forward(self, features: Tensor, table: Tensor) -> Tensor:
        return F.linear(features, table)

    def forward_flops(self, inputs, output):
        return 2 * output.numel() * inputs[0].shape[-1]


def linear_flops(inputs: int, outputs: int) -> float:
    return 2.0 * inputs * outputs


def conv_flops(inputs: int, outputs: int, kernel: int, height: int, width: int) -> float:
    """Of one convolution whose result is height by width."""
    return 2.0 * inputs * outputs * kernel * kernel * height * width
