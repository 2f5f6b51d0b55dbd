"""Weights of modules and optimizers as dicts of tensors, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from caudex.core.errors import CaudexError
from caudex.core.typed_json import check_kind


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
    """Put `distinct_tensors` back in place; raises CaudexError where they belong to another network. Runs of older versions
    lack the module's `added_tensors`, which stay as they were built."""
    for name, tensor in distinct_tensors(module.state_dict()).items():
        if name not in weights and name in getattr(module, "added_tensors", ()):
            continue
        if name not in weights or weights[name].shape != tensor.shape:
            has = f"shape {tuple(weights[name].shape)}" if name in weights else "nothing"
            raise CaudexError(
                f"the saved weights have {has} for {name}, this network {tuple(tensor.shape)}; they were trained with other settings or by an earlier version."
            )
        if weights[name].is_floating_point() != tensor.is_floating_point():
            raise CaudexError(f"the saved weights have {weights[name].dtype} for {name}, this network {tensor.dtype}.")
        tensor.copy_(weights[name])


def check_tensor(name: str, tensor: Tensor, dtype: torch.dtype, shape: Sequence[int]) -> None:
    """Raises ValueError where a tensor of a saved state has another dtype or shape."""
    if (tensor.dtype, tuple(tensor.shape)) != (dtype, tuple(shape)):
        raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)} and should be {dtype} {tuple(shape)}")


@contextmanager
def parameter_limit(num_weights: int, source: Path, settings: str) -> Iterator[None]:
    """Raises CaudexError as soon as modules with far more parameters than the `num_weights` of `source` are built: settings of
    a stranger could ask for more than the memory holds. Some modules are built and not saved."""
    limit, built = 4 * num_weights + (1 << 24), 0

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        nonlocal built
        built += 0 if parameter is None else parameter.numel()
        if built > limit:
            raise CaudexError(f"{source} has {num_weights:,} weights, far fewer than {settings} ask for.")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


class OptimizerState(TypedDict):
    """As torch's optimizers give it: settings of each group of weights; moments by the number of the weight."""

    param_groups: list[dict[str, Any]]
    state: dict[int, dict[str, Any]]


def kind_of(value: Any) -> Any:
    """The kind of a setting; JSON makes lists of tuples, and whole numbers of some fractions."""
    if isinstance(value, (list, tuple)):
        return [kind_of(part) for part in value]
    return float if type(value) is int else type(value)


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """With its tensors laid out in memory like the weights, or each step would take torch's slow path. Raises ValueError for
    the state of another optimizer."""
    check_kind(state, OptimizerState)
    for group, saved in zip_longest(optimizer.state_dict()["param_groups"], state["param_groups"], fillvalue={}):
        if {name: kind_of(value) for name, value in saved.items()} != {k: kind_of(v) for k, v in group.items()}:
            raise ValueError("its optimizer has other settings")
    weights = dict(enumerate(weight for group in optimizer.param_groups for weight in group["params"]))
    for number, moments in state["state"].items():
        shapes = {moment.shape if isinstance(moment, Tensor) else () for moment in moments.values()}
        if number not in weights or not shapes <= {(), weights[number].shape}:
            raise ValueError("its optimizer has moments of other weights")
    optimizer.load_state_dict(state)
    for weight, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == weight.shape:
                moments[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
