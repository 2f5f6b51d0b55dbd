"""A trained encoder of images: a trunk that turns images into features, and the heads that trained it."""

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
from caudex.data.images.decode import ImageFormat
from caudex.data.sampling import evenly_spaced
from caudex.models.export import export_images
from caudex.trunks.layers import pool_map


class Encoder(nn.Module):
    """Images [B, C, H, W], uint8 or float in [0, 1], to features [B, width].

    Uses the averaged weights where the learner has them.
    """

    def __init__(self, learner: Learner, spec: ImageSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.spec, self.image_format = spec, ImageFormat.from_spec(spec)

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk(images).pooled

    def features(self, images: ImageSet | Tensor) -> dict[str, Tensor]:
        """Of each layer, [N, D], on clean images: the pooled vector, and the channels' means of each map."""
        return extract_features(self.trunk, images)

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images uint8 [N, C, H, W] to features [N, width]) and model.safetensors."""
        return export_images(self, self.spec, folder, "features")


@torch.no_grad()
def extract_features(trunk: nn.Module, images: ImageSet | Tensor, batch_size: int = 1000) -> dict[str, Tensor]:
    """Features of clean images in each layer of a trunk, in eval mode: layer name to [N, D], `pooled` last.

    A map becomes the means of its positive and of its negative parts: two numbers a channel.
    """
    parts = []
    with _eval_mode(trunk) as device:
        for rows in torch.arange(len(images)).split(batch_size):
            features = trunk(fetch_inputs(images, rows).to(device))
            means = {name: pool_map(features.layers[name]) for name in trunk.widths}
            parts.append({name: layer.cpu() for name, layer in (means | {"pooled": features.pooled}).items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def update_bn(trunk: nn.Module, images: ImageSet | Tensor, num_images: int = 2000) -> None:
    """Recompute batch normalisation's running statistics from at most `num_images` clean images.

    Signals train on rotated, masked or shuffled images; clean ones would be normalised by the statistics of those.
    """
    norms = [module for module in trunk.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    rows = evenly_spaced(len(images), num_images)
    with _eval_mode(trunk) as device:
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
            norm.momentum = None  # a plain mean over the batches
        for batch in rows.chunk(max(1, len(rows) // 250)):  # none of a single image
            trunk(fetch_inputs(images, batch).to(device))
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


@contextmanager
def _eval_mode(trunk: nn.Module) -> Iterator[torch.device]:
    """Eval mode; afterwards each module has the mode it had. Yields the trunk's device."""
    modes = [(module, module.training) for module in trunk.modules()]
    trunk.eval()
    try:
        yield next(chain(trunk.parameters(), trunk.buffers()), torch.empty(0)).device
    finally:
        for module, mode in modes:
            module.training = mode


def fetch_inputs(images: ImageSet | Tensor, rows: Tensor) -> Tensor:
    """Features where the set is encoded, else pixels."""
    return images.inputs(rows) if isinstance(images, ImageSet) else images[rows]
