"""Encode once: texts through a frozen language model, into the cache of features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.placement import to_device
from caudex.core.progress import ProgressBar
from caudex.data import LabelledTexts, Tokenizer, encode_texts, pad_sequences
from caudex.data.feature_cache import DIGEST, FeatureCache, StoredFeatures, digest_example, missing_chunks, open_cache
from caudex.data.text.prompts import encode_prompts
from caudex.data.text.text_batches import EncodedText
from caudex.models.language_model import LanguageModel
from caudex.trunks import FrozenTransformer

LENGTH_STEP = 32
"""tokens by which the length of kept activations grows"""
CHUNK = 32
"""texts that are encoded at once"""
FORMAT = 1
"""of what is kept; another makes another cache"""


class TextEncoder(nn.Module):
    """Features of texts by a frozen language model: of the last token of a `prompt` around the text; without one, the mean of all
    tokens'. `max_tokens` are seen of a text with its prompt; default: the trunk's context."""

    def __init__(
        self, model: LanguageModel, prompt: str | None = None, max_tokens: int | None = None, tuned_blocks: int = 0
    ):
        super().__init__()
        self.trunk = FrozenTransformer(model.trunk, prompt is None, tuned_blocks).to(model.device)
        self.tokenizer, self.config, self.prompt = model.tokenizer, model.trunk_config, prompt
        self.max_tokens = min(max_tokens or self.trunk.context, self.trunk.context)

    @property
    def device(self) -> torch.device:
        return self.trunk.mean.device

    def encode(self, texts: LabelledTexts) -> Tensor:
        """float32 [N, W]; what was encoded before, by the same weights, is read from the cache. Raises CaudexError where the prompt
        leaves no room for a text, or the disk is full."""
        tokens = tokenize(self.tokenizer, texts.texts, texts.text_pairs, self.prompt, self.max_tokens)
        return encode_once(self.trunk, tokens, self.features_cache).fetch(torch.arange(len(texts)))

    @cached_property
    def features_cache(self) -> FeatureCache:
        """Of float32: what is small against its own mean would be lost in float16."""
        description = repr((FORMAT, sorted(self.config.items()), self.trunk.mean_pooling))
        return open_cache(description, self.trunk.transformer, (self.trunk.width,), torch.float32)

    def encode_activations(self, texts: LabelledTexts) -> list[tuple[Tensor]]:
        """What the blocks that can learn are given: of each text float16 [T, W], mapped from disk. Raises as `encode`."""
        tokens = tokenize(self.tokenizer, texts.texts, texts.text_pairs, self.prompt, self.max_tokens)
        longest = max(len(ids) for ids, _ in tokens)
        shape = (LENGTH_STEP * math.ceil(longest / LENGTH_STEP), self.trunk.width)
        description = repr((FORMAT, sorted(self.config.items()), self.trunk.num_frozen, shape))
        features = encode_once(self.trunk, tokens, open_cache(description, self.trunk.transformer, shape))
        return [(features.values[row, : len(ids)],) for row, (ids, _) in zip(features.index.tolist(), tokens)]


def encode_once(trunk: FrozenTransformer, texts: Sequence[EncodedText], cache: FeatureCache) -> StoredFeatures:
    """What `trunk.encode` makes of texts, from the cache as far as it stands there; padded to the cache's length."""
    digests = np.array([digest_example(repr(text).encode()) for text in texts], DIGEST)
    missing = np.flatnonzero(cache.find(digests) < 0)
    by_length = missing[np.argsort([len(texts[i][0]) for i in missing], kind="stable")]
    with ProgressBar("encoding texts", len(missing)) as progress:
        for chunk in missing_chunks(cache, digests, by_length, CHUNK):
            if len(chunk):
                features = trunk.encode(to_device(pad_sequences([texts[i] for i in chunk]), trunk.mean.device)).cpu()
                if features.ndim == 3:
                    features = F.pad(features, (0, 0, 0, cache.shape[0] - features.shape[1]))
                cache.append(digests[chunk], features)
            progress.advance(CHUNK)
    return cache.open(cache.find(digests))


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
