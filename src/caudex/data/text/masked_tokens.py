"""Batches of texts with some tokens masked, for BERT's two signals: both see the same view, so it is made here."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import SourceWrapper
from caudex.data.text.next_sentence import NextSentenceBatches
from caudex.data.text.token_windows import TokenBatches
from caudex.data.text.tokenizers import Tokenizer
from caudex.trunks import PaddedTokens
from caudex.views import Draw, mask_tokens


class MaskedTokenBatch(NamedTuple):
    """The observation stands first."""

    texts: PaddedTokens  # with some tokens masked
    targets: Tensor  # int64 [B, T]: the original of each masked token, -1 for all others
    is_random_next: Tensor  # bool [B]: the second passage is from another document
    index: Tensor  # [B]


class MaskedTokenBatches(SourceWrapper):
    """The batches of a source of sentence pairs, or of running text, with other tokens masked each time.

    `whole_word_masking`: the subwords of a word are masked together.
    """

    def __init__(
        self,
        source: NextSentenceBatches | TokenBatches,
        tokenizer: Tokenizer,
        seed: int,
        whole_word_masking: bool = False,
    ):
        needed = {"[CLS]": tokenizer.cls_token_id, "[SEP]": tokenizer.sep_token_id, "[MASK]": tokenizer.mask_token_id}
        for name, token_id in needed.items():
            if token_id is None:
                raise CaudexError(f"the tokenizer has no {name}, which bert needs; take one of the kind wordpiece.")
        super().__init__(source)
        self.tokenizer, self.seed = tokenizer, seed
        self.is_special = torch.zeros(tokenizer.vocab_size, dtype=torch.bool)
        self.is_special[list(tokenizer.special_token_ids)] = True
        self.is_continuation = torch.from_numpy(tokenizer.is_continuation) if whole_word_masking else None

    def __next__(self) -> MaskedTokenBatch:
        examples_seen, batch = self.source.state_dict()["samples_seen"], next(self.source)
        if isinstance(self.source, TokenBatches):
            texts = add_special_tokens(batch.tokens, self.tokenizer)
            is_random_next = torch.zeros(len(batch.tokens), dtype=torch.bool)
        else:
            texts, is_random_next = PaddedTokens(batch.tokens, batch.segments, batch.lengths), batch.is_random_next
        mask = self.tokenizer.mask_token_id
        draw = Draw(self.seed, examples_seen, batch.index)
        tokens, targets = mask_tokens(texts.tokens, draw, mask, self.is_special, self.is_continuation)
        return MaskedTokenBatch(texts._replace(tokens=tokens), targets, is_random_next, batch.index)


def add_special_tokens(tokens: Tensor, tokenizer: Tokenizer) -> PaddedTokens:
    """Running text int64 [B, T] between [CLS] and [SEP]."""
    ids = tokenizer.cls_token_id, tokenizer.sep_token_id
    first, last = (torch.full((len(tokens), 1), token_id) for token_id in ids)
    return PaddedTokens(torch.cat([first, tokens, last], 1))
