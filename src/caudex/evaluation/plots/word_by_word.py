"""The probabilities of a text classifier as it reads on."""

from __future__ import annotations

import numpy as np

from caudex.core.run import Run
from caudex.data import LabelledTexts
from caudex.models.text_classifier import TextClassifier


def plot_word_by_word(run: Run, classifier: TextClassifier, texts: LabelledTexts) -> None:
    """figures/word-by-word.png: a panel for each text, the probability of each class after each word."""
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
