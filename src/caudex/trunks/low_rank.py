"""LoRA: a frozen trunk learns by low-rank adapters on its linear maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.trunk import Features, Trunk


class AdapterPlace(NamedTuple):
    """Where an adapter stands: its name, the linear map in the trunk, and the rows of that map that it changes."""

    name: str
    module: str  # blocks.0.attention.qkv_proj
    rows: tuple[int, int]  # from, to


class LowRankAdapter(nn.Module):
    """`scale` * B A, added to rows of a linear map; zero at first (Hu et al. 2021, section 4.1)."""

    def __init__(self, in_features: int, out_features: int, rank: int, scale: float):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, in_features))
        self.b = nn.Parameter(torch.zeros(out_features, rank))
        self.scale = scale
        nn.init.kaiming_uniform_(self.a, a=5**0.5)  # as in the released code

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.a), self.b * self.scale)

    @property
    def product(self) -> Tensor:
        """What is added to the weight, [out_features, in_features]."""
        return self.scale * (self.b @ self.a)


class LowRankTrunk(Trunk):
    """The trunk of a transformer, frozen, with adapters that learn in its weights' place.

    The frozen weights are no part of this module: neither the optimizer nor checkpoints have them, and no gradient of
    them is computed. `merge` gives the trunk with the adapters added to its weights.
    """

    def __init__(self, trunk: Trunk, places: Sequence[AdapterPlace], rank: int, alpha: float):
        super().__init__()
        self.width, self.context = trunk.width, trunk.context
        self._trunk = (trunk.requires_grad_(False).eval(),)  # in a tuple: no part of this module
        self.places = tuple(places)
        self.adapters = nn.ModuleList()
        self._handles = []
        for place in self.places:
            linear, (first, end) = trunk.get_submodule(place.module), place.rows
            adapter = LowRankAdapter(linear.in_features, end - first, rank, alpha / rank)
            self.adapters.append(adapter)
            self._handles.append(linear.register_forward_hook(add_to_rows(adapter, first, end)))

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.frozen_trunk().token_embedding

    def forward(self, x: Any, state: Any = None) -> Features:
        return self.frozen_trunk()(x, state)

    def frozen_trunk(self) -> Trunk:
        """The trunk, where and in the precision in which the adapters are."""
        weight = self.adapters[0].a
        trunk = self._trunk[0]
        if (trunk.token_embedding.weight.device, trunk.token_embedding.weight.dtype) != (weight.device, weight.dtype):
            trunk.to(weight.device, weight.dtype)
        return trunk

    @torch.no_grad()
    def merge(self) -> Trunk:
        """The trunk with the adapters added to its weights; this module is of no use afterwards."""
        trunk = self.frozen_trunk()
        for place, adapter, handle in zip(self.places, self.adapters, self._handles):
            handle.remove()
            trunk.get_submodule(place.module).weight[slice(*place.rows)] += adapter.product
        return trunk

    def forward_flops(self, inputs, output):
        """A frozen map has no gradient of its weights: of the three passes that are counted two are computed."""
        tokens = output.layers["tokens"]
        frozen = self._trunk[0].flops((tokens.shape[1],)) * len(tokens)
        adapters = 2 * tokens.shape[0] * tokens.shape[1] * sum(p.numel() for p in self.parameters())
        return frozen * (2 / 3 if torch.is_grad_enabled() else 1) + adapters


def add_to_rows(adapter: LowRankAdapter, first: int, end: int):
    """A hook that adds the adapter's output to these rows of a linear map's."""

    def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output + F.pad(adapter(inputs[0]), (first, output.shape[-1] - end))

    return hook
