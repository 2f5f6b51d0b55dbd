"""config.json of public models: each field is honoured, known to be without effect, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from caudex.core.errors import CaudexError
from caudex.core.typed_json import FileName, convert_public, read_public_json, short_json
from caudex.models.hf_bert import BERTConfig, DistilBERTConfig, RoBERTaConfig
from caudex.models.hf_fields import TokenIds
from caudex.models.hf_gpt2 import GPT2Config, GPTNeoConfig
from caudex.models.hf_llama import LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config, check_rope

_BERT_ALONE = "delete modules.json to import the BERT alone."


PublicConfig = GPT2Config | BERTConfig | LlamaConfig
CONFIG_TYPES: dict[str, type[Struct]] = {
    kind.model_type: kind for kind in (GPT2Config, BERTConfig, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config)
} | {"distilbert": DistilBERTConfig, "roberta": RoBERTaConfig, "gpt_neo": GPTNeoConfig}
"""the last three are read as the BERT or GPT-2 that is the same function"""

ONLY_VALUES = {
    **dict.fromkeys(("add_cross_attention", "is_encoder_decoder", "pruned_heads", "per_layer_config")),
    **dict.fromkeys(("quantization_config", "auto_map", "is_decoder", "rope_interleaved", "use_mrope")),
    "position_embedding_type": "absolute",
}
"""fields that change what is computed: the one value that we compute, besides null, false and nothing"""
_OF_ALL = """
    model_type architectures transformers_version dtype torch_dtype use_bfloat16 name_or_path _name_or_path _commit_hash
    return_dict output_hidden_states output_attentions tie_last_hidden_states use_cache output_past torchscript
    gradient_checkpointing chunk_size_feed_forward attn_implementation _attn_implementation _attn_implementation_autoset
    experts_implementation tf_legacy_loss xla_device initializer_range finetuning_task task_specific_params problem_type
    num_labels _num_labels id2label label2id classifier_dropout tokenizer_class prefix cross_attention_hidden_size
    tie_encoder_decoder sentence_transformers bos_token_id pad_token_id sep_token_id decoder_start_token_id
"""
_OF_GENERATION = """
    max_length min_length max_new_tokens min_new_tokens do_sample early_stopping num_beams num_beam_groups max_time
    stop_strings temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff diversity_penalty
    repetition_penalty encoder_repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size
    bad_words_ids force_words_ids constraints num_return_sequences output_scores output_logits return_dict_in_generate
    forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens
    begin_suppress_tokens renormalize_logits sequence_bias guidance_scale cache_implementation cache_config
    return_legacy_cache token_healing watermarking_config low_memory penalty_alpha dola_layers is_assistant
    num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold prompt_lookup_num_tokens
    max_matching_ngram_size generation_kwargs max_cache_len assistant_early_exit assistant_lookbehind target_lookbehind
    assistant_ensemble_weight speculation_type compile_config disable_compile prefill_chunk_size use_mtp continuous_batching_config
    assistant_lookahead
"""
_OF_GPT2 = """
    n_ctx resid_pdrop embd_pdrop attn_pdrop reorder_and_upcast_attn is_decoder summary_type summary_use_proj
    summary_activation summary_proj_to_labels summary_first_dropout
"""  # reordering and upcasting are of half precision
_OF_BERT = """
    hidden_dropout_prob attention_probs_dropout_prob directionality language pooler_fc_size pooler_num_attention_heads
    pooler_num_fc_layers pooler_size_per_head pooler_type
"""  # first BERTs: what was planned for the pooler
_OF_LLAMA = """
    attention_dropout pretraining_tp is_llama_config transformers.js_config unsloth_fixed unsloth_version
"""
_OF_DISTILBERT = "attention_dropout dropout qa_dropout seq_classif_dropout sinusoidal_pos_embds tie_weights_"
_OF_GPT_NEO = (
    "attention_layers attention_dropout embed_dropout resid_dropout classifier_dropout summary_type summary_use_proj"
)
_OF_KINDS = {
    "gpt2": _OF_GPT2,
    "bert": _OF_BERT,
    "roberta": _OF_BERT,
    "distilbert": _OF_DISTILBERT,
    "gpt_neo": _OF_GPT2 + _OF_GPT_NEO,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _OF_LLAMA),
}
WITHOUT_EFFECT = {
    model_type: frozenset((_OF_ALL + _OF_GENERATION + own).split()) for model_type, own in _OF_KINDS.items()
}
"""fields of transformers that do not change what the network computes in eval mode"""


def read_hf_config(folder: Path) -> PublicConfig:
    """The folder's config.json; from generation_config.json, where there is one, the tokens that end a text.

    Raises CaudexError for another architecture, and for a field or value that changes the function and is not computed here.
    """
    if not (folder / "config.json").is_file():
        raise CaudexError(f"{folder} holds no config.json; give the folder of a public language model.")
    if (folder / "adapter_config.json").exists():
        raise CaudexError(
            f"{folder} holds adapter_config.json: an adapter changes the model; merge it into the weights first."
        )
    config = parse_hf_config(read_public_json(folder / "config.json", dict[str, Any]), folder / "config.json")
    file = folder / "generation_config.json"
    if file.is_file() and (end := read_public_json(file, GenerationConfig).eos_token_id) is not None:
        config.eos_token_id = end
    return config


class GenerationConfig(Struct):
    """What is taken from generation_config.json; the rest are flags of `caudex generate`."""

    eos_token_id: TokenIds = None


class SentenceModule(Struct):
    """One of modules.json: a step of sentence-transformers."""

    type: str
    path: FileName = ""


class SentenceSettings(Struct):
    """What is taken from sentence_bert_config.json; texts are cut off at the model's context, not at max_seq_length."""

    do_lower_case: bool = False


def check_sentence_encoder(folder: Path) -> None:
    """Raises CaudexError where sentence-transformers would make other vectors of the tokens' features than their mean, as
    `caudex search` does."""
    file = folder / "modules.json"
    if not file.is_file():
        return
    settings = folder / "sentence_bert_config.json"
    if settings.is_file() and read_public_json(settings, SentenceSettings).do_lower_case:
        raise CaudexError(f"{settings}: do_lower_case is true; caudex leaves that to the vocabulary; {_BERT_ALONE}")
    for module in read_public_json(file, list[SentenceModule]):
        kind, pooling = module.type.rpartition(".")[2], folder / Path(module.path).name / "config.json"
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise CaudexError(
                f"{file}: {short_json(module.type)} is a step that caudex does not compute; {_BERT_ALONE}"
            )
        modes = read_public_json(pooling, dict[str, Any]) if kind == "Pooling" and pooling.is_file() else {}
        for name, value in modes.items():
            if value is True and name.startswith("pooling_mode") and name != "pooling_mode_mean_tokens":
                raise CaudexError(f"{pooling}: {name} is true; caudex takes the mean of the tokens; {_BERT_ALONE}")
        if modes.get("pooling_mode", "mean") != "mean":
            raise CaudexError(
                f"{pooling}: pooling_mode is {short_json(modes['pooling_mode'])}; caudex takes the mean of the tokens; {_BERT_ALONE}"
            )


def parse_hf_config(config: Mapping[str, Any], path: Path) -> PublicConfig:
    """From the content of a config.json."""
    model_type = config.get("model_type")
    kind = CONFIG_TYPES.get(model_type) if isinstance(model_type, str) else None
    if kind is None:
        raise CaudexError(
            f"{path} is a model of type {short_json(model_type)}; {', '.join(CONFIG_TYPES)} can be imported."
        )
    for name, value in config.items():
        if name in kind.__struct_encode_fields__ or name in WITHOUT_EFFECT[model_type]:
            continue
        if name not in ONLY_VALUES:
            raise CaudexError(
                f"{path}: {short_json(name)} is {short_json(value)}; caudex does not know this field, and the model may be another function "
                "with it. If it is without effect, delete it there."
            )
        if value and value != ONLY_VALUES[name]:
            raise CaudexError(f"{path}: {name} is {short_json(value)}; caudex does not compute that.")
    public_config = convert_public(config, kind, path)
    if isinstance(public_config, LlamaConfig):
        check_rope(public_config, path)
    trunk = public_config.trunk()
    if trunk["heads"] % trunk.get("kv_heads", trunk["heads"]) or trunk.get("head_dim", 2) % 2:
        raise CaudexError(
            f"{path}: {trunk['heads']:,} heads of {trunk['head_dim']:,} numbers cannot share {trunk['kv_heads']:,} heads of keys and values."
        )
    if "head_dim" not in trunk and trunk["width"] % trunk["heads"]:
        raise CaudexError(f"{path}: {trunk['heads']:,} heads cannot share a width of {trunk['width']:,} evenly.")
    return public_config
