"""A trained classifier of texts: a trunk over tokens with a `labels` head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data import LabelledTexts, Tokenizer, encode_texts
from caudex.models.classifier import Classifier
from caudex.models.language_model import map_batches
from caudex.trunks import PaddedTokens


class TextClassifier(Classifier):
    """Texts to probabilities [N, K], by the head of the signal `head`."""

    def __init__(self, learner: Learner, spec: TextSpec, head: str = "labels"):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.head = head
        self.classes, self.tokenizer = spec.classes, Tokenizer.from_config(spec.tokenizer)

    @torch.inference_mode()
    def probabilities(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, batch_size: int = 64
    ) -> Tensor:
        """[N, K]; texts longer than the context are truncated."""
        self.eval()
        encoded_texts = encode_texts(self.tokenizer, texts, text_pairs, self.trunk.context)

        def classify_batch(batch: PaddedTokens) -> Tensor:
            return self.signals[self.head].logits(self.trunk, batch).softmax(1)

        return map_batches(classify_batch, encoded_texts, len(self.classes), batch_size, next(self.parameters()).device)

    def accuracy(self, texts: LabelledTexts) -> float:
        return (self.probabilities(texts.texts, texts.text_pairs).argmax(1) == texts.labels).double().mean().item()
