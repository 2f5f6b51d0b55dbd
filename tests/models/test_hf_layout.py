"""Public checkpoints: the figures are transformers' own, for every combination of the fields that we honour."""

import json
from itertools import product

import numpy as np
import pytest
import torch
import transformers
from helpers.public_models import write_public_folder
from safetensors.torch import load_file, save_file

from caudex import data
from caudex.core.errors import CaudexError
from caudex.models.hf_fields import GELU_APPROXIMATIONS
from caudex.models.importing import load_hf_model
from caudex.models.passage_index import embed_texts
from caudex.trunks import PaddedTokens


def text_batch(vocab_size: int) -> PaddedTokens:
    torch.manual_seed(1)
    return PaddedTokens(torch.randint(0, vocab_size, (2, 20)), torch.randint(0, 2, (2, 20)), torch.tensor([20, 13]))


@torch.no_grad()
def our_log_probabilities(model, texts: PaddedTokens) -> list[torch.Tensor]:
    """Of each head; of the second text the 13 tokens that it has."""
    tokens = model.trunk(texts).layers["tokens"]
    name = "next-token" if model.trunk.causal else "masked-token"
    logits = model.signals[name].logits(model.trunk, tokens).log_softmax(-1)
    heads = [logits[0], logits[1, :13]]
    if "next-sentence" in model.signals:
        heads.append(model.signals["next-sentence"].head(model.trunk(texts).pooled).log_softmax(-1))
    return heads


@torch.no_grad()
def their_log_probabilities(model, texts: PaddedTokens) -> list[torch.Tensor]:
    mask = (torch.arange(texts.tokens.shape[1]) < texts.lengths[:, None]).long()
    if model.config.model_type != "bert":
        logits = model(texts.tokens, attention_mask=mask).logits.log_softmax(-1)
        return [logits[0], logits[1, :13]]
    output = model(texts.tokens, attention_mask=mask, token_type_ids=texts.segments)
    logits = output.prediction_logits.log_softmax(-1)
    return [logits[0], logits[1, :13], output.seq_relationship_logits.log_softmax(-1)]


def assert_same_figures(folder, published) -> None:
    model = load_hf_model(folder).model
    texts = text_batch(published.config.vocab_size)
    ours, theirs = our_log_probabilities(model, texts), their_log_probabilities(published, texts)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


FLAGS = ("tie_word_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx")


@pytest.mark.parametrize("flags", list(product([True, False], repeat=3)), ids=str)
def test_gpt2_has_the_figures_of_transformers(flags, tmp_path):
    settings = dict(zip(FLAGS, flags)) | {"n_inner": 40 if flags[0] else None, "layer_norm_epsilon": 1e-3}
    assert_same_figures(tmp_path, write_public_folder(tmp_path, "gpt2", **settings))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("segments", [2, 3])
def test_bert_has_the_figures_of_transformers(tied, segments, tmp_path):
    settings = {"tie_word_embeddings": tied, "type_vocab_size": segments, "layer_norm_eps": 1e-2}
    assert_same_figures(tmp_path, write_public_folder(tmp_path, "bert", **settings))


SCALINGS = [
    {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0},
    {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 1000.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
     "original_max_position_embeddings": 16, "rope_theta": 100.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 100.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 100.0, "beta_fast": 8.0,
     "truncate": False, "mscale": 0.7, "mscale_all_dim": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: scaling["rope_type"])
def test_each_scaling_of_positions_has_the_figures_of_transformers(scaling, tmp_path):
    assert_same_figures(tmp_path, write_public_folder(tmp_path, "llama", rope_parameters=scaling))


LLAMA_SETTINGS = {
    "llama": [{}, {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "head_dim": 16, "rms_norm_eps": 1e-2}],
    "mistral": [{}, {"sliding_window": None, "head_dim": 16, "num_key_value_heads": 1}],
    "qwen2": [{"tie_word_embeddings": True}, {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1}],
    "qwen3": [{"head_dim": 16}, {"attention_bias": True, "num_key_value_heads": 4}],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind in LLAMA_SETTINGS for number in range(2)])
def test_a_llama_has_the_figures_of_transformers(kind, number, tmp_path):
    published = write_public_folder(tmp_path, kind, **LLAMA_SETTINGS[kind][number])
    assert_same_figures(tmp_path, published)
    file = tmp_path / "config.json"  # as transformers 4 wrote it
    config = json.loads(file.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    file.write_text(json.dumps(config | {"rope_scaling": None}))
    assert_same_figures(tmp_path, published)


@pytest.mark.parametrize("kind", LLAMA_SETTINGS)
def test_a_llama_that_is_exported_is_the_same_function(kind, tmp_path):
    scaling = {"rope_parameters": SCALINGS[3]} if kind == "llama" else {}
    published = write_public_folder(tmp_path / "theirs", kind, **LLAMA_SETTINGS[kind][1], **scaling)
    model = load_hf_model(tmp_path / "theirs").model
    model.export(tmp_path / "ours")
    assert_same_figures(
        tmp_path / "theirs", transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    )
    tokens = torch.randint(0, published.config.vocab_size, (2, 20))
    reopened = load_hf_model(tmp_path / "ours").model
    assert torch.equal(reopened.trunk(tokens).pooled, model.trunk(tokens).pooled)


@pytest.mark.parametrize("kind", LLAMA_SETTINGS)
def test_in_parts_the_features_are_those_of_the_whole(kind, tmp_path):
    write_public_folder(tmp_path, kind)
    trunk = load_hf_model(tmp_path).model.trunk
    tokens, state, parts = torch.randint(0, 100, (3, 20)), trunk.initial_state(3), []
    for part in tokens.split([7, 1, 5, 1, 6], 1):
        parts.append(trunk(part, state).layers["tokens"])
    torch.testing.assert_close(torch.cat(parts, 1), trunk(tokens).layers["tokens"], atol=1e-5, rtol=1e-4)


def test_a_bias_that_the_config_does_not_name_is_refused(tmp_path):
    write_public_folder(tmp_path, "llama")
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.bias"] = torch.ones(32)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(
        CaudexError, match=r'has the tensor "layers\.0\.self_attn\.q_proj\.bias", which a llama of its config'
    ):
        load_hf_model(tmp_path)


@pytest.mark.parametrize("act", GELU_APPROXIMATIONS)
def test_each_form_of_gelu_has_the_figures_of_transformers(act, tmp_path):
    for kind, name in (("gpt2", "activation_function"), ("bert", "hidden_act")):
        assert_same_figures(tmp_path / kind, write_public_folder(tmp_path / kind, kind, **{name: act}))


def test_weights_win_where_config_says_that_they_are_tied(tmp_path):
    write_public_folder(tmp_path, "gpt2")
    weights = load_file(tmp_path / "model.safetensors")
    weights["lm_head.weight"] = torch.randn_like(weights["transformer.wte.weight"])
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_same_figures(tmp_path, transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval())


def test_half_precision_is_read(tmp_path):
    published = write_public_folder(tmp_path, "bert").half()
    published.save_pretrained(tmp_path)
    assert_same_figures(tmp_path, published.float())


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_a_body_without_heads_says_which_signals_it_lacks(kind, tmp_path):
    body = write_public_folder(tmp_path, kind).base_model
    body.save_pretrained(tmp_path)
    if kind == "gpt2":  # whose head is its embedding
        assert load_hf_model(tmp_path).missing_signals == []
        return
    public = load_hf_model(tmp_path)
    assert public.missing_signals == ["masked-token", "next-sentence"] and not public.model.signals
    tokens = text_batch(body.config.vocab_size).tokens
    with torch.no_grad():
        torch.testing.assert_close(public.model.trunk(tokens).pooled, body(tokens).pooler_output, atol=1e-4, rtol=0)


def test_heads_of_other_tasks_are_named(tmp_path):
    body = write_public_folder(tmp_path, "bert").base_model
    classifier = transformers.BertForSequenceClassification(body.config)
    classifier.bert = body
    classifier.save_pretrained(tmp_path)
    assert load_hf_model(tmp_path).other_heads == ["classifier"]


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("transformer.h.1.ln_1.weight", torch.ones(7), r"h\.1\.ln_1\.weight has shape \(7,\), by its configuration .* \(24,\)"),
        ("transformer.h.1.mlp.c_fc.bias", None, r"has no tensor h\.1\.mlp\.c_fc\.bias"),
        ("transformer.wpe.weight", torch.ones(16, 24), r"wpe\.weight has shape \(16, 24\), by its configuration .* \(32, 24\)"),
        ("transformer.h.1.mlp.c_fc.weight", None, r"has no tensor h\.1\.mlp\.c_fc\.weight"),
        ("transformer.ln_f.bias", torch.ones(24, dtype=torch.int32), r"ln_f\.bias holds torch\.int32"),
        ("transformer.ln_f.bias", torch.full((24,), torch.nan), r"ln_f\.bias holds numbers that are not finite"),
        ("transformer.wte.weight", torch.tensor(1.0), r"wte\.weight has shape \(\)"),
        ("transformer.h.2.ln_1.weight", torch.ones(24), r"has the tensor \"h\.2\.ln_1\.weight\", which a gpt2 of its config"),
        ("transformer.h.0.attn.c_attn.lora_A", torch.ones(3), "without it the model would be another function"),
        ("lm_head.weight", torch.ones(3), r"lm_head\.weight has shape"),
    ],
)  # fmt: skip
def test_a_tensor_that_does_not_fit_is_named(name, tensor, message, tmp_path):
    write_public_folder(tmp_path, "gpt2")
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop(name, None)
    save_file(weights | ({} if tensor is None else {name: tensor}), tmp_path / "model.safetensors")
    with pytest.raises(CaudexError, match=message):
        load_hf_model(tmp_path)


def test_masks_that_older_versions_saved_are_without_effect(tmp_path):
    published = write_public_folder(tmp_path, "gpt2")
    weights = load_file(tmp_path / "model.safetensors")
    weights |= {"transformer.h.0.attn.bias": torch.ones(1, 1, 32, 32).tril().bool()}
    save_file(weights, tmp_path / "model.safetensors")
    assert_same_figures(tmp_path, published)


def test_the_packaged_sentence_encoder_finds_the_similarities_that_transformers_finds():
    folder = data.corpus_folder("minilm")
    sentences = ["That is a happy person", "That is a happy dog", "Today is a sunny day", "How do I get my money back?"]
    ours = embed_texts(load_hf_model(folder).model, sentences)
    published = transformers.BertModel.from_pretrained(folder).eval()
    inputs = transformers.AutoTokenizer.from_pretrained(folder)(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens, mask = published(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    others = torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=1).numpy()  # as their page says
    np.testing.assert_allclose(ours @ ours.T, others @ others.T, atol=1e-4)
    near = (ours @ ours.T)[0]
    assert near[1] > near[2] > near[3]
