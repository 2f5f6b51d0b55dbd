"""What language models know of texts before they learn from them: heads on frozen features, and the next word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.data import LabelledTexts
from caudex.data.stratified import seeded_permutation
from caudex.data.text.corpora import CORPORA
from caudex.data.text.prompts import default_prompt, encode_prompts, read_prompt
from caudex.data.text.text_splits import TextSplit
from caudex.evaluation.text_probing import fit_logistic_regression
from caudex.models.causal_lm import CausalLM
from caudex.models.language_model import LanguageModel
from caudex.models.passage_index import load_encoder
from caudex.models.text_classifier import TextClassifier
from caudex.models.text_features import TextEncoder
from caudex.signals import Labels

if TYPE_CHECKING:
    from caudex.systems.text.text_labels import TextLabels

FROZEN, MINILM, PROMPTED = (
    "frozen trunk, logistic regression",
    "MiniLM, logistic regression",
    "prompting without labels",
)
MAX_UNLABELLED = 200
"""texts without labels from which the scale of features is measured"""
ANSWER_WEIGHT = 10.0
"""standard deviation of what the model itself answers, among features of deviation 1: so little of a penalty lies on it that few labels
do hardly worse than none. Chosen on 600 products and 160 topics"""


class FrozenHead:
    """Logistic regression on the features of `encoder`, standardised by the labelled texts and up to `MAX_UNLABELLED` of the others;
    the test's are not looked at. `answers` [K, W] are directions in the features that the model itself takes for the classes."""

    def __init__(self, encoder: TextEncoder, split: TextSplit, seed: int, answers: Tensor | None = None):
        self.encoder = encoder
        self.learner = Learner(encoder.trunk, {"labels": Labels(len(split.train.classes))})
        others = seeded_permutation(len(split.unlabelled), seed, "scale of features")[:MAX_UNLABELLED]
        features = torch.cat([encoder.encode(split.train), encoder.encode(split.unlabelled.select(others))])
        encoder.trunk.set_statistics(features)
        head = self.learner.signals["labels"].head.to(encoder.device)
        with torch.no_grad():
            standardised, directions = encoder.trunk(features.to(encoder.device)).pooled.cpu(), None
            if answers is not None:
                directions = answers.cpu() * encoder.trunk.std.cpu()
                directions *= ANSWER_WEIGHT / (standardised @ directions.T).std()
            weight, bias = fit_logistic_regression(standardised[: len(split.train)], split.train.labels, directions)
            head.weight.copy_(weight)
            head.bias.copy_(bias)

    def classifier(self, spec: TextSpec) -> TextClassifier:
        return TextClassifier(self.learner, spec)

    @torch.inference_mode()
    def predict(self, texts: LabelledTexts) -> Tensor:
        """int64 [N]"""
        features = self.encoder.encode(texts).to(self.encoder.device)
        return self.learner.signals["labels"].logits(self.encoder.trunk, features).argmax(1).cpu()


def find_prompt(settings: TextLabels, start: LanguageModel) -> str | None:
    """That of the settings, or the packaged set's, or the one for the column of labels; None for a trunk that reads both ways."""
    if not start.trunk.causal:
        if settings.prompt is not None:
            raise CaudexError(
                f"--prompt is for a trunk that reads from left to right, and {settings.start} reads both ways; leave it out."
            )
        return None
    has_pairs, packaged = settings.second is not None, CORPORA.get(settings.data)
    if settings.prompt is not None:
        prompt = read_prompt(settings.prompt, has_pairs)
    else:
        prompt = (packaged and packaged.prompt) or default_prompt(settings.label, has_pairs)
    encode_prompts(start.tokenizer, prompt, [], None, min(settings.context, start.trunk.context))  # refuses a long one
    return prompt


def minilm_encoder(run: Run) -> TextEncoder | None:
    """The packaged sentence encoder; None, and a line that says so, where it cannot be fetched."""
    try:
        model = load_encoder(None)
    except CaudexError as error:
        print_once(run, f"without {MINILM}: {error}")
        return None
    return TextEncoder(model)


class NextWord:
    """Which class's name the model finds likeliest behind the prompt, by its first token. From each name's ln p its median over the texts
    is subtracted, which assumes that the classes are equally frequent; of two classes that is half of the texts each."""

    def __init__(self, model: LanguageModel, encoder: TextEncoder, classes: tuple[str, ...]):
        self.encoder, signal = encoder, model.signals["next-token"]
        names = [" " + name.replace("_", " ") for name in classes]
        self.tokens = [model.tokenizer.encode(name, parse_special=False)[0] for name in names]
        table = model.trunk.token_embedding.weight if signal.tied else signal.head.weight
        self.answers = (table[self.tokens] - table[self.tokens].mean(0)).detach().cpu()  # [K, W]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the names of two classes begin with the same token."""
        return len(set(self.tokens)) < len(self.tokens)

    def predict(self, texts: LabelledTexts) -> Tensor:
        """int64 [N]"""
        scores = (
            self.encoder.encode(texts) @ self.answers.T
        )  # [N, K]: ln p, up to what all classes of a text have in common
        return (scores - scores.median(0).values).argmax(1)


def frozen_predictors(
    settings: TextLabels, run: Run, split: TextSplit, start: LanguageModel
) -> dict[str, FrozenHead | NextWord]:
    """Heads on frozen features of `start`; of a trunk that reads from left to right also its next word, and MiniLM's features."""
    encoder = TextEncoder(start, find_prompt(settings, start), settings.context if start.trunk.causal else None)
    next_word = NextWord(start, encoder, split.train.classes) if isinstance(start, CausalLM) else None
    if next_word and next_word.is_ambiguous:
        print_once(run, f"without {PROMPTED}: the names of several classes begin with the same token")
        next_word = None
    predictors: dict = {FROZEN: FrozenHead(encoder, split, settings.seed, next_word and next_word.answers)}
    if start.trunk.causal and (minilm := minilm_encoder(run)):
        predictors[MINILM] = FrozenHead(minilm, split, settings.seed)
    return predictors | ({PROMPTED: next_word} if next_word else {})
