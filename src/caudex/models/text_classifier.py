"""A trained classifier of texts: a trunk over tokens with a `labels` head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data import LabelledTexts, Tokenizer
from caudex.models.classifier import Classifier
from caudex.models.language_model import map_batches
from caudex.models.text_features import tokenize
from caudex.trunks import PaddedTokens


class TextClassifier(Classifier):
    """Texts to probabilities [N, K], by the head of the signal `head`."""

    def __init__(self, learner: Learner, spec: TextSpec, head: str = "labels"):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.head = head
        self.classes, self.tokenizer = spec.classes, Tokenizer.from_config(spec.tokenizer)
        self.prompt, self.max_tokens = spec.prompt, spec.max_tokens or self.trunk.context

    @torch.inference_mode()
    def probabilities(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, batch_size: int = 64
    ) -> Tensor:
        """[N, K]; texts longer than the context are truncated."""
        self.eval()
        encoded_texts = tokenize(self.tokenizer, texts, text_pairs, self.prompt, self.max_tokens)

        def classify_batch(batch: PaddedTokens) -> Tensor:
            return self.signals[self.head].logits(self.trunk, batch).softmax(1)

        return map_batches(classify_batch, encoded_texts, len(self.classes), batch_size, next(self.parameters()).device)

    def predict_labels(self, texts: LabelledTexts) -> Tensor:
        """int64 [N]: the likeliest class of each."""
        return self.probabilities(texts.texts, texts.text_pairs).argmax(1)

    def accuracy(self, texts: LabelledTexts) -> float:
        return (self.predict_labels(texts) == texts.labels).double().mean().item()
