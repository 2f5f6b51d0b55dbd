"""Models of timm as trunks, where timm can be imported."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from caudex.core.compute import count_flops
from caudex.core.disk import digest, serialize_tensors
from caudex.core.errors import CaudexError, short_message
from caudex.core.registry import did_you_mean
from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import Standardise
from caudex.trunks.preprocessor import PerChannel, TrainedSide

MAX_LAYERS = 4
"""of the maps that are among `layers`"""


class TimmConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """All that rebuilds a trunk but its weights: the name of an architecture in timm's list, without its tag of weights."""

    timm: str
    image_size: TrainedSide
    image_mean: PerChannel
    image_std: PerChannel


class TimmTrunk(Trunk):
    """A model of timm. Images [B, 3, H, W] of side `image_size`, uint8 or float in [0, 1]. `pooled` is what timm's own
    classifier would read; `layers` are the last four maps of timm's `forward_intermediates`."""

    def __init__(self, config: TimmConfig, network: torch.nn.Module | None = None):
        super().__init__()
        self.config, self.image_size = config, config.image_size
        self.network = network or create_model(config.timm)
        self.standardise = Standardise(3)
        self.standardise.mean.copy_(torch.tensor(config.image_mean).view(3, 1, 1))
        self.standardise.std.copy_(torch.tensor(config.image_std).view(3, 1, 1))
        with torch.no_grad():
            features = self.eval()(torch.zeros(1, 3, self.image_size, self.image_size))
        self.train()
        self.width = features.pooled.shape[1]
        self.widths = {name: layer.shape[1] for name, layer in features.layers.items()}

    def forward(self, x: Tensor, state: Any = None) -> Features:
        if tuple(x.shape[1:]) != (3, self.image_size, self.image_size):
            raise CaudexError(
                f"images of {x.shape[1]} channels and {x.shape[2]} x {x.shape[3]} pixels do not fit timm's {self.config.timm}; it "
                f"takes 3 channels and {self.image_size} x {self.image_size}."
            )
        last, maps = self.network.forward_intermediates(self.standardise(x), indices=MAX_LAYERS, output_fmt="NCHW")
        layers = {f"stage{i + 1}": one for i, one in enumerate(maps)}
        return Features(self.network.forward_head(last), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        """Without attention's scores and sums, which `count_flops` does not see in timm."""
        trunk = deepcopy(self).eval()  # batch normalisation would learn from the zeros
        with torch.no_grad(), count_flops(trunk) as counter:
            trunk(torch.zeros(1, *shape, device=self.standardise.mean.device))
        return counter.flops


def open_timm(name: str) -> tuple[TimmTrunk, dict[str, Any], str]:
    """Trunk, config and SHA-256 of the tensors of `name`, as timm lists it, perhaps with a tag of weights."""
    network = create_model(name, pretrained=True)
    about = network.pretrained_cfg
    if about["input_size"][0] != 3:
        raise CaudexError(
            f"timm:{name} takes images of {about['input_size'][0]} channels; caudex has images of 3 channels for it."
        )
    mean, std = tuple(about["mean"]), tuple(about["std"])
    config = TimmConfig(name.partition(".")[0], min(about["input_size"][1:]), mean, std)
    trunk = TimmTrunk(config, network)
    return trunk, msgspec.json.decode(msgspec.json.encode(config)), digest(serialize_tensors(network.state_dict()))


def build_timm(config: Mapping[str, Any]) -> TimmTrunk:
    """From what `open_timm` gave, with random weights."""
    try:
        return TimmTrunk(msgspec.convert(config, TimmConfig))
    except msgspec.ValidationError as error:
        raise CaudexError(
            f"the configuration of the pretrained trunk: {short_message(error)}; caudex builds no such network."
        ) from None


def create_model(name: str, pretrained: bool = False) -> torch.nn.Module:
    """Only of timm's own list: other names, such as hf-hub:NAME, would lead elsewhere."""
    timm = import_timm()
    names = timm.list_models()
    if name.partition(".")[0] not in names:
        raise CaudexError(f"timm:{name} is not among timm's models.{did_you_mean(name, names)}")
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0)
    except Exception as error:  # timm raises its own, the hub's and the network's
        raise CaudexError(
            f"timm:{name} cannot be had ({short_message(error)}); try again with a network, or hf:NAME."
        ) from None


def import_timm() -> Any:
    try:
        import timm
    except Exception as error:  # a torchvision of another build than torch raises RuntimeError
        raise CaudexError(
            f"timm cannot be imported ({short_message(error)}). It needs torchvision, whose wheel on PyPI does not load beside a CPU "
            "build of torch: install the torchvision of your build, from the index that PyTorch's installation page names, or take hf:NAME."
        ) from None
    return timm
