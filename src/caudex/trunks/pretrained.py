"""Image models of transformers as trunks: ResNet, RegNet, ConvNeXt, MobileNet, EfficientNet, ViT, DeiT, DINOv2."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from caudex.core.compute import count_flops
from caudex.core.errors import CaudexError
from caudex.core.public_weights import files_sha256
from caudex.core.trunk import Features, Trunk
from caudex.core.trust import check_trusted
from caudex.trunks.layers import Standardise
from caudex.trunks.pretrained_config import (
    ImageModelConfig,
    Patches,
    build_network,
    no_network,
    parse_image_config,
    read_image_config,
)
from caudex.trunks.pretrained_files import find_folder, find_weights, load_network
from caudex.trunks.timm_trunk import build_timm, open_timm

MAX_PARAMETERS = 1 << 31
"""of a network; the largest DINOv2 has 1.1 billion"""
MIN_SIDE = 32
"""of images, in pixels; most networks halve them five times"""
PATCH_LAYERS = 4
"""blocks of a transformer whose patches are among `layers`"""


class HFImageTrunk(Trunk):
    """An image model of transformers. Images [B, 3, H, W], uint8 or float in [0, 1], best of side `image_size`.

    Convolutional networks: `pooled` is their own pooling, the mean of the last map, which ConvNeXt normalises; `layers`
    are the last maps of each resolution, `stage1` the finest.
    ViT, DeiT and DINOv2: `pooled` is the class token and the mean of the patches, side by side, as DINOv2's linear
    classifiers read them (Oquab et al. 2024, appendix B.3), so `width` is twice the network's; `layers` are the patches
    of four evenly spaced blocks as maps. All are taken after the last layer norm. Where images have another size than
    those that the network was trained on, position embeddings are interpolated.
    """

    def __init__(self, config: ImageModelConfig, network: nn.Module | None = None):
        super().__init__()
        self.config, self.image_size = config, config.image_size
        self.layer_places, self.widths, self.width, _ = outline(config)
        self.standardise = Standardise(3)
        self.standardise.mean.copy_(torch.tensor(config.image_mean).view(3, 1, 1))
        self.standardise.std.copy_(torch.tensor(config.image_std).view(3, 1, 1))
        self.network = network or build_network(config)
        self.network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        patch = self.config.network.get("patch_size", 1)
        if x.shape[1] != 3 or min(x.shape[2:]) < max(MIN_SIDE, patch):
            raise CaudexError(
                f"images of {x.shape[1]} channels and {x.shape[2]} x {x.shape[3]} pixels do not fit a {self.config.model_type}; "
                f"it takes 3 channels and at least {max(MIN_SIDE, patch)} pixels, best {self.image_size}."
            )
        kept_states = list(self.layer_places.values()) if has_patches(self.config) else True
        output = run_network(self.network, self.config, self.standardise(x), kept_states)
        if not has_patches(self.config):
            maps = (*output.hidden_states, output.last_hidden_state)
            layers = {name: maps[place] for name, place in self.layer_places.items()}
            return Features(output.pooler_output.flatten(1), layers)
        tokens, (height, width) = output.last_hidden_state, (side // patch for side in x.shape[2:])
        first = tokens.shape[1] - height * width  # before the patches stand the class token and others that are learned
        layers = {}
        for name, place in self.layer_places.items():
            patches = self.network.layernorm(output.hidden_states[place])[:, first:]
            layers[name] = patches.transpose(1, 2).unflatten(2, (height, width))
        return Features(torch.cat([tokens[:, 0], tokens[:, first:].mean(1)], 1), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        with torch.device("meta"), torch.no_grad():
            trunk = HFImageTrunk(self.config)
            with count_flops(trunk) as counter:
                trunk(torch.zeros(1, *shape))
        return counter.flops

    def forward_flops(self, inputs, output):
        """Of attention, which `count_flops` does not see in transformers: scores and sums of values."""
        if not has_patches(self.config):
            return 0
        fields, (batch, _, height, width) = self.config.network, inputs[0].shape
        tokens = 1 + (height // fields["patch_size"]) * (width // fields["patch_size"])
        tokens += fields.get("num_register_tokens", 0) + (self.config.model_type == "deit")
        return batch * fields["num_hidden_layers"] * 4 * tokens**2 * fields["hidden_size"]


class Pretrained(NamedTuple):
    """A trunk with weights, in eval mode; what `build_pretrained` rebuilds it from, as JSON; the SHA-256 of the files of weights."""

    trunk: Trunk
    config: dict[str, Any]
    sha256: str


def open_pretrained(name: str) -> Pretrained:
    """`name` is hf:NAME of the hub or its cache on this machine, a folder with config.json and safetensors, or timm:NAME.

    No code in it is run, and pickles are not read. Raises CaudexError for names that do not exist or cannot be fetched, for
    models that are not of `MODEL_TYPES` or of three channels, and for weights that are not those of config.json.
    """
    check_trusted(name, f"would take the pretrained weights {name}")
    if name.startswith("timm:"):
        trunk, config, sha256 = open_timm(name.removeprefix("timm:"))
        return Pretrained(trunk.eval(), config, sha256)
    folder = find_folder(name)
    config, files = read_image_config(folder), find_weights(folder)
    if (parameters := outline(config).parameters) > (size := sum(file.stat().st_size for file in files)):
        raise CaudexError(
            f"{folder / 'config.json'} describes {parameters:,} parameters, but {size:,} bytes of weights cannot hold these; they "
            "are cut off or of another network: fetch the folder again."
        )
    trunk = HFImageTrunk(config, load_network(config, folder, files))
    return Pretrained(trunk.eval(), msgspec.json.decode(msgspec.json.encode(config)), files_sha256(files))


def build_pretrained(config: Mapping[str, Any]) -> Trunk:
    """From what `open_pretrained` gave as `config`, with random weights; neither hub nor folder is asked. Raises CaudexError for
    a config that describes no network, such as one that a stranger changed."""
    if "timm" in config:
        return build_timm(config)
    return HFImageTrunk(parse_image_config(config, "the configuration of the pretrained trunk"))


def has_patches(config: ImageModelConfig) -> bool:
    return config.model_type in Patches.__args__


def run_network(network: nn.Module, config: ImageModelConfig, images: Tensor, states: list[int] | bool = True) -> Any:
    """The output of transformers with these hidden states, or all; convolutional networks give all or none."""
    options = {"interpolate_pos_encoding": True} if config.model_type in ("vit", "deit") else {}
    return network(images, output_hidden_states=states, **options)


class Outline(NamedTuple):
    layer_places: dict[str, int]  # of each layer, its number among the hidden states
    widths: dict[str, int]
    width: int
    parameters: int


def outline(config: ImageModelConfig) -> Outline:
    """From one pass on torch's meta device, which takes no memory; CaudexError where there is no such network."""
    try:
        with torch.device("meta"), torch.no_grad():
            network = build_network(config)
            parameters = sum(parameter.numel() for parameter in network.parameters())
            if parameters > MAX_PARAMETERS:
                raise ValueError(f"{parameters:,} parameters, over {MAX_PARAMETERS:,}")
            output = run_network(network, config, torch.zeros(1, 3, config.image_size, config.image_size))
    except CaudexError:
        raise
    except Exception as error:  # torch and transformers raise nearly every kind
        raise no_network(config.model_type, error) from None
    if has_patches(config):
        depth, width = config.network["num_hidden_layers"], config.network["hidden_size"]
        places = sorted({ceil(depth * part / PATCH_LAYERS) for part in range(1, PATCH_LAYERS + 1)})
        names = {f"stage{i + 1}": place for i, place in enumerate(places)}
        return Outline(names, dict.fromkeys(names, width), 2 * width, parameters)
    maps = (*output.hidden_states, output.last_hidden_state)
    places = {one.shape[-1]: place for place, one in enumerate(maps)}
    names = {f"stage{i + 1}": place for i, place in enumerate(places.values())}
    widths = {name: maps[place].shape[1] for name, place in names.items()}
    return Outline(names, widths, output.pooler_output.shape[1], parameters)
