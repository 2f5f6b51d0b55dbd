"""Augmented views of observations, made by the source, so that signals share them."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import TypedDict

import torch
from torch import Tensor

from caudex.core.source import Source, SourceWrapper
from caudex.core.typed_json import Count, check_kind
from caudex.views import Draw


class AugmentedState(TypedDict):
    source: dict
    batches_drawn: Count


class AugmentedSource(SourceWrapper):
    """The batches of a source that acts, with two views of the observations, `images` and `other_images`, and `index`.

    `replace_observations`: the first view replaces the observations, and a view of `next_observations` replaces these
    (Laskin et al. 2020, section 4.3): a signal on the observations and one on `images` then share one pass.
    """

    def __init__(
        self, source: Source, view: Callable[[Tensor, Draw], Tensor], seed: int, replace_observations: bool = False
    ):
        super().__init__(source)
        self.view, self.seed, self.replace_observations, self.batches_drawn = view, seed, replace_observations, 0

    @property
    def runner(self):
        """The environments that the source acts in."""
        return self.source.runner

    def __next__(self):
        batch = next(self.source)
        size, device = len(batch.observations), batch.observations.device
        draw = Draw(self.seed, self.batches_drawn, torch.arange(size, device=device))
        self.batches_drawn += 1
        images, other_images = (self.view(batch.observations, draw) for _ in range(2))
        if self.replace_observations:
            batch = batch._replace(observations=images, next_observations=self.view(batch.next_observations, draw))
        return augmented_batch_type(type(batch))(*batch, images, other_images, torch.arange(size, device=device))

    def state_dict(self) -> dict:
        return {"source": super().state_dict(), "batches_drawn": self.batches_drawn}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(check_kind(state, AugmentedState)["source"])
        self.batches_drawn = state["batches_drawn"]


@cache
def augmented_batch_type(batch_type: type) -> type:
    """The named tuple with three fields more; the slots of a replay buffer, its `index`, are renamed to `slots`."""
    fields = ["slots" if field == "index" else field for field in batch_type._fields]
    return namedtuple(f"Augmented{batch_type.__name__}", [*fields, "images", "other_images", "index"])
