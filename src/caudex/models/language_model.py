"""The base of language models: a trunk over tokens, its tokenizer, the features of texts, and export to the hub's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.placement import to_device
from caudex.core.specs import TextSpec
from caudex.data import Tokenizer, encode_texts, group_by_length, pad_sequences
from caudex.data.text.text_batches import EncodedText
from caudex.models.hf_export import write_hf_folder
from caudex.trunks import PaddedTokens, mean_pooling


class LanguageModel(nn.Module):
    """Texts to features. Uses the averaged weights where the learner has them."""

    def __init__(self, learner: Learner, spec: TextSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.tokenizer, self.trunk_config, self.spec = Tokenizer.from_config(spec.tokenizer), spec.trunk, spec

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def count_tokens(self, text: str) -> int:
        return len(self.tokenizer.encode(text, parse_special=False))

    def export(self, folder: Path) -> list[Path]:
        """As a folder of a public GPT-2, BERT or Llama, which transformers opens.

        Raises CaudexError for rotary positions in GPT-2's layout, which it lacks."""
        if self.trunk.position_embedding is None and not self.trunk_config.get("rms_norm"):
            raise CaudexError("a public folder of GPT-2 has learned places; train with --no-rotary to export.")
        return write_hf_folder(self, folder)

    @torch.inference_mode()
    def mean_features(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, batch_size: int = 64
    ) -> Tensor:
        """[N, W]: of each text, or pair of texts, the mean of its tokens' features; texts longer than the context are
        truncated."""
        encoded_texts = encode_texts(self.tokenizer, texts, text_pairs, self.trunk.context)

        def encode_batch(batch: PaddedTokens) -> Tensor:
            return mean_pooling(self.trunk(batch).layers["tokens"], batch.lengths)

        return map_batches(encode_batch, encoded_texts, self.trunk.width, batch_size, self.device)

    def require_signal(self, name: str, purpose: str) -> None:
        """Raises CaudexError where the model was not trained with this signal."""
        if name not in self.signals:
            trained = ", ".join(self.signals) or "no signal"
            raise CaudexError(f"this model cannot {purpose}: it learned {trained}, and that takes {name}.")


def map_batches(
    function: Callable[[PaddedTokens], Tensor],
    texts: Sequence[EncodedText],
    width: int,
    batch_size: int,
    device: torch.device,
) -> Tensor:
    """[N, width]: `function` of padded batches, in which texts of similar length are together."""
    outputs = torch.empty(len(texts), width)
    for rows in group_by_length(texts, batch_size):
        outputs[rows] = function(to_device(pad_sequences([texts[i] for i in rows]), device)).cpu()
    return outputs
