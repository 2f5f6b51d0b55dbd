"""config.json: every field of transformers is known, every value is honoured or refused by its name."""

import json

import pytest
import transformers
from helpers.public_models import LLAMA_KINDS, tiny_bert, tiny_gpt2, tiny_llama, write_public_folder
from helpers.public_relatives import RELATIVES

from caudex.core.errors import CaudexError
from caudex.models.hf_config import CONFIG_TYPES, ONLY_VALUES, WITHOUT_EFFECT, parse_hf_config, read_hf_config
from caudex.models.importing import load_hf_model

LLAMAS = ("llama", "mistral", "qwen2", "qwen3")
CONFIGS = {"gpt2": tiny_gpt2().config.to_dict(), "bert": tiny_bert().config.to_dict()}
CONFIGS |= {kind: tiny_llama(kind=kind).config.to_dict() for kind in LLAMAS}


@pytest.mark.parametrize("model_type", CONFIGS)
def test_every_field_that_transformers_writes_is_known(model_type, tmp_path):
    generation = transformers.GenerationConfig._get_default_generation_params()
    fields = {**CONFIGS[model_type], **generation, "torch_dtype": "float32", "_name_or_path": "x"}
    known = {*CONFIG_TYPES[model_type].__struct_fields__, *ONLY_VALUES, *WITHOUT_EFFECT[model_type]}
    assert sorted(fields.keys() - known) == []
    config = parse_hf_config(CONFIGS[model_type] | generation, tmp_path)
    assert (config.trunk()["width"], config.trunk()["depth"], config.trunk()["heads"]) == (
        (32, 2, 4) if model_type in LLAMAS else (24, 2, 3)
    )


@pytest.mark.parametrize("model_type", RELATIVES)
def test_every_field_of_a_relative_is_known(model_type, tmp_path):
    theirs = RELATIVES[model_type][0]()
    generation = transformers.GenerationConfig._get_default_generation_params()
    trunk = parse_hf_config(theirs.to_dict() | generation, tmp_path).trunk()
    sizes = theirs.hidden_size, theirs.num_hidden_layers, theirs.num_attention_heads, theirs.vocab_size
    assert (trunk["width"], trunk["depth"], trunk["heads"], trunk["vocabulary"]) == sizes


@pytest.mark.parametrize("model_type", LLAMAS)
def test_what_a_llama_does_not_write_is_as_in_transformers(model_type, tmp_path):
    theirs, ours = LLAMA_KINDS[model_type][0](), parse_hf_config({"model_type": model_type}, tmp_path)
    elsewhere = ("rope_parameters", "rope_scaling", "num_key_value_heads", "head_dim", "sliding_window", "layer_types")
    for name in set(ours.__struct_fields__) - {*elsewhere, "eos_token_id"}:
        assert getattr(ours, name) == getattr(theirs, name, getattr(ours, name)), name
    trunk = ours.trunk()
    assert trunk["kv_heads"] == theirs.num_key_value_heads
    assert trunk["head_dim"] == getattr(theirs, "head_dim", theirs.hidden_size // theirs.num_attention_heads)


def test_what_is_not_written_is_as_in_transformers(tmp_path):
    for model_type, kind in (("gpt2", transformers.GPT2Config), ("bert", transformers.BertConfig)):
        required = {
            name: CONFIGS[model_type][name]
            for name in ("model_type", "vocab_size", *CONFIG_TYPES[model_type].__struct_fields__[1:6])
            if CONFIGS[model_type][name] is not None
        }
        config = parse_hf_config(required, tmp_path)
        for name in config.__struct_fields__[5:]:
            if name not in required and name != "eos_token_id":
                assert getattr(config, name) == getattr(kind(), name), name


@pytest.mark.parametrize(
    ("model_type", "change", "message"),
    [
        (
            "gpt2",
            {"model_type": "opt"},
            'is a model of type "opt"; gpt2, bert, llama, mistral, qwen2, qwen3, distilbert, roberta, gpt_neo can be imported',
        ),
        ("llama", {"hidden_act": "gelu"}, 'hidden_act is "gelu"'),
        (
            "llama",
            {"rope_parameters": {"rope_type": "longrope"}},
            'type of rope_parameters is "longrope"; caudex computes default, dynamic',
        ),
        ("llama", {"rope_scaling": {"type": "linear"}}, "rope_scaling is linear and lacks factor"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "long_factor": 2}}, "long_factor"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
            r"partial_rotary_factor\":0.5} .*>= 1",
        ),
        ("llama", {"rope_interleaved": True}, "rope_interleaved is true; caudex does not compute that"),
        ("llama", {"num_key_value_heads": 3}, "4 heads of 8 numbers cannot share 3 heads of keys and values"),
        ("llama", {"head_dim": 7}, "4 heads of 7 numbers cannot share"),
        ("llama", {"num_local_experts": 8}, '"num_local_experts" is 8; caudex does not know this field'),
        ("mistral", {"sliding_window": 0}, "sliding_window is 0"),
        ("qwen2", {"layer_types": ["linear_attention"]}, "layer_types"),
        ("gpt2", {"model_type": []}, r"is a model of type \[\]"),
        ("gpt2", {"activation_function": "relu"}, r"activation_function is \"relu\" \(not a value that caudex knows"),
        ("gpt2", {"activation_function": []}, r"activation_function is \[\] \(expected"),
        ("gpt2", {"n_embd": -16}, r"n_embd is -16 \(expected `int` >= 8\)"),
        ("gpt2", {"n_embd": "16"}, r"n_embd is \"16\" \(expected `int`, got `str`\)"),
        ("gpt2", {"n_embd": None}, "n_embd is null"),
        ("gpt2", {"n_embd": True}, "n_embd is true"),
        ("gpt2", {"n_head": 0}, r"n_head is 0 \(expected `int` >= 1\)"),
        ("gpt2", {"n_head": 7}, "7 heads cannot share a width of 24 evenly"),
        ("gpt2", {"n_layer": 10**9}, r"n_layer is 1000000000 \(expected `int` <= 1000\)"),
        ("gpt2", {"n_inner": 0}, "n_inner is 0"),
        ("gpt2", {"layer_norm_epsilon": "x"}, 'layer_norm_epsilon is "x"'),
        ("gpt2", {"layer_norm_epsilon": -1}, "layer_norm_epsilon is -1"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention is true; caudex does not compute that"),
        ("gpt2", {"quantization_config": {"bits": 4}}, 'quantization_config is {"bits":4}; caudex does not compute'),
        ("gpt2", {"rope_theta": 1e4}, r"\"rope_theta\" is 10000\.0; caudex does not know this field"),
        ("bert", {"position_embedding_type": "relative_key"}, 'position_embedding_type is "relative_key"'),
        ("bert", {"is_decoder": True}, "is_decoder is true"),
        ("bert", {"pruned_heads": {"0": [1]}}, "pruned_heads is"),
        ("bert", {"type_vocab_size": 0}, "type_vocab_size is 0"),
        ("bert", {"num_hidden_layers": 0}, "num_hidden_layers is 0"),
    ],
)
def test_what_would_be_another_function_is_refused_by_name(model_type, change, message, tmp_path):
    with pytest.raises(CaudexError, match=message):
        parse_hf_config(CONFIGS[model_type] | change, tmp_path / "config.json")


def test_a_config_that_lacks_a_size_is_refused(tmp_path):
    config = {name: value for name, value in CONFIGS["bert"].items() if name != "hidden_size"}
    with pytest.raises(CaudexError, match="missing required field `hidden_size`"):
        parse_hf_config(config, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a"', "is no JSON that can be read"),
        ("7", r"\(expected `object`, got `int`\)"),
        ('{"a":' * 50_000, "is no JSON that can be read"),
        ('{"model_type": "gpt2", "layer_norm_epsilon": NaN}', "is no JSON that can be read"),
    ],
)
def test_what_is_no_config_is_refused(content, message, tmp_path):
    with pytest.raises(CaudexError, match=r"holds no config\.json"):
        read_hf_config(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CaudexError, match=message):
        read_hf_config(tmp_path)


def test_an_adapter_beside_the_weights_is_refused(tmp_path):
    write_public_folder(tmp_path, "gpt2")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CaudexError, match=r"holds adapter_config\.json"):
        load_hf_model(tmp_path)


def test_the_tokens_that_end_a_text_are_those_of_the_folder(tmp_path):
    write_public_folder(tmp_path, "gpt2", eos_token_id=7)
    (tmp_path / "generation_config.json").unlink()
    assert load_hf_model(tmp_path).model.eos_token_ids == (7,)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [5, 6], "temperature": 0.5}')
    assert load_hf_model(tmp_path).model.eos_token_ids == (5, 6)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 50256}')  # no token of this vocabulary
    assert load_hf_model(tmp_path).model.eos_token_ids == (0,)


def test_sentence_vectors_that_are_no_means_are_refused(tmp_path):
    write_public_folder(tmp_path, "bert")
    steps = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for name, path, kind in steps
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    pooling = tmp_path / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}))
    load_hf_model(tmp_path)
    settings = tmp_path / "sentence_bert_config.json"
    settings.write_text('{"max_seq_length": 256, "do_lower_case": true}')
    with pytest.raises(CaudexError, match="do_lower_case is true; caudex leaves that to the vocabulary"):
        load_hf_model(tmp_path)
    settings.unlink()
    for modes in ({"pooling_mode_cls_token": True}, {"pooling_mode": "cls"}):
        pooling.write_text(json.dumps(modes))
        with pytest.raises(CaudexError, match="caudex takes the mean of the tokens; delete modules"):
            load_hf_model(tmp_path)
    modules[2]["type"] = "sentence_transformers.models.Dense"
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    pooling.unlink()
    with pytest.raises(CaudexError, match='Dense" is a step that caudex does not compute'):
        load_hf_model(tmp_path)
