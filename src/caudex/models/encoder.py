"""What training without labels leaves: a trunk that turns images into features, and the heads that taught it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.data import ImageSet
from caudex.data.sampling import evenly_spaced
from caudex.models.export import export


class Encoder(nn.Module):
    """Images [B, C, H, W], uint8 or float in [0, 1], to features [B, width].

    Uses the averaged weights where the learner keeps them.
    """

    def __init__(self, learner: Learner, spec: ImageSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.shape = spec.shape

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk(images).pooled

    def features(self, images: ImageSet | Tensor) -> dict[str, Tensor]:
        """Of each layer, [N, D], on clean images: the pooled vector, and the channels' means of each map."""
        return features(self.trunk, images)

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images float [N, C, H, W] in [0, 1] to features [N, width]) and model.safetensors."""
        return export(self, self.shape, folder, "features")


@torch.no_grad()
def features(trunk: nn.Module, images: ImageSet | Tensor, batch: int = 1000) -> dict[str, Tensor]:
    """What each layer of a trunk, in eval mode, makes of clean images: layer name to [N, D], `pooled` last.

    Of a map the means of its positive and of its negative parts count: two numbers a channel.
    """
    parts = []
    with _evaluating(trunk) as device:
        for rows in torch.arange(len(images)).split(batch):
            made = trunk(_fetched(images, rows).to(device))
            maps = {name: made.layers[name] for name in trunk.widths}
            flat = {name: torch.cat([x.relu().mean((2, 3)), (-x).relu().mean((2, 3))], 1) for name, x in maps.items()}
            parts.append({name: value.cpu() for name, value in (flat | {"pooled": made.pooled}).items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def recalibrate(trunk: nn.Module, images: ImageSet | Tensor, sample: int = 2000) -> None:
    """Batch normalisation's running statistics anew from clean images.

    Signals show a trunk turned, holed or scrambled images; it would meet whole ones with the statistics of those.
    """
    norms = [module for module in trunk.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    rows = evenly_spaced(len(images), sample)
    with _evaluating(trunk) as device:
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
            norm.momentum = None  # a plain mean over the batches
        for part in rows.chunk(max(1, len(rows) // 250)):  # none of a single image
            trunk(_fetched(images, part).to(device))
        for norm, momentum in zip(norms, before):
            norm.momentum = momentum


@contextmanager
def _evaluating(trunk: nn.Module) -> Iterator[torch.device]:
    """In eval mode; afterwards each part is in the mode it had. Gives the device."""
    modes = [(module, module.training) for module in trunk.modules()]
    trunk.eval()
    try:
        yield next(chain(trunk.parameters(), trunk.buffers()), torch.empty(0)).device
    finally:
        for module, mode in modes:
            module.training = mode


def _fetched(images: ImageSet | Tensor, rows: Tensor) -> Tensor:
    return images.fetch(rows) if isinstance(images, ImageSet) else images[rows]
