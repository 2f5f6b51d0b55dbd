"""Probes of the features that a language model has of texts."""

from __future__ import annotations

from caudex.data import LabelledTexts
from caudex.data.stratified import seeded_permutation, split_stratified
from caudex.evaluation.probing import linear_probe_accuracy
from caudex.models.language_model import LanguageModel


def text_probe_accuracy(model: LanguageModel, train: LabelledTexts, test: LabelledTexts) -> float:
    """Test accuracy of logistic regression on the mean of the tokens' features; the trunk stays as it is."""
    features, test_features = (model.mean_features(part.texts, part.text_pairs) for part in (train, test))
    return linear_probe_accuracy(features, train.labels, test_features, test.labels)


def split_text_probe_accuracy(model: LanguageModel, texts: LabelledTexts, seed: int, max_texts: int = 4000) -> float:
    """`text_probe_accuracy` from three quarters of each class of at most `max_texts` of the texts, tested on the others; texts that
    are equal to one of these are not learned from."""
    texts = texts.select(seeded_permutation(len(texts), seed, "worth")[:max_texts])
    train, test = (texts.select(rows) for rows in split_stratified(texts.labels, 0.25, seed, "worth, held out"))
    return text_probe_accuracy(model, train.select(~train.stands_in(test)), test)
