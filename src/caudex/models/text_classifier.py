"""What training for classes of texts leaves: a trunk over tokens with a head of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data import LabelledTexts, Tokenizer, encode_texts, group_by_length, pad_sequences
from caudex.models.language_model import moved


class TextClassifier(nn.Module):
    """Texts to probabilities [N, K], by the head of the signal `head`."""

    def __init__(self, learner: Learner, spec: TextSpec, head: str = "labels"):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.head = head
        self.classes, self.tokenizer = spec.classes, Tokenizer.from_config(spec.tokenizer)

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str], second: Sequence[str] | None = None, batch: int = 64) -> Tensor:
        """[N, K]; of a text that is longer than the context the beginning counts."""
        self.eval()
        rows, found = (
            encode_texts(self.tokenizer, texts, second, self.trunk.context),
            torch.empty(len(texts), len(self.classes)),
        )
        for part in group_by_length(rows, batch):
            sequences = moved(pad_sequences([rows[i] for i in part]), self.trunk.token_embedding.weight.device)
            found[part] = self.signals[self.head].logits(self.trunk, sequences).softmax(1).cpu()
        return found

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """(class, confidence) for each text."""
        confidence, number = self.probabilities(texts).max(1)
        return [(self.classes[k], c) for k, c in zip(number.tolist(), confidence.tolist())]

    def accuracy(self, texts: LabelledTexts) -> float:
        return (self.probabilities(texts.texts, texts.text_pairs).argmax(1) == texts.labels).double().mean().item()
