"""Heads on frozen features: what they are scaled by, what they predict, and the next word alone."""

import json
from dataclasses import replace

import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from helpers.language_models import make_causal_lm
from helpers.texts import make_sentences

from caudex.core.system import load, open_run
from caudex.data import LabelledTexts
from caudex.data.text.text_splits import TextSplit, split_texts
from caudex.evaluation.text_probing import fit_logistic_regression
from caudex.models.text_features import TextEncoder
from caudex.systems.text.frozen_texts import FrozenHead, NextWord

PROMPT = "{text} who"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path / "cache"))


def some_texts(start, count):
    texts = [make_sentences(number, 2) for number in range(start, start + count)]
    return LabelledTexts(texts, torch.tensor([text.count("cat") % 2 for text in texts]), ("even", "odd"))


def test_features_are_scaled_by_all_texts_to_learn_from_and_none_of_the_test():
    split = TextSplit(some_texts(0, 10), some_texts(100, 10), [], some_texts(50, 20))
    encoder = TextEncoder(make_causal_lm(), PROMPT)
    FrozenHead(encoder, split, 0)
    features = TextEncoder(make_causal_lm(), PROMPT).encode(some_texts(0, 10))
    features = torch.cat([features, encoder.encode(some_texts(50, 20))])
    torch.testing.assert_close(encoder.trunk.mean, features.mean(0))
    torch.testing.assert_close(encoder.trunk.std, features.std(0, correction=0))
    statistics, other = encoder.trunk.mean.clone(), TextEncoder(make_causal_lm(), PROMPT)
    FrozenHead(other, split._replace(test=some_texts(200, 3)), 0)
    assert torch.equal(other.trunk.mean, statistics)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_is_logistic_regression(classes):
    from sklearn.linear_model import LogisticRegression

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % classes
    features = torch.randn(30, 4, generator=generator) + labels[:, None]
    weight, bias = fit_logistic_regression(features, labels)
    assert weight.shape == (classes, 4) and bias.shape == (classes,)
    expected = LogisticRegression(C=0.1, max_iter=1000).fit(features.numpy(), labels.numpy())
    expected = expected.predict_proba(features.numpy())
    torch.testing.assert_close(
        (features @ weight.T + bias).softmax(1).double(), torch.from_numpy(expected).double(), atol=1e-5, rtol=0
    )


def test_what_the_model_answers_counts_more_than_a_feature():
    labels = torch.tensor([0, 1] * 4)
    features = torch.randn(8, 50, generator=torch.Generator().manual_seed(0))
    answer, noise = labels * 2.0 - 1, torch.arange(1, 50)
    features[:, 0] = answer  # the same as the label, as one among fifty
    directions = torch.zeros(1, 50).index_fill(1, torch.tensor([0]), 10.0)
    shares = []
    for rows in (None, directions):
        weight, _ = fit_logistic_regression(features, labels, rows)
        weight = weight[1] - weight[0]
        shares.append((weight[0] / weight[noise].norm()).item())
    assert shares[0] < 1 and shares[1] > 5  # the folded head looks at it, and hardly at the noise


def test_few_labels_do_no_worse_than_the_model_alone():
    model = make_causal_lm()
    encoder, texts = TextEncoder(model, PROMPT), some_texts(0, 200)
    next_word = NextWord(model, encoder, ("cat", "dog"))
    texts = replace(texts, labels=next_word.predict(texts))  # so that the model knows all
    few, test = texts.select(torch.arange(20)), texts.select(torch.arange(100, 200))
    split = TextSplit(few, test, [], texts.select(torch.arange(20, 100)))
    right = {
        name: (FrozenHead(TextEncoder(model, PROMPT), split, 0, answers).predict(test) == test.labels).float().mean()
        for name, answers in {"labels alone": None, "answers too": next_word.answers}.items()
    }
    assert right["answers too"] > 0.95 > 0.9 > right["labels alone"]


def test_the_next_word_is_compared_with_its_median():
    model = make_causal_lm()
    texts = some_texts(0, 41)
    next_word = NextWord(model, TextEncoder(model, PROMPT), (" cat", "dog_mat"))
    assert next_word.tokens == [model.tokenizer.encode(word, False)[0] for word in ("  cat", " dog mat")]
    with torch.no_grad():
        rows = [model.tokenizer.encode(PROMPT.replace("{text}", text), False) for text in texts.texts]
        features = torch.cat([model.trunk(torch.tensor([row])).layers["tokens"][:, -1] for row in rows])
        log_p = model.signals["next-token"].logits(model.trunk, features).log_softmax(1)[:, next_word.tokens]
    ratio = log_p[:, 1] - log_p[:, 0]
    predicted = next_word.predict(texts)
    differs = ratio != ratio.median()
    assert torch.equal(predicted[differs], (ratio > ratio.median()).long()[differs])
    assert 20 <= predicted.sum() <= 21
    assert NextWord(model, TextEncoder(model, PROMPT), ("cat", "cat mat")).is_ambiguous


def test_a_run_predicts_as_it_was_tested(gpt_run, stories_folder, monkeypatch):
    monkeypatch.setattr("caudex.systems.text.frozen_texts.load_encoder", lambda run: make_causal_lm())
    words = ("--data", stories_folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    output = run_cli("train", "text-labels", "--from", gpt_run, *words, "--finetune", "0", "--labels-per-class", "20")
    assert "'Text: {text}\\nMood:'" in output.out
    results, (system, _), model = (
        json.loads((output.run / "results.json").read_text()),
        open_run(output.run),
        load(output.run),
    )
    texts = system.load_texts(system.data)
    encoder = TextEncoder(load(gpt_run), "Text: {text}\nMood:")
    features = (encoder.encode(texts) - model.trunk.mean) / model.trunk.std
    head = model.signals["labels"].head
    expected = (features @ head.weight.T + head.bias).softmax(1)
    torch.testing.assert_close(model.probabilities(texts.texts), expected.detach(), atol=1e-4, rtol=0)
    test = split_texts(texts, system.labels_per_class, system.seed).test
    assert model.accuracy(test) == pytest.approx(results["frozen trunk, logistic regression"]["accuracy"])
    assert {"words counted", "MiniLM, logistic regression"} < results.keys() and "from scratch" not in results


def test_the_last_blocks_learn_and_predict_as_they_were_tested(gpt_run, stories_folder):
    words = ("--data", stories_folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    words = (*words, "--finetune", "1", "--steps", "60", "--batch", "16", "--fine-tuning-lr", "0.003")
    output = run_cli("train", "text-labels", "--from", gpt_run, *words)
    assert "without MiniLM, logistic regression: there is no network" in output.out
    results, (system, _), model = (
        json.loads((output.run / "results.json").read_text()),
        open_run(output.run),
        load(output.run),
    )
    test = split_texts(system.load_texts(system.data), 0, 0).test
    assert model.accuracy(test) == pytest.approx(results["fine-tuned"]["accuracy"])
    assert results["fine-tuned"]["accuracy"] > 0.8 and "gain over frozen trunk, logistic regression" in results
    start, tuned = (m.state_dict() for m in (load(gpt_run).trunk, model.trunk.transformer))
    changed = {".".join(name.split(".")[:2]) for name in start if not torch.equal(start[name], tuned[name])}
    assert changed == {"blocks.1", "norm.weight", "norm.bias"}


def test_bad_inputs_are_one_sentence(gpt_run, stories_folder, tmp_path):
    words = ("train", "text-labels", "--from", gpt_run, "--data", stories_folder / "reviews.csv", "--text", "review")
    words = (*words, "--label", "mood", "--threads", "1", "--finetune", "0")
    assert_refused(*words, "--prompt", "Sentiment:", because="has no {text}, where the text goes")
    assert_refused(*words, "--prompt", "the cat " * 40 + "{text}", because="of the 40 that are seen at once")
    assert_refused(*words[:-1], "2", because="--finetune 2: this trunk has 2 blocks; give fewer than these")
    assert_refused(*words[:2], *words[4:], because="--finetune is about the trunk of --from")
    (tmp_path / "empty.csv").write_text("review,mood\n ,good\n,bad\n")
    (tmp_path / "one.csv").write_text("review,mood\nfine,good\nnice,good\n ,bad\n")
    assert_refused(*words, "--data", tmp_path / "empty.csv", because="has no labelled text; a classifier needs two")
    assert_refused(*words, "--data", tmp_path / "one.csv", because="has one class, 'good'; a classifier needs two")
