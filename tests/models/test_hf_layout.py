"""Public checkpoints: the figures are transformers' own, in both directions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from caudex import data
from caudex.core.errors import CaudexError
from caudex.models.hf_layout import (
    from_hf_config,
    load_hf_weights,
    read_hf_config,
    read_hf_weights,
    to_hf_config,
    to_hf_weights,
)
from caudex.models.importing import load_hf_model
from caudex.models.passage_index import embed_texts
from caudex.signals import MaskedToken, NextSentence, NextToken
from caudex.trunks import PaddedTokens, Transformer


class Model(nn.Module):
    def __init__(self, settings: dict, kind: str):
        super().__init__()
        signals = {
            "gpt2": {"next-token": NextToken()},
            "bert": {"masked-token": MaskedToken(), "next-sentence": NextSentence()},
        }[kind]
        self.trunk, self.signals = Transformer(**settings), nn.ModuleDict(signals)
        for signal in signals.values():
            signal.build(self.trunk)


def published_model(kind: str, **settings):
    if kind == "gpt2":
        sizes = {"n_positions": 32, "n_embd": 48, "n_layer": 3, "n_head": 4, "bos_token_id": 0, "eos_token_id": 0}
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=100, **sizes, **settings))
    else:
        names = ("max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads")
        sizes = dict(zip(names, (32, 48, 3, 4))) | {"intermediate_size": 96}
        model = transformers.BertForPreTraining(transformers.BertConfig(vocab_size=100, **sizes, **settings))
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)  # norms and biases that are not as they begin
    return model.eval()


def model_outputs(model, kind: str, texts: PaddedTokens) -> list[torch.Tensor]:
    """What each head says, of ours or of theirs."""
    with torch.no_grad():
        if isinstance(model, Model):
            features = model.eval().trunk(texts)
            if kind == "gpt2":
                return [model.signals["next-token"].logits(model.trunk, features.layers["tokens"])]
            words = model.signals["masked-token"].logits(model.trunk, features.layers["tokens"])
            return [words, model.signals["next-sentence"].head(features.pooled)]
        if kind == "gpt2":
            return [model(texts.tokens).logits]
        mask = torch.arange(texts.tokens.shape[1]) < texts.lengths[:, None]
        output = model(texts.tokens, attention_mask=mask.long(), token_type_ids=texts.segments)
        return [output.prediction_logits, output.seq_relationship_logits]


def random_texts() -> PaddedTokens:
    return PaddedTokens(torch.randint(0, 100, (2, 20)), torch.randint(0, 2, (2, 20)), torch.tensor([20, 13]))


def assert_outputs_equal(ours, others) -> None:
    for one, other in zip(ours, others):
        if one.ndim == 3 and len(ours) == 2:  # what stands behind the end of a padded text is nobody's business
            one, other = torch.cat([one[0], one[1, :13]]), torch.cat([other[0], other[1, :13]])
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_their_weights_give_their_figures_here_and_ours_give_ours_there(kind, tmp_path):
    published = published_model(kind)
    published.save_pretrained(tmp_path / "theirs")
    found_kind, trunk = from_hf_config(read_hf_config(tmp_path / "theirs"), tmp_path / "theirs")
    model = Model(trunk, kind)
    assert found_kind == kind
    assert load_hf_weights(model, kind, read_hf_weights(tmp_path / "theirs"), tmp_path) == []
    inputs = random_texts()
    assert_outputs_equal(model_outputs(model, kind, inputs), model_outputs(published, kind, inputs))
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    folder = tmp_path / "ours"
    folder.mkdir()
    save_file(to_hf_weights(model, kind), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(to_hf_config(kind, model.trunk, trunk)))
    reloaded = type(published).from_pretrained(folder).eval()
    assert_outputs_equal(model_outputs(reloaded, kind, inputs), model_outputs(model, kind, inputs))


def test_a_body_without_heads_says_which_signals_it_lacks(tmp_path):
    body = published_model("bert").bert
    body.save_pretrained(tmp_path)
    _, trunk = from_hf_config(read_hf_config(tmp_path), tmp_path)
    model = Model(trunk, "bert")
    assert load_hf_weights(model, "bert", read_hf_weights(tmp_path), tmp_path) == ["masked-token", "next-sentence"]
    tokens = random_texts().tokens
    with torch.no_grad():
        torch.testing.assert_close(model.trunk(tokens).pooled, body(tokens).pooler_output, atol=1e-4, rtol=0)


def test_another_shape_or_a_missing_tensor_is_named(tmp_path):
    published = published_model("gpt2")
    _, trunk = from_hf_config(published.config.to_dict(), tmp_path)
    weights = dict(published.state_dict())
    model = Model(trunk, "gpt2")
    with pytest.raises(CaudexError, match=r"h\.1\.ln_1\.weight has shape \(7,\), by its config\.json .* \(48,\)"):
        load_hf_weights(model, "gpt2", weights | {"transformer.h.1.ln_1.weight": torch.ones(7)}, tmp_path)
    del weights["transformer.h.2.mlp.c_fc.bias"]
    with pytest.raises(CaudexError, match=r"has no tensor transformer\.h\.2\.mlp\.c_fc\.bias"):
        load_hf_weights(model, "gpt2", weights, tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "llama"}, "a model of type 'llama'; gpt2 and bert can be imported"),
        ({"model_type": "gpt2", "activation_function": "relu"}, "activation 'relu'"),
        ({"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "relative_key"}, "'relative_key'"),
        ({"model_type": "bert", "hidden_act": "gelu"}, "lacks 'vocab_size'; it is no whole config.json of bert"),
        (
            {"model_type": "gpt2", "activation_function": "gelu_new", "scale_attn_by_inverse_layer_idx": True},
            "scale_attn_by_inverse_layer_idx True",
        ),
    ],
)
def test_what_is_no_gpt2_or_bert_is_refused(config, message, tmp_path):
    with pytest.raises(CaudexError, match=message):
        from_hf_config(config, tmp_path)


def test_pickled_damaged_and_missing_files_are_refused(tmp_path):
    with pytest.raises(CaudexError, match=r"holds no config\.json"):
        read_hf_config(tmp_path)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(CaudexError, match="is no JSON object"):
        read_hf_config(tmp_path)
    with pytest.raises(CaudexError, match=r"holds no model\.safetensors"):
        read_hf_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(CaudexError, match="is pickled, and a pickle can hold code; with --convert"):
        read_hf_weights(tmp_path)
    with pytest.raises(CaudexError, match="is damaged, or holds more than tensors"):
        read_hf_weights(tmp_path, convert=True)
    (tmp_path / "model.safetensors").write_bytes(b"xxxxxxxxxxxx")
    with pytest.raises(CaudexError, match="is damaged"):
        read_hf_weights(tmp_path)


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_pickled_weights_are_converted_on_request_and_run_nothing(tmp_path):
    weights = {"embeddings.LayerNorm.gamma": torch.ones(3), "embeddings.LayerNorm.beta": torch.zeros(3)}
    torch.save(weights, tmp_path / "pytorch_model.bin")
    assert set(read_hf_weights(tmp_path, convert=True)) == {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}
    torch.save(weights | {"trap": Trap()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CaudexError, match="holds more than tensors"):
        read_hf_weights(tmp_path, convert=True)
    assert not (tmp_path / "trapped").exists()


def test_the_packaged_sentence_encoder_finds_the_similarities_that_transformers_finds():
    folder = data.corpus_folder("minilm")
    sentences = ["That is a happy person", "That is a happy dog", "Today is a sunny day", "How do I get my money back?"]
    ours = embed_texts(load_hf_model(folder)[3], sentences)
    published = transformers.BertModel.from_pretrained(folder).eval()
    inputs = transformers.AutoTokenizer.from_pretrained(folder)(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens, mask = published(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    others = torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=1).numpy()  # as their page says
    np.testing.assert_allclose(ours @ ours.T, others @ others.T, atol=1e-4)
    near = (ours @ ours.T)[0]
    assert near[1] > near[2] > near[3]
