"""Rotary position embedding, and its scalings for longer contexts (Su et al. 2021, section 3.4.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caudex.core.specs import RopeScaling


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs of features (i, i + D / 2) of x [..., T, D] by angles of these cosines and signed sines [T, D]."""
    return (x * cos + x.roll(x.shape[-1] // 2, -1) * sin).to(x.dtype)


def rotary_angles(
    offset: int,
    length: int,
    head_dim: int,
    device: torch.device,
    base: float = 10_000.0,
    scaling: RopeScaling | None = None,
) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32 [length, head_dim], of angles that grow with the position, from `offset` on; the sines of the
    first half are negative, as `apply_rotary` takes them."""
    positions = torch.arange(offset, offset + length, device=device, dtype=torch.float32)
    frequencies = base ** (-torch.arange(head_dim // 2, device=device) / (head_dim // 2))
    if scaling:
        frequencies = SCALINGS[scaling.kind](frequencies, base, scaling)
    angles = positions[:, None] * frequencies
    scale = scaling.attention_factor if scaling else 1.0
    cos, sin = angles.cos() * scale, angles.sin() * scale
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


def scale_linearly(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """Position interpolation (Chen et al. 2023, equation 4)."""
    return frequencies / scaling.factor


def scale_llama3(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """Slow turns are slowed by `factor`, fast ones stay, those between are blended (Llama 3.1's released code)."""
    turns = scaling.original_context * frequencies / (2 * math.pi)  # within the context that was trained
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    keep = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (keep + (1 - keep) / scaling.factor)


def scale_yarn(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """Interpolation of slow turns alone, by parts (Peng et al. 2023, section 3.2). The ends of the ramp are rounded outwards to
    whole features, as in the released code, unless `truncate` is false."""
    half = len(frequencies)

    def feature_of(turns: float) -> float:
        """The feature that makes so many turns within the context that was trained."""
        return half * math.log(scaling.original_context / (turns * 2 * math.pi)) / math.log(base)

    low, high = feature_of(scaling.beta_fast), feature_of(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * half - 1)
    features = torch.arange(half, device=frequencies.device, dtype=torch.float32)
    interpolate = ((features - low) / max(high - low, 0.001)).clamp(0, 1)
    return frequencies * (1 - interpolate + interpolate / scaling.factor)


SCALINGS = {"linear": scale_linearly, "llama3": scale_llama3, "yarn": scale_yarn}
