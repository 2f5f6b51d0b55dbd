"""config.json of public decoders in Llama's layout: Llama, Mistral, Qwen2 and Qwen3."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, to_builtins

from caudex.core.errors import CaudexError
from caudex.core.specs import Positive, RopeScaling
from caudex.core.typed_json import short_json
from caudex.models.hf_fields import (
    Context,
    Epsilon,
    HeadDim,
    Hidden,
    NumHeads,
    NumLayers,
    PublicFields,
    TokenIds,
    Vocabulary,
    Width,
)
from caudex.trunks import LLAMA_LAYOUT

WholeHead = Annotated[float, Meta(ge=1, le=1)]
"""all features of a head are turned"""


class RopeParameters(Struct, kw_only=True, forbid_unknown_fields=True):
    """rope_parameters of transformers 5, or rope_scaling of older ones."""

    rope_type: str | None = None
    type: str | None = None
    rope_theta: Positive | None = None
    factor: Positive | None = None
    original_max_position_embeddings: Context | None = None
    low_freq_factor: Positive | None = None
    high_freq_factor: Positive | None = None
    beta_fast: Positive | None = None
    beta_slow: Positive | None = None
    mscale: Positive | None = None
    mscale_all_dim: Positive | None = None
    attention_factor: Positive | None = None
    truncate: bool = True
    partial_rotary_factor: WholeHead = 1.0

    @property
    def kind(self) -> str:
        return self.rope_type or self.type or "default"


class LlamaConfig(PublicFields, kw_only=True):
    """What a Llama computes; the defaults are those of transformers."""

    vocab_size: Vocabulary = 32_000
    hidden_size: Width = 4096
    intermediate_size: Hidden = 11_008
    num_hidden_layers: NumLayers = 32
    num_attention_heads: NumHeads = 32
    num_key_value_heads: NumHeads | None = None
    head_dim: HeadDim | None = None
    max_position_embeddings: Context = 2048
    rms_norm_eps: Epsilon = 1e-6
    hidden_act: Literal["silu"] = "silu"
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    rope_theta: Positive = 10_000.0
    rope_scaling: RopeParameters | None = None
    rope_parameters: RopeParameters | None = None
    partial_rotary_factor: WholeHead = 1.0
    eos_token_id: TokenIds = 2

    model_type: ClassVar[str] = "llama"

    def trunk(self) -> dict[str, Any]:
        """The arguments of our `Transformer`."""
        rope = self.rope_parameters or self.rope_scaling or RopeParameters()
        return LLAMA_LAYOUT | {
            "vocabulary": self.vocab_size,
            "context": self.context,
            "width": self.hidden_size,
            "depth": self.num_hidden_layers,
            "heads": self.num_attention_heads,
            "hidden": self.intermediate_size,
            "eps": self.rms_norm_eps,
            "kv_heads": self.num_key_value_heads or self.num_attention_heads,
            "head_dim": self.head_dim or self.hidden_size // self.num_attention_heads,
            "rope_base": rope.rope_theta or self.rope_theta,
            "rope_scaling": scaling_of(rope, self.max_position_embeddings),
            **self.biases(),
        }

    def biases(self) -> dict[str, bool]:
        """Which linear maps add a bias, and whether queries and keys are normalised."""
        return {"qkv_bias": self.attention_bias, "out_bias": self.attention_bias, "mlp_bias": self.mlp_bias}

    @property
    def window(self) -> int | None:
        """How far back a token attends, where that is less than the context."""
        return None

    @property
    def context(self) -> int:
        """Within the window, attention to all is the same function."""
        return min(self.max_position_embeddings, self.window or self.max_position_embeddings)

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors that fix all sizes of the model."""
        trunk, layer = self.trunk(), f"layers.{self.num_hidden_layers - 1}"
        return {
            "embed_tokens.weight": (self.vocab_size, self.hidden_size),
            f"{layer}.self_attn.q_proj.weight": (trunk["heads"] * trunk["head_dim"], self.hidden_size),
            f"{layer}.self_attn.k_proj.weight": (trunk["kv_heads"] * trunk["head_dim"], self.hidden_size),
            f"{layer}.mlp.up_proj.weight": (self.intermediate_size, self.hidden_size),
        }


class MistralConfig(LlamaConfig, kw_only=True):
    """What a Mistral computes."""

    intermediate_size: Hidden = 14_336
    num_key_value_heads: NumHeads | None = 8
    max_position_embeddings: Context = 131_072
    sliding_window: Context | None = 4096

    model_type: ClassVar[str] = "mistral"

    def biases(self) -> dict[str, bool]:
        return {}

    @property
    def window(self) -> int | None:
        return self.sliding_window


class Qwen2Config(LlamaConfig, kw_only=True):
    """What a Qwen2 computes."""

    vocab_size: Vocabulary = 151_936
    intermediate_size: Hidden = 22_016
    num_key_value_heads: NumHeads | None = 32
    max_position_embeddings: Context = 32_768
    use_sliding_window: bool = False
    sliding_window: Context | None = 4096
    max_window_layers: Annotated[int, Meta(ge=0, le=10_000)] = 28
    layer_types: list[Literal["full_attention", "sliding_attention"]] | None = None
    eos_token_id: TokenIds = None

    model_type: ClassVar[str] = "qwen2"

    @property
    def window(self) -> int | None:
        return self.sliding_window if self.use_sliding_window else None

    def biases(self) -> dict[str, bool]:
        return {"qkv_bias": True}


class Qwen3Config(Qwen2Config, kw_only=True):
    """What a Qwen3 computes."""

    head_dim: HeadDim | None = 128

    model_type: ClassVar[str] = "qwen3"

    def biases(self) -> dict[str, bool]:
        return {"qkv_bias": self.attention_bias, "out_bias": self.attention_bias, "qk_norm": True}


def scaling_of(rope: RopeParameters, context: int) -> dict[str, Any] | None:
    """The `RopeScaling` that a public config describes, as plain values; None where positions are not scaled."""
    if rope.kind in ("default", "dynamic"):  # dynamic: only beyond the context
        return None
    fields = {name: getattr(rope, name) for name in ("low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow")}
    fields = {name: value for name, value in fields.items() if value is not None}
    trained = rope.original_max_position_embeddings or context
    if rope.kind == "yarn":
        fields["factor"] = rope.factor or context / trained
        fields |= {"truncate": rope.truncate, "attention_factor": yarn_attention_factor(rope, fields["factor"])}
    scaling = RopeScaling(rope.kind, **{"factor": rope.factor, **fields}, original_context=trained)
    return to_builtins(scaling)


def yarn_attention_factor(rope: RopeParameters, factor: float) -> float:
    """How much queries and keys grow, so that attention is as sharp as within the shorter context (Peng et al. 2023, equation 22)."""

    def growth(weight: float = 1.0) -> float:
        return 0.1 * weight * math.log(factor) + 1 if factor > 1 else 1.0

    if rope.attention_factor is not None:
        return rope.attention_factor
    if rope.mscale and rope.mscale_all_dim:
        return growth(rope.mscale) / growth(rope.mscale_all_dim)
    return growth()


def check_rope(config: LlamaConfig, path: object) -> None:
    """Raises CaudexError for a scaling that we do not compute, or that lacks a field."""
    llama3 = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    required = {"default": (), "dynamic": (), "linear": ("factor",), "llama3": llama3, "yarn": ()}
    for name in ("rope_parameters", "rope_scaling"):
        rope = getattr(config, name)
        if rope and rope.kind not in required:
            raise CaudexError(
                f"{path}: the type of {name} is {short_json(rope.kind)}; caudex computes {', '.join(required)}."
            )
        for field in required[rope.kind] if rope else ():
            if getattr(rope, field) is None:
                raise CaudexError(f"{path}: {name} is {rope.kind} and lacks {field}; fetch the file again.")


def to_llama_config(trunk: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of config.json for a trunk in Llama's layout; a Qwen's where its biases and norms are."""
    defaults = {"kv_heads": trunk["heads"], "head_dim": trunk["width"] // trunk["heads"], "qkv_bias": True}
    trunk = {**defaults, "out_bias": True, "mlp_bias": True, "qk_norm": False, "rope_base": 10_000.0, **trunk}
    fields = {
        "model_type": "llama",
        "hidden_size": trunk["width"],
        "intermediate_size": trunk.get("hidden") or 4 * trunk["width"],
        "num_hidden_layers": trunk["depth"],
        "num_attention_heads": trunk["heads"],
        "num_key_value_heads": trunk["kv_heads"],
        "head_dim": trunk["head_dim"],
        "max_position_embeddings": trunk["context"],
        "rms_norm_eps": trunk["eps"],
        "hidden_act": "silu",
        "attention_dropout": trunk.get("dropout", 0.0),
        "rope_parameters": {"rope_theta": trunk["rope_base"], **to_rope_parameters(trunk.get("rope_scaling"))},
    }
    if trunk["qk_norm"]:
        return fields | {"model_type": "qwen3", "attention_bias": trunk["qkv_bias"]}
    if trunk["qkv_bias"] and not trunk["out_bias"]:
        return fields | {"model_type": "qwen2"}
    return fields | {"attention_bias": trunk["qkv_bias"], "mlp_bias": trunk["mlp_bias"]}


def to_rope_parameters(scaling: Mapping[str, Any] | None) -> dict[str, Any]:
    if not scaling:
        return {"rope_type": "default"}
    used = {
        "linear": ("factor",),
        "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
        "yarn": ("factor", "beta_fast", "beta_slow", "truncate", "attention_factor"),
    }[scaling["kind"]]
    trained = {} if scaling["kind"] == "linear" else {"original_max_position_embeddings": scaling["original_context"]}
    return {"rope_type": scaling["kind"], **{name: scaling[name] for name in used}, **trained}
