"""config.json and preprocessor_config.json of image models: which network of transformers, and how its images look.

A run of a stranger may hold these too, so only known fields are read, each within bounds, and none of them names code, a
file or a place on the hub.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from torch import nn

from caudex.core.errors import CaudexError, short_message
from caudex.core.trust import escape_controls
from caudex.core.typed_json import Finite, Share, describe_misfit, read_public_json, short_json
from caudex.trunks.preprocessor import PerChannel, Preprocessor, TrainedSide

T = TypeVar("T")

_Width = Annotated[int, Meta(ge=1, le=1 << 16)]
_Small = Annotated[int, Meta(ge=1, le=16)]
_Depth = Annotated[int, Meta(ge=1, le=200)]
_Factor = Annotated[float, Meta(gt=0, le=16)]
_Rate = Annotated[float, Meta(ge=0, lt=1)]
_Epsilon = Annotated[float, Meta(ge=0, le=1)]
_Stages = Meta(min_length=1, max_length=16)
_Activation = Literal["relu", "relu6", "gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "swish", "hardswish"]

FIELDS: dict[str, Any] = {
    **dict.fromkeys(("embedding_size", "hidden_size", "num_attention_heads", "groups_width", "hidden_dim"), _Width),
    **dict.fromkeys(("min_depth", "depth_divisible_by", "depth_divisor"), _Width),
    **dict.fromkeys(("hidden_sizes", "in_channels", "out_channels"), Annotated[tuple[_Width, ...], _Stages]),
    **dict.fromkeys(("depths", "num_block_repeats"), Annotated[tuple[_Depth, ...], _Stages]),
    **dict.fromkeys(("kernel_sizes", "strides", "expand_ratios"), Annotated[tuple[_Small, ...], _Stages]),
    **dict.fromkeys(("depth_multiplier", "expand_ratio", "width_coefficient", "depth_coefficient"), _Factor),
    **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "drop_connect_rate"), _Rate),
    **dict.fromkeys(("layer_norm_eps", "batch_norm_eps"), _Epsilon),
    **dict.fromkeys(("layerscale_value", "layer_scale_init_value"), Finite),
    **dict.fromkeys(("downsample_in_first_stage", "downsample_in_bottleneck", "qkv_bias", "use_swiglu_ffn"), bool),
    **dict.fromkeys(("use_mask_token", "tf_padding", "first_layer_is_expansion", "finegrained_output"), bool),
    **dict.fromkeys(("num_hidden_layers", "num_stages"), _Depth),
    "image_size": TrainedSide,
    "patch_size": Annotated[int, Meta(ge=1, le=256)],
    "intermediate_size": Annotated[int, Meta(ge=1, le=1 << 18)],
    "mlp_ratio": _Small,
    "num_register_tokens": Annotated[int, Meta(ge=0, le=256)],
    "output_stride": Literal[8, 16, 32],
    "layer_type": Literal["basic", "bottleneck", "x", "y"],
    "hidden_act": _Activation,
    "pooling_type": Literal["mean", "max"],
    "depthwise_padding": Annotated[tuple[Annotated[int, Meta(ge=0, le=10_000)], ...], Meta(max_length=10_000)],
    "squeeze_expansion_ratio": _Factor,
    "batch_norm_momentum": Share,
}  # fmt: skip
"""of the configurations of transformers, what changes the network; each family has some of them"""
REFUSED = ("auto_map", "quantization_config", "per_layer_config", "pruned_heads", "backbone", "use_timm_backbone")
"""of any configuration: what would be another function, or code"""

Patches = Literal["vit", "deit", "dinov2", "dinov2_with_registers"]
Maps = Literal["resnet", "regnet", "convnext", "convnextv2", "mobilenet_v1", "mobilenet_v2", "efficientnet"]
MODEL_TYPES = (*Patches.__args__, *Maps.__args__)


class ImageModelConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """All that rebuilds a trunk but its weights. Images of `image_size`, in [0, 1], are standardised by `image_mean` and
    `image_std`; `network` has fields of the configuration of transformers."""

    model_type: Patches | Maps
    image_size: TrainedSide
    image_mean: PerChannel
    image_std: PerChannel
    network: dict[str, Any]


def read_image_config(folder: Path) -> ImageModelConfig:
    """From config.json and, where it is there, preprocessor_config.json. Raises CaudexError for what is no image model, has
    other than three channels, or is computed by code of its own."""
    file = folder / "config.json"
    if not file.is_file():
        raise CaudexError(f"{folder} holds no config.json; give the folder of an image model of transformers.")
    if (folder / "adapter_config.json").exists():
        raise CaudexError(
            f"{folder} holds adapter_config.json: an adapter changes the model; merge it into the weights first."
        )
    content = read_public_json(file, dict[str, Any])
    model_type = content.get("model_type")
    if model_type not in MODEL_TYPES:
        raise CaudexError(
            f"{file} is a model of type {short_json(model_type)}; a trunk can be {', '.join(MODEL_TYPES)}."
        )
    for name in REFUSED:
        if content.get(name):
            raise CaudexError(f"{file}: {name} is {short_json(content[name])}; caudex does not compute that.")
    if content.get("num_channels", 3) != 3:
        raise CaudexError(
            f"{file}: num_channels is {short_json(content['num_channels'])}; caudex has images of 3 channels for it."
        )
    network = read_network_fields(model_type, content, str(file))
    processor_file = folder / "preprocessor_config.json"
    processor = read_public_json(processor_file, Preprocessor) if processor_file.is_file() else Preprocessor()
    mean, std = processor.statistics()
    size = processor.side() or network.get("image_size", 224)
    built_ins = {"model_type": model_type, "image_size": size, "image_mean": mean, "image_std": std, "network": network}
    return parse_image_config(built_ins, str(processor_file))


def parse_image_config(content: Mapping[str, Any], place: str) -> ImageModelConfig:
    """From the dict that a run keeps; CaudexError, which names the place, where it is not as we wrote it."""
    config = _convert(content, ImageModelConfig, place)
    if min(config.image_std) <= 0:
        raise CaudexError(f"{place}: image_std is {short_json(config.image_std)}; a standard deviation is above 0.")
    return msgspec.structs.replace(config, network=read_network_fields(config.model_type, config.network, place))


def read_network_fields(model_type: str, content: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The fields of that family, each as transformers takes it, also those that are left out there."""
    fields = msgspec.to_builtins(_convert(content, fields_type(model_type), place))
    try:
        config = import_transformers().CONFIG_MAPPING[model_type](**fields)
    except Exception as error:  # transformers checks some fields by errors of its own
        raise no_network(model_type, error, place) from None
    resolved = {name: getattr(config, name) for name in fields_type(model_type).__struct_fields__}
    return msgspec.to_builtins(_convert(resolved, fields_type(model_type), place))


@cache
def fields_type(model_type: str) -> type[Struct]:
    """A struct of the fields of `FIELDS` that the family has."""
    config_class = import_transformers().CONFIG_MAPPING[model_type]
    names = [field.name for field in dataclasses.fields(config_class) if field.name in FIELDS]
    return defstruct(config_class.__name__, [(name, FIELDS[name] | UnsetType, UNSET) for name in names])


def build_network(config: ImageModelConfig) -> nn.Module:
    """The network of transformers, with random weights."""
    transformers = import_transformers()
    network_config = transformers.CONFIG_MAPPING[config.model_type](**config.network)
    return transformers.MODEL_MAPPING[type(network_config)](network_config, **network_options(config.model_type))


def network_options(model_type: str) -> dict[str, bool]:
    """Without a pooling layer where it would be one of weights that few folders have."""
    return {"add_pooling_layer": False} if model_type in ("vit", "deit") else {}


def no_network(model_type: str, error: Exception, place: str = "the configuration") -> CaudexError:
    return CaudexError(f"{place} describes no {model_type} that can be built ({short_message(error)}).")


def import_transformers() -> Any:
    try:
        import transformers
    except ImportError:
        message = "image models of the hub need the package transformers: pip install 'caudex[pretrained]'"
        raise CaudexError(message) from None
    return transformers


def _convert(content: Mapping[str, Any], kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        reason = escape_controls(describe_misfit(error, content))
        raise CaudexError(f"{place}: {reason}; caudex builds no such network.") from None
