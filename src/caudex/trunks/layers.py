"""What trunks share: standardising, normalisation, stochastic depth, counts of operations."""

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
    """Within it the gradients of recurrent layers and attention have gradients; the fast kernels of attention have none, nor
    have those of recurrent layers on graphics cards."""
    with torch.backends.cudnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
        yield


class Standardise(nn.Module):
    """uint8 images, or floats in [0, 1], to zero mean and unit standard deviation per channel."""

    def __init__(self, channels: int, mean: float = 0.5, std: float = 0.25):
        super().__init__()
        self.register_buffer("mean", torch.full((channels, 1, 1), float(mean)))
        self.register_buffer("std", torch.full((channels, 1, 1), float(std)))

    def set_statistics(self, images: Tensor) -> None:
        """Take mean and standard deviation from images [N, C, H, W], uint8 or float as they are."""
        values = images.float().div(255) if images.dtype == torch.uint8 else images.float()
        self.mean.copy_(values.mean((0, 2, 3)).view(-1, 1, 1))
        self.std.copy_(values.std((0, 2, 3)).clamp_min(0.02).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        laid_out = images.contiguous(memory_format=torch.channels_last)  # while they are bytes: a third of the time
        centred = laid_out.float().div_(255).sub_(self.mean) if laid_out.dtype == torch.uint8 else laid_out - self.mean
        return centred.div_(self.std).to(self.mean.dtype)  # half where the weights are


class StochasticDepth(nn.Module):
    """Drop a residual branch for whole examples (Huang et al. 2016, equation 2); scaled so that its mean stays."""

    def __init__(self, survival: float):
        super().__init__()
        self.survival = survival

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.survival == 1:
            return branch
        mask = torch.rand(len(branch), *[1] * (branch.ndim - 1), device=branch.device) < self.survival
        return branch * (mask / self.survival)


class RMSNorm(nn.RMSNorm):
    """As torch's, and bit for bit, with half the operations where there is no gradient: a generated token costs little else."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32:
            return super().forward(x)
        mean_square = (x * x).sum(-1, keepdim=True).div_(x.shape[-1])
        return (mean_square.add_(self.eps).rsqrt_() * x).mul_(self.weight)


def normalisation(kind: str, channels: int) -> nn.Module:
    """`batch`, or `group`, whose result does not depend on the other examples of the batch (Wu and He 2018)."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(next(groups for groups in (8, 4, 2, 1) if channels % groups == 0), channels)
    raise CaudexError(f"normalisation {kind!r} is unknown; choose 'batch' or 'group'.")


def pool_map(x: Tensor) -> Tensor:
    """A map [B, C, H, W] as a vector [B, 2C]: the means over positions of its positive and of its negative parts."""
    return torch.cat([x.relu().mean((2, 3)), (-x).relu().mean((2, 3))], 1)


class HalvesBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that, while training, normalises each half of a batch by statistics of its own: those of one domain do not
    reach the other. The running statistics are of both; `models.encoder.update_bn` takes them anew from images of one."""

    @classmethod
    def convert(cls, module: nn.Module) -> None:
        """Replace each batch normalisation of 2-D maps within a module that has not learned yet."""
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, cls(child.num_features, child.eps, child.momentum, child.affine))
            else:
                cls.convert(child)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        return torch.cat([super(HalvesBatchNorm2d, self).forward(half) for half in x.chunk(2)])


POOLED_SIGNALS = " Rotation and contrast learn on every trunk of images, also on the last blocks of a pretrained one."
"""the way out where a signal needs more of a trunk than its pooled features"""


def channels_of(trunk: nn.Module) -> int:
    """The number of channels of a trunk's images. Raises CaudexError for a trunk without images."""
    standardise = getattr(trunk, "standardise", None)
    if standardise is None:
        raise CaudexError(
            f"{type(trunk).__name__} does not standardise images; this signal needs a trunk such as ResNet or Conv (--trunk small)."
            f"{POOLED_SIGNALS}"
        )
    return len(standardise.mean)


def vocabulary_of(trunk: nn.Module) -> int:
    """The size of a trunk's vocabulary. Raises CaudexError for a trunk without tokens."""
    embedding = getattr(trunk, "token_embedding", None)
    if embedding is None:
        raise CaudexError(f"{type(trunk).__name__} takes no tokens; this signal needs a trunk such as Transformer.")
    return embedding.num_embeddings


class TiedHead(nn.Module):
    """Logits of all tokens by the trunk's own token embedding (Press and Wolf 2017): [..., W] and [V, W] to [..., V]."""

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        return F.linear(features, embedding)

    def forward_flops(self, inputs, output):
        return 2 * output.numel() * inputs[0].shape[-1]


def linear_flops(inputs: int, outputs: int) -> float:
    return 2.0 * inputs * outputs


def conv_flops(inputs: int, outputs: int, kernel: int, height: int, width: int) -> float:
    """Of one convolution whose result is height by width."""
    return 2.0 * inputs * outputs * kernel * kernel * height * width
