"""Encode once: texts through a frozen language model, into the cache of features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.placement import to_device
from caudex.core.progress import ProgressBar
from caudex.data import LabelledTexts, Tokenizer, encode_texts, pad_sequences
from caudex.data.feature_cache import DIGEST, FeatureCache, digest_example, missing_chunks, open_cache
from caudex.data.text.prompts import encode_prompts
from caudex.data.text.text_batches import EncodedText
from caudex.models.language_model import LanguageModel
from caudex.trunks import FrozenTransformer

CHUNK = 32
"""texts that are encoded at once"""
FORMAT = 1
"""of what is kept; another makes another cache"""


class TextEncoder(nn.Module):
    """Features [B, W] of texts by a frozen language model: of the last token of a `prompt` around the text; without one, the mean of all
    tokens'. `max_tokens` are seen of a text with its prompt; default: the trunk's context."""

    def __init__(self, model: LanguageModel, prompt: str | None = None, max_tokens: int | None = None):
        super().__init__()
        self.trunk = FrozenTransformer(model.trunk, mean_pooling=prompt is None).to(model.device)
        self.tokenizer, self.config, self.prompt = model.tokenizer, model.trunk_config, prompt
        self.max_tokens = min(max_tokens or self.trunk.context, self.trunk.context)

    @property
    def device(self) -> torch.device:
        return self.trunk.mean.device

    @cached_property
    def cache(self) -> FeatureCache:
        """Of float32: what is small against its own mean would be lost in float16."""
        description = repr((FORMAT, sorted(self.config.items()), self.trunk.mean_pooling))
        return open_cache(description, self.trunk.transformer, (self.trunk.width,), torch.float32)

    def encode(self, texts: LabelledTexts) -> Tensor:
        """float32 [N, W]; what was encoded before, by the same weights, is read from the cache. Raises CaudexError where the prompt
        leaves no room for a text, or the disk is full."""
        encoded_texts = tokenize(self.tokenizer, texts.texts, texts.text_pairs, self.prompt, self.max_tokens)
        digests = np.array([digest_example(repr(text).encode()) for text in encoded_texts], DIGEST)
        missing = np.flatnonzero(self.cache.find(digests) < 0)
        by_length = missing[np.argsort([len(encoded_texts[i][0]) for i in missing], kind="stable")]
        with ProgressBar("encoding texts", len(missing)) as progress:
            for chunk in missing_chunks(self.cache, digests, by_length, CHUNK):
                if len(chunk):
                    batch = to_device(pad_sequences([encoded_texts[i] for i in chunk]), self.device)
                    self.cache.append(digests[chunk], self.trunk.encode(batch).cpu())
                progress.advance(CHUNK)
        return self.cache.open(self.cache.find(digests)).fetch(torch.arange(len(texts)))


def tokenize(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    prompt: str | None,
    max_tokens: int,
) -> list[EncodedText]:
    """The tokens of each text, or pair of texts, in the prompt if there is one; at most `max_tokens` of each."""
    if prompt is None:
        return encode_texts(tokenizer, texts, text_pairs, max_tokens)
    return encode_prompts(tokenizer, prompt, texts, text_pairs, max_tokens)
