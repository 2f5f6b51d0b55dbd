"""config.json of a BERT, and of DistilBERT and RoBERTa, which are BERTs with other names for their tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor

from caudex.models.hf_fields import (
    GELU_APPROXIMATIONS,
    Activation,
    Context,
    Epsilon,
    Hidden,
    NumHeads,
    NumLayers,
    PublicFields,
    TokenIds,
    Vocabulary,
    Width,
)
from caudex.trunks import BERT_LAYOUT

SEGMENTS = "embeddings.token_type_embeddings.weight"
PLACES = "embeddings.position_embeddings.weight"


class BERTConfig(PublicFields, kw_only=True):
    """What a BERT computes; the defaults are those of transformers."""

    vocab_size: Vocabulary
    max_position_embeddings: Context
    hidden_size: Width
    num_hidden_layers: NumLayers
    num_attention_heads: NumHeads
    intermediate_size: Hidden
    hidden_act: Activation = "gelu"
    layer_norm_eps: Epsilon = 1e-12
    type_vocab_size: Annotated[int, Meta(ge=1, le=1 << 16)] = 2
    tie_word_embeddings: bool = True
    eos_token_id: TokenIds = None

    model_type: ClassVar[str] = "bert"

    def trunk(self) -> dict[str, Any]:
        """The arguments of our `Transformer`."""
        names = ("vocabulary", "context", "width", "depth", "heads")
        sizes = (self.vocab_size, self.max_position_embeddings, self.hidden_size)
        arguments = dict(zip(names, (*sizes, self.num_hidden_layers, self.num_attention_heads)))
        arguments |= {"hidden": self.intermediate_size, "eps": self.layer_norm_eps, "segments": self.type_vocab_size}
        return BERT_LAYOUT | arguments | {"gelu_approximate": GELU_APPROXIMATIONS[self.hidden_act]}

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors that fix all sizes of the model."""
        return {
            "embeddings.word_embeddings.weight": (self.vocab_size, self.hidden_size),
            "embeddings.position_embeddings.weight": (self.max_position_embeddings, self.hidden_size),
            "embeddings.token_type_embeddings.weight": (self.type_vocab_size, self.hidden_size),
            f"encoder.layer.{self.num_hidden_layers - 1}.intermediate.dense.weight": (
                self.intermediate_size,
                self.hidden_size,
            ),
        }


DISTILBERT_NAMES = {
    r"^distilbert\.": "",
    r"^transformer\.layer\.": "encoder.layer.",
    r"\.attention\.q_lin\.": ".attention.self.query.",
    r"\.attention\.k_lin\.": ".attention.self.key.",
    r"\.attention\.v_lin\.": ".attention.self.value.",
    r"\.attention\.out_lin\.": ".attention.output.dense.",
    r"\.sa_layer_norm\.": ".attention.output.LayerNorm.",
    r"\.ffn\.lin1\.": ".intermediate.dense.",
    r"\.ffn\.lin2\.": ".output.dense.",
    r"\.output_layer_norm\.": ".output.LayerNorm.",
    r"^vocab_transform\.": "cls.predictions.transform.dense.",
    r"^vocab_layer_norm\.": "cls.predictions.transform.LayerNorm.",
    r"^vocab_projector\.bias$": "cls.predictions.bias",
    r"^vocab_projector\.weight$": "cls.predictions.decoder.weight",
}
ROBERTA_NAMES = {
    r"^roberta\.": "",
    r"^lm_head\.dense\.": "cls.predictions.transform.dense.",
    r"^lm_head\.layer_norm\.": "cls.predictions.transform.LayerNorm.",
    r"^lm_head\.decoder\.": "cls.predictions.decoder.",
    r"^lm_head\.bias$": "cls.predictions.bias",
}
"""parts of names, and what a BERT says for them"""
_DISTILBERT_FIELDS = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "hidden_act": "activation",
}
"""a class renames the fields that it declares itself"""


class DistilBERTConfig(BERTConfig, kw_only=True, rename=_DISTILBERT_FIELDS):
    """A BERT that does not look at segments (Sanh et al. 2019, section 3)."""

    hidden_size: Width
    num_hidden_layers: NumLayers
    num_attention_heads: NumHeads
    intermediate_size: Hidden
    hidden_act: Activation = "gelu"
    layer_norm_eps: Annotated[float, Meta(ge=1e-12, le=1e-12)] = 1e-12
    type_vocab_size: Literal[2] = 2

    def translate(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return rename_tensors(weights, DISTILBERT_NAMES) | {SEGMENTS: torch.zeros(2, self.hidden_size)}


class RoBERTaConfig(BERTConfig, kw_only=True):
    """A BERT with byte-level BPE and mostly one segment (Liu et al. 2019, section 4); its places count from the one behind
    that of padding."""

    pad_token_id: Annotated[int, Meta(ge=0, le=1 << 16)] = 1
    hidden_act: Literal["gelu"] = "gelu"  # its head of words has no other

    @property
    def num_segments(self) -> int:
        """A second passage has the segment of the first where there is but one."""
        return max(2, self.type_vocab_size)

    def trunk(self) -> dict[str, Any]:
        context = self.max_position_embeddings - self.pad_token_id - 1
        return super().trunk() | {"context": context, "segments": self.num_segments}

    def sizes(self) -> dict[str, tuple[int, ...]]:
        rows = {SEGMENTS: (self.num_segments, self.hidden_size), PLACES: (self.trunk()["context"], self.hidden_size)}
        return super().sizes() | rows

    def translate(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        translated = rename_tensors(weights, ROBERTA_NAMES)
        if (places := translated.get(PLACES)) is not None and places.ndim == 2:
            translated[PLACES] = places[self.pad_token_id + 1 :]
        if (segments := translated.get(SEGMENTS)) is not None and segments.ndim == 2 and len(segments) == 1:
            translated[SEGMENTS] = segments.repeat(self.num_segments, 1)
        return translated


def rename_tensors(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in weights.items():
        for pattern, replacement in names.items():
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed
