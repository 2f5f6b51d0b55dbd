"""What is exported is the same function in transformers: ids, features, log-probabilities, greedy text."""

import json

import pytest
import torch
import transformers
from helpers.public_models import DOCUMENTS, TEXT, disturb_weights, tiny_tokenizer, write_public_folder

from caudex.core.specs import TextSpec
from caudex.data import Tokenizer, encode_texts
from caudex.models.importing import load_hf_model
from caudex.systems.text.bert import BERT
from caudex.systems.text.gpt import GPT

SIZES = {"context": 64, "width": 24, "depth": 2, "heads": 3, "dropout": 0.1}
PAIR = ("The  cat sat on the mat.", "Müller's dog, 42!")


@pytest.fixture(scope="module")
def cased_tokenizer(tmp_path_factory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("cased")
    tokens = sorted(tiny_tokenizer("wordpiece").vocab, key=tiny_tokenizer("wordpiece").vocab.get)
    (folder / "vocab.txt").write_text("\n".join([*tokens, "The", "T", "M", "##ü"]) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    return Tokenizer.load(folder)


def build_model(system, tokenizer: Tokenizer, **spec):
    """A model with random weights, none of them as they begin."""
    trunk = {"vocabulary": tokenizer.vocab_size, "rotary": False, **SIZES, **system.layout}
    return disturb_weights(system.model(TextSpec(trunk, tokenizer.config, **spec)))


def export_and_open(model, folder, kind):
    model.export(folder)
    return transformers.AutoTokenizer.from_pretrained(folder), kind.from_pretrained(folder).eval()


@pytest.mark.parametrize("kind", ["bpe", "characters", "wordpiece"])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_gpt_gives_the_same_ids_features_and_text(kind, tied, tmp_path):
    model = build_model(GPT(), tiny_tokenizer(kind), tied=tied)
    ours = model.tokenizer
    theirs, published = export_and_open(model, tmp_path, transformers.AutoModelForCausalLM)
    for text in (TEXT[:40], "  two  spaces\n\n", "Ünknown 漢字", "a cat"):
        inputs = theirs(text, return_tensors="pt")
        assert inputs["input_ids"][0].tolist() == ours.encode(text)
        assert theirs.decode(inputs["input_ids"][0]) == ours.decode(ours.encode(text))
        assert "token_type_ids" not in inputs  # to GPT-2 they would be further tokens
        logits = model.signals["next-token"].logits(model.trunk, model.trunk(inputs["input_ids"]).layers["tokens"])
        torch.testing.assert_close(published(**inputs).logits, logits, atol=1e-4, rtol=0)
    assert theirs.eos_token_id == ours.eos_token_id == published.generation_config.eos_token_id
    assert theirs.pad_token_id == (ours.eos_token_id if ours.pad_token_id is None else ours.pad_token_id)
    encoded_texts = [ids for ids, _ in encode_texts(ours, PAIR, None, model.trunk.context)]
    batch = theirs.pad({"input_ids": encoded_texts}, return_tensors="pt")
    features = transformers.AutoModel.from_pretrained(tmp_path).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    torch.testing.assert_close((features * mask).sum(1) / mask.sum(1), model.mean_features(PAIR), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["bpe", "characters"])
@torch.no_grad()
def test_greedy_text_is_the_same_and_ends_at_the_same_token(kind, tmp_path):
    model = build_model(GPT(), tiny_tokenizer(kind))
    prompt = "The cat"
    greedy = "".join(part for (part,) in model.generate(prompt, 12, temperature=0))
    theirs, published = export_and_open(model, tmp_path, transformers.AutoModelForCausalLM)

    def published_ids(published) -> list[int]:
        inputs = theirs(prompt, return_tensors="pt")
        return published.generate(**inputs, max_new_tokens=12, do_sample=False)[0].tolist()

    ids = published_ids(published)
    assert (
        theirs.decode(ids, skip_special_tokens=True).rstrip("\ufffd") == prompt + greedy
    )  # half a character is left out
    assert len(greedy) > 5
    end = ids[-3]
    model.spec = TextSpec(model.spec.trunk, model.spec.tokenizer, eos_token_ids=(end, 0))
    shorter = "".join(part for (part,) in model.generate(prompt, 12, temperature=0))
    _, published = export_and_open(model, tmp_path, transformers.AutoModelForCausalLM)
    assert published_ids(published) == ids[: ids.index(end) + 1]
    assert theirs.decode(ids[: ids.index(end)]).rstrip("\ufffd") == prompt + shorter


@pytest.mark.parametrize("cased", [False, True])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_bert_gives_the_same_ids_features_and_words(cased, tied, tmp_path, cased_tokenizer):
    model = build_model(BERT(), cased_tokenizer if cased else tiny_tokenizer("wordpiece"), tied=tied)
    ours = model.tokenizer
    theirs, published = export_and_open(model, tmp_path, transformers.AutoModelForMaskedLM)
    assert ours.encode("The") == ours.encode("the") or cased
    inputs = theirs(*PAIR, return_tensors="pt")
    first, second = (ours.encode(text) for text in PAIR)
    expected = [ours.cls_token_id, *first, ours.sep_token_id, *second, ours.sep_token_id]
    assert inputs["input_ids"][0].tolist() == expected
    assert inputs["token_type_ids"][0].tolist() == [0] * (len(first) + 2) + [1] * (len(second) + 1)
    batch = theirs(list(PAIR), padding=True, return_tensors="pt")
    features = transformers.AutoModel.from_pretrained(tmp_path).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    torch.testing.assert_close((features * mask).sum(1) / mask.sum(1), model.mean_features(PAIR), atol=1e-4, rtol=0)
    masked = theirs("the [MASK] sat", return_tensors="pt")
    probabilities = published(**masked).logits[0, 2].softmax(-1)
    word, probability = model.fill_mask("the [MASK] sat")[0][0]
    assert theirs.convert_ids_to_tokens(int(probabilities.argmax())) == word
    assert probabilities.max() == pytest.approx(probability, abs=1e-4)
    assert theirs.mask_token == "[MASK]" and theirs.pad_token_id == ours.pad_token_id
    following = transformers.AutoModelForNextSentencePrediction.from_pretrained(tmp_path).eval()(**inputs).logits
    assert following.softmax(-1)[0, 0] == pytest.approx(model.next_sentence_probability(*PAIR), abs=1e-4)


def test_ids_that_stand_for_no_token_are_not_generated_there_either(tmp_path):
    write_public_folder(tmp_path / "padded", "gpt2", extra_ids=3)
    model = load_hf_model(tmp_path / "padded").model
    model.export(tmp_path / "ours")
    size = model.tokenizer.vocab_size
    assert json.loads((tmp_path / "ours/generation_config.json").read_text())["suppress_tokens"] == [
        size,
        size + 1,
        size + 2,
    ]


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_what_is_exported_is_imported_as_it_was(kind, tmp_path):
    write_public_folder(tmp_path / "theirs", kind, tie_word_embeddings=False)
    first = load_hf_model(tmp_path / "theirs").model
    first.export(tmp_path / "ours")
    second = load_hf_model(tmp_path / "ours").model
    assert second.spec.trunk == first.spec.trunk and second.spec.tied is False
    assert second.tokenizer.fingerprint == first.tokenizer.fingerprint
    for name, tensor in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name


def test_the_architecture_is_that_of_the_heads(tmp_path):
    tokenizer = Tokenizer.train("wordpiece", DOCUMENTS, 120)
    for heads, architecture in [
        (("masked-token", "next-sentence"), "BertForPreTraining"),
        (("masked-token",), "BertForMaskedLM"),
        ((), "BertModel"),
    ]:
        build_model(BERT(), tokenizer, heads=heads).export(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [architecture]
