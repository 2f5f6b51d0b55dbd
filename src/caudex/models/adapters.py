"""Low-rank adapters of a language model as files of peft, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from msgspec import Meta, Struct
from torch import Tensor, nn

from caudex.core.disk import parse_tensors, serialize_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.hardware import available_memory
from caudex.core.public_weights import read_tensors
from caudex.core.run import Run
from caudex.core.system import load, save_model, write_settings
from caudex.core.typed_json import convert_public, decode_json, read_public_json, short_json
from caudex.models.causal_lm import CausalLM
from caudex.models.hf_export import model_type_of
from caudex.models.hf_layout import BASE_MODEL_PREFIXES, FLOATS, rows_of_parts, weight_names
from caudex.models.importing import make_system
from caudex.trunks import AdapterPlace, LowRankTrunk

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
ATTENTION = ("attention.qkv_proj", "attention.out_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
ADAPTER_FOLDER = "adapter"
"""of a run"""
MAX_RANK = 1 << 16


class AdapterConfig(Struct, kw_only=True):
    """What adapter_config.json says of the function. Which maps are adapted is seen from the tensors."""

    peft_type: Literal["LORA"]
    r: Annotated[int, Meta(ge=1, le=MAX_RANK)]
    lora_alpha: Annotated[float, Meta(gt=0, le=1e6)]
    use_rslora: bool = False
    bias: Literal["none"] = "none"
    task_type: Literal["CAUSAL_LM"] | None = None
    init_lora_weights: bool | Literal["gaussian", "eva", "orthogonal"] = True
    """other ways to begin change the weights of the model itself"""

    @property
    def scale(self) -> float:
        return self.lora_alpha / (self.r**0.5 if self.use_rslora else self.r)


_OF_TRAINING = """
    auto_mapping peft_version base_model_name_or_path revision inference_mode target_modules exclude_modules lora_dropout
    fan_in_fan_out layers_to_transform layers_pattern megatron_core eva_config qalora_group_size
"""
WITHOUT_EFFECT = frozenset(_OF_TRAINING.split())
"""fields of peft that do not change what trained adapters compute"""


class Adapter(NamedTuple):
    """The matrices of every adapted map, by the name of the map in transformers: (A [rank, in], B [out, rank])."""

    config: AdapterConfig
    matrices: dict[str, tuple[Tensor, Tensor]]


def adapter_places(model: nn.Module, mlp: bool = True) -> list[AdapterPlace]:
    """Where adapters can stand: on the projections of attention, with `mlp` on those of the feed-forward networks too. What is
    three matrices in transformers is three places on rows of ours."""
    model_type, places = model_type_of(model.trunk_config), []
    for tensor, names, _ in weight_names(model_type, model.trunk_config["depth"]):
        module = tensor.removeprefix("trunk.").removesuffix(".weight")
        if not tensor.endswith(".weight") or not module.endswith(ATTENTION + MLP * mlp):
            continue
        if tensor.removeprefix("trunk.") not in dict(model.trunk.named_parameters()):
            continue  # a gate that this model has not
        first = 0
        for name, rows in zip(names, rows_of_parts(model, names, model.trunk.get_submodule(module).out_features)):
            places.append(AdapterPlace(name.removesuffix(".weight"), module, (first, first + rows)))
            first += rows
    return places


def write_adapter(trunk: LowRankTrunk, model_type: str, rank: int, alpha: float) -> dict[str, bytes]:
    """The two files of the adapters that were trained, by name, as peft writes them."""
    prefix = PREFIX + BASE_MODEL_PREFIXES[model_type]
    tensors = {}
    for place, adapter in zip(trunk.places, trunk.adapters):
        tensors[f"{prefix}{place.name}.lora_A.weight"] = adapter.a.detach()
        tensors[f"{prefix}{place.name}.lora_B.weight"] = adapter.b.detach()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": target_modules([place.name for place in trunk.places]),
        "fan_in_fan_out": model_type == "gpt2",
        "bias": "none",
    }
    content = json.dumps(config, indent=1) + "\n"
    return {CONFIG_FILE: content.encode(), WEIGHTS_FILE: serialize_tensors(tensors, {"format": "pt"})}


def target_modules(names: Sequence[str]) -> list[str]:
    """The ends of module names, which peft looks for: q_proj; or attn.c_proj, where mlp.c_proj is another map."""
    modules = {tuple(name.split(".")[-2:]) for name in names}
    lasts = [last for _, last in modules]
    ambiguous = any(last.startswith("c_") for last in lasts)  # GPT-2 has c_proj twice
    return sorted({".".join(module) if ambiguous else module[1] for module in modules})


def has_adapter(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file()


def read_adapter(folder: Path) -> Adapter:
    """A folder of peft's. Raises CaudexError for another kind of adapter, and for a field that changes the function and is
    not computed here."""
    file, weights_file = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    if not file.is_file() or not weights_file.is_file():
        raise CaudexError(f"{folder} holds no {CONFIG_FILE} and {WEIGHTS_FILE}; give the folder of a LoRA adapter.")
    content = read_public_json(file, dict[str, Any])
    for name, value in content.items():
        if name not in AdapterConfig.__struct_fields__ and name not in WITHOUT_EFFECT and value:
            raise CaudexError(f"{file}: {short_json(name)} is {short_json(value)}; caudex does not compute that.")
    config = convert_public(content, AdapterConfig, file)
    return Adapter(config, pair_matrices(read_tensors(weights_file, True), config, weights_file))


def pair_matrices(tensors: Mapping[str, Tensor], config: AdapterConfig, file: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """A and B of every map. Raises CaudexError for other tensors, another rank, and numbers that are not finite."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, kind = name.removesuffix(".weight").rpartition(".")
        if kind not in ("lora_A", "lora_B") or not name.startswith(PREFIX) or not name.endswith(".weight"):
            raise CaudexError(
                f"{file} has the tensor {short_json(name)}, which is no part of a LoRA adapter as caudex computes it."
            )
        rank = tensor.shape[0 if kind == "lora_A" else -1] if tensor.ndim == 2 else None
        if rank != config.r or tensor.dtype not in FLOATS:
            raise CaudexError(
                f"{file}: {short_json(name)} is {tensor.dtype} {tuple(tensor.shape)}; a matrix of rank {config.r:,} is needed."
            )
        if tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():
            raise CaudexError(f"{file}: {short_json(name)} holds numbers that are not finite; fetch it again.")
        pairs.setdefault(module.removeprefix(PREFIX), {})[kind] = tensor.float()
    for module, pair in pairs.items():
        if len(pair) < 2:
            raise CaudexError(f"{file} has one matrix alone for {short_json(module)}; fetch it again.")
    if not pairs:
        raise CaudexError(f"{file} holds no adapter; fetch it again.")
    return {module: (pair["lora_A"], pair["lora_B"]) for module, pair in pairs.items()}


@torch.no_grad()
def merge_adapter(model: nn.Module, adapter: Adapter, source: Path) -> None:
    """Add the adapter to the model's weights. Raises CaudexError, before any is changed, where it is of another model."""
    model_type = model_type_of(model.trunk_config)
    prefix = BASE_MODEL_PREFIXES[model_type]
    places = {prefix + place.name: place for place in adapter_places(model)}
    for module, (a, b) in adapter.matrices.items():
        if module not in places:
            raise CaudexError(
                f"{source} adapts {short_json(module)}, which this {model_type} does not have; it is the adapter of another model."
            )
        linear, (first, end) = model.trunk.get_submodule(places[module].module), places[module].rows
        if (len(b), a.shape[1]) != (end - first, linear.in_features):
            raise CaudexError(
                f"{source} changes a map of {a.shape[1]:,} to {len(b):,} numbers in {short_json(module)}, and this model has one "
                f"of {linear.in_features:,} to {end - first:,}; it is the adapter of another model."
            )
    for module, (a, b) in adapter.matrices.items():
        place = places[module]
        weight = model.trunk.get_submodule(place.module).weight
        weight[slice(*place.rows)] += (adapter.config.scale * (b @ a)).to(weight)


def import_adapter(folder: Path, start: Path, run: Run) -> Iterator[str]:
    """Write the model of another run with the adapter merged into its weights; yields the lines to print."""
    adapter, model = read_adapter(folder), load(start)
    if not isinstance(model, CausalLM):
        raise CaudexError(f"--from {start} holds no model that goes on with a text; give a run of gpt.")
    merge_adapter(model, adapter, folder)
    write_settings(make_system(model_type_of(model.trunk_config), start, model.trunk_config), run)
    run.write_spec(model.spec)
    run.write_json("results", {})
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        run.write(f"{ADAPTER_FOLDER}/{name}", (folder / name).read_bytes())
    save_model(model, run)
    size = sum(a.numel() + b.numel() for a, b in adapter.matrices.values())
    yield f"{len(adapter.matrices):,} maps of {start} changed by {size:,} numbers of rank {adapter.config.r:,}"


def export_adapter(run: Run, folder: Path) -> list[Path]:
    """The adapter that a run trained or took in, as a folder that peft opens. Raises CaudexError where it has none."""
    names = [f"{ADAPTER_FOLDER}/{name}" for name in (CONFIG_FILE, WEIGHTS_FILE)]
    config, weights = (run.folder.read(name, available_memory()) for name in names)
    if config is None or weights is None:
        raise CaudexError(f"{run.path} has no adapter; `caudex train gpt --from RUN --lora 8` trains one.")
    decode_json(config, AdapterConfig, run.path / names[0])
    parse_tensors(weights, run.path / names[1])
    for name, content in ((CONFIG_FILE, config), (WEIGHTS_FILE, weights)):
        write_atomically(folder / name, content)
    return [folder / CONFIG_FILE, folder / WEIGHTS_FILE]
