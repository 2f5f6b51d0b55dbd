"""Weights of modules and optimizers as dicts of tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError


def distinct_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the second names of tensors that stand in it twice."""
    places, distinct = set(), {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() == 0 or place not in places:
            distinct[name] = tensor
        places.add(place)
    return distinct


@torch.no_grad()
def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put `distinct_tensors` back in place; raises CaudexError where they belong to another network."""
    for name, tensor in distinct_tensors(module.state_dict()).items():
        if name not in weights or weights[name].shape != tensor.shape:
            has = f"shape {tuple(weights[name].shape)}" if name in weights else "nothing"
            raise CaudexError(
                f"the saved weights have {has} for {name}, this network {tuple(tensor.shape)}; they were trained with other settings."
            )
        tensor.copy_(weights[name])


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """With its tensors laid out in memory like the weights, or each step would take torch's slow path."""
    optimizer.load_state_dict(state)
    for weight, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == weight.shape:
                moments[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
