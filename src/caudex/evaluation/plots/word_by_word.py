"""The probabilities of a text classifier as it reads on."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import torch

from caudex.core.run import Run
from caudex.data import LabelledTexts
from caudex.models.text_classifier import TextClassifier


def plot_word_by_word(run: Run, classifier: TextClassifier, texts: LabelledTexts) -> None:
    """figures/word-by-word.png: for a few short texts of each class in turn, the probability of each class after each word."""
    texts = short_texts(texts)
    if texts.text_pairs or not len(texts):
        return
    with run.figure("word-by-word", 1, len(texts), width=9.0, height=1.9) as axes:
        for axis, text, label in zip(np.atleast_1d(axes), texts.texts, texts.labels):
            words = text.split()
            probabilities = classifier.probabilities([" ".join(words[: n + 1]) for n in range(len(words))])
            for k, name in enumerate(classifier.classes[:6]):
                axis.plot(probabilities[:, k], label=name, color=f"C{k}")
            axis.set(ylim=(0, 1), xticks=range(len(words)))
            axis.set_xticklabels(words, rotation=35, ha="right", size=7)
            axis.set_title(f"is {texts.classes[label]}", size=8, loc="left")
        np.atleast_1d(axes)[0].legend(fontsize=7, loc="upper right")


def short_texts(texts: LabelledTexts, max_texts: int = 4) -> LabelledTexts:
    """Up to `max_texts` of 8 to 25 words, of each class in turn."""
    short = [i for i in range(len(texts)) if 8 <= len(texts.texts[i].split()) <= 25]
    by_class = [[i for i in short if texts.labels[i] == k] for k in range(len(texts.classes))]
    rows = [i for turn in zip_longest(*by_class) for i in turn if i is not None][:max_texts]
    return texts.select(torch.tensor(rows, dtype=torch.int64))
