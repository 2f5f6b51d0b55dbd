"""The methods that advise compares on texts: words counted, and the features of a frozen sentence encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional as F

from caudex.data import LabelledTexts
from caudex.data.sampling import evenly_spaced
from caudex.evaluation.baselines.sklearn import predict_by_tfidf
from caudex.evaluation.text_probing import fit_logistic_regression
from caudex.models.passage_index import load_encoder
from caudex.models.text_features import TextEncoder
from caudex.systems.studies.methods import BASELINES, LABEL_SPREADING, MAX_UNLABELLED
from caudex.systems.text.frozen_texts import MINILM
from caudex.systems.text.text_labels import WORDS

SPREADING = "MiniLM, label spreading"


def encode_for_advice(texts: LabelledTexts) -> Tensor:
    """float32 [N, W] by the packaged sentence encoder, centred and of one length. Raises CaudexError where it cannot be fetched."""
    features = TextEncoder(load_encoder(None)).encode(texts)
    return F.normalize(features - features.mean(0), dim=1)


def standardise(features: Tensor) -> Tensor:
    """Each feature [N, W] less its mean, divided by its standard deviation."""
    return (features - features.mean(0)) / features.std(0).clamp_min(1e-6)


def text_predictors(
    texts: LabelledTexts, features: Tensor, is_labelled: Tensor
) -> dict[str, Callable[[Tensor, Tensor, int], Tensor]]:
    """By name, as `advise` takes them, of all texts, of which some are labelled (bool [N]), and their features [N, W]."""
    labelled, standardised = texts.select(is_labelled), standardise(features)
    vectors, others = standardised[is_labelled], standardised[~is_labelled]
    others = others[evenly_spaced(len(others), MAX_UNLABELLED)]

    def count_words(train: Tensor, test: Tensor, seed: int) -> Tensor:
        return predict_by_tfidf(labelled.select(train), labelled.select(test))

    def regress(train: Tensor, test: Tensor, seed: int) -> Tensor:
        weight, bias = fit_logistic_regression(vectors[train], labelled.labels[train])
        return F.linear(vectors[test], weight, bias).argmax(1)

    def spread(train: Tensor, test: Tensor, seed: int) -> Tensor:
        learned = F.normalize(torch.cat([vectors[train], others]), dim=1)
        labels = torch.cat([labelled.labels[train], torch.full((len(others),), -1)])
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # texts that no label reaches are of the first class
            model = BASELINES[LABEL_SPREADING]().fit(learned.numpy(), labels.numpy())
            return torch.from_numpy(model.predict(F.normalize(vectors[test], dim=1).numpy()))

    return {WORDS: count_words, MINILM: regress} | ({SPREADING: spread} if len(others) else {})
