"""DistilBERT and RoBERTa are read as the BERT that is the same function."""

import json

import pytest
import torch
import transformers
from helpers.public_models import TEXT
from helpers.public_relatives import roberta_tokenizer, write_relative

from caudex.core.errors import CaudexError
from caudex.data import Tokenizer, encode_texts, pad_sequences
from caudex.models.importing import load_hf_model


def padded_texts(tokenizer: Tokenizer):
    return pad_sequences(encode_texts(tokenizer, [TEXT[:60], TEXT[:20]], None, 40))


@torch.no_grad()
def assert_same_words(model, published) -> None:
    texts = padded_texts(model.tokenizer)
    mask = (torch.arange(texts.tokens.shape[1]) < texts.lengths[:, None]).long()
    tokens = texts.tokens.masked_fill(mask == 0, published.config.pad_token_id)
    expected = published(tokens, attention_mask=mask).logits.log_softmax(-1)
    logits = model.signals["masked-token"].logits(model.trunk, model.trunk(texts).layers["tokens"]).log_softmax(-1)
    torch.testing.assert_close(logits[mask.bool()], expected[mask.bool()], atol=1e-4, rtol=0)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["distilbert", "roberta"])
def test_it_has_the_figures_of_transformers(kind, tied, tmp_path):
    published = write_relative(tmp_path, kind, tie_word_embeddings=tied)
    public = load_hf_model(tmp_path)
    assert public.missing_signals == ["next-sentence", "pooler"] and list(public.model.signals) == ["masked-token"]
    assert public.model.trunk.context == 40
    assert_same_words(public.model, published)
    model = public.model
    model.export(tmp_path / "ours")
    reopened = load_hf_model(tmp_path / "ours").model
    assert_same_words(reopened, published)


@pytest.mark.parametrize(
    "settings", [{"type_vocab_size": 3}, {"pad_token_id": 4, "max_position_embeddings": 45}], ids=str
)
def test_segments_and_places_of_a_roberta_are_those_of_transformers(settings, tmp_path):
    published = write_relative(tmp_path, "roberta", **settings)
    assert_same_words(load_hf_model(tmp_path).model, published)


def test_a_second_passage_has_the_segment_of_the_first(tmp_path):
    published = write_relative(tmp_path, "roberta", type_vocab_size=1)  # as in the public ones
    model = load_hf_model(tmp_path).model
    texts = pad_sequences(encode_texts(model.tokenizer, ["The cat"], ["sat on"], 40))
    assert texts.segments.max() == 1
    with torch.no_grad():
        expected = published.roberta(texts.tokens).last_hidden_state
        torch.testing.assert_close(model.trunk(texts).layers["tokens"], expected, atol=1e-4, rtol=0)


def test_a_classifier_keeps_its_trunk_and_names_its_head(tmp_path):
    published = write_relative(tmp_path, "roberta")
    classifier = transformers.RobertaForSequenceClassification(published.config)
    classifier.save_pretrained(tmp_path)
    public = load_hf_model(tmp_path)
    assert public.other_heads == ["classifier"] and not public.model.signals
    body = transformers.RobertaModel(published.config).eval()
    body.save_pretrained(tmp_path)
    public, tokens = load_hf_model(tmp_path), padded_texts(roberta_tokenizer()).tokens[:1]
    with torch.no_grad():
        torch.testing.assert_close(public.model.trunk(tokens).pooled, body(tokens).pooler_output, atol=1e-4, rtol=0)


def test_a_roberta_fills_its_own_mask(tmp_path):
    write_relative(tmp_path, "roberta")
    model = load_hf_model(tmp_path).model
    assert len(model.fill_mask("The cat <mask> on the <mask>.", 3)) == 2
    config = json.loads((tmp_path / "tokenizer.json").read_text())
    words = model.fill_mask("The cat <mask> on the mat.")
    (tmp_path / "tokenizer.json").unlink()  # as it was first published
    (tmp_path / "vocab.json").write_text(json.dumps(config["model"]["vocab"]))
    (tmp_path / "merges.txt").write_text("\n".join(map(" ".join, config["model"]["merges"])))
    assert load_hf_model(tmp_path).model.fill_mask("The cat <mask> on the mat.") == words
    with pytest.raises(CaudexError, match="put <mask> where a word"):
        model.fill_mask("The cat [MASK] on the mat.")


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("roberta", {"hidden_act": "gelu_new"}, 'hidden_act is "gelu_new"'),
        ("roberta", {"position_embedding_type": "relative_key"}, "caudex does not compute that"),
        ("roberta", {"is_decoder": True}, "is_decoder is true"),
        ("distilbert", {"hidden_size": 24}, '"hidden_size" is 24; caudex does not know this field'),
        ("distilbert", {"dim": -1}, "dim is -1"),
    ],
)
def test_what_would_be_another_function_is_refused(kind, change, message, tmp_path):
    published = write_relative(tmp_path, kind)
    (tmp_path / "config.json").write_text(json.dumps(published.config.to_dict() | change))
    with pytest.raises(CaudexError, match=message):
        load_hf_model(tmp_path)
