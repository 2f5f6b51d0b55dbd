"""Draw, the random numbers of views: a pure function of (seed, epoch, index)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caudex.core.errors import CaudexError


def as_float(images: Tensor) -> Tensor:
    """uint8 images become float32 in [0, 1]; floats pass through."""
    if images.dtype == torch.uint8:
        return images.float().mul_(1 / 255)
    if not images.is_floating_point():
        raise CaudexError(f"images of {images.dtype} have no known range; give uint8, or floats in [0, 1].")
    return images


def _signed(word: int) -> int:
    return (word + 2**63) % 2**64 - 2**63


_GAMMA = _signed(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
_CALL = 0xD1342543DE82EF95  # any other odd number without a pattern


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's mixer on int64, in place: every bit moves every bit (Steele, Lea and Flood 2014, section 5)."""
    upper = torch.empty_like(words)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None)):
        torch.bitwise_right_shift(words, shift, out=upper)
        words ^= upper.bitwise_and_((1 << (64 - shift)) - 1)  # int64 shifts drag the sign: mask it off
        if factor:
            words *= _signed(factor)  # wraps, as it should
    return words


class Draw:
    """Random numbers for the images of a batch: a pure function of (seed, epoch, index of the image).

    So neither the batch's composition nor its order nor the workers change an image's view. Each call enters the
    hash, hence successive calls are independent; a view makes the same calls whatever the images.
    """

    def __init__(self, seed: int, epoch: int | Tensor, index: Tensor):
        index = torch.as_tensor(index, dtype=torch.int64)
        epoch = torch.as_tensor(epoch, dtype=torch.int64, device=index.device)
        self.keys = _mix(_mix(epoch + _signed((seed + 1) * _GAMMA)) + index)  # [B]
        self.calls = 0

    def child(self, rows: Tensor | slice) -> Draw:
        """The draws for some of the images: a stream of their own, independent of this one."""
        child = object.__new__(Draw)
        child.keys, child.calls = _mix(self._next_keys()[rows]), 0
        return child

    def _next_keys(self) -> Tensor:
        self.calls += 1
        return self.keys + _signed(self.calls * _CALL)

    def _words(self, count: int) -> Tensor:
        steps = torch.arange(1, count + 1, device=self.keys.device).mul_(_GAMMA)
        return _mix(self._next_keys()[:, None] + steps)  # [B, count]

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 [B, *shape] in [low, high)."""
        count = math.prod(shape)
        halves = self._words((count + 1) // 2).view(torch.int32)[:, :count]  # a word makes two numbers of 24 bits
        numbers = (halves & 0xFFFFFF).to(torch.float32).mul_((high - low) * 2**-24)
        return (numbers.add_(low) if low else numbers).view(len(self.keys), *shape)

    def normal(self, *shape: int) -> Tensor:
        """float32 [B, *shape] of mean 0 and standard deviation 1 (Box and Muller 1958)."""
        count = math.prod(shape)
        half = (count + 1) // 2
        numbers = self.uniform(2 * half)
        radius = numbers[:, :half].neg().log1p_().mul_(-2).sqrt_()
        angle = numbers[:, half:].mul(2 * math.pi)
        torch.mul(radius, angle.cos(), out=numbers[:, :half])
        torch.mul(radius, angle.sin_(), out=numbers[:, half:])
        return numbers[:, :count].reshape(len(self.keys), *shape)

    def integers(self, n: int, *shape: int) -> Tensor:
        """int64 [B, *shape] in [0, n)."""
        return (self._words(math.prod(shape)) & (2**63 - 1)).remainder_(n).view(len(self.keys), *shape)

    def bernoulli(self, p: float) -> Tensor:
        """bool [B], true with probability p."""
        return self.uniform() < p
