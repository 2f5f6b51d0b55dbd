"""Texts with some tokens hidden, for BERT's two signals: they see the same view, so it is made here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.text.passage_pairs import PairBatches
from caudex.data.text.token_windows import TokenBatches
from caudex.data.text.tokenizers import Tokenizer
from caudex.trunks import Sequences
from caudex.views import Draw, hide


class HiddenBatch(NamedTuple):
    """The observation stands first."""

    texts: Sequences  # with some tokens hidden
    targets: Tensor  # int64 [B, T]: what was hidden, -1 at all other places
    random: Tensor  # bool [B]: the second passage is from another document
    index: Tensor  # [B]


class HiddenBatches:
    """The batches of a source of pairs of passages, or of running text, with tokens hidden anew each time.

    `whole_words`: the pieces of a word are hidden together.
    """

    def __init__(self, source: PairBatches | TokenBatches, tokenizer: Tokenizer, seed: int, whole_words: bool = False):
        known = {"[CLS]": tokenizer.cls, "[SEP]": tokenizer.sep, "[MASK]": tokenizer.mask}
        for name, number in known.items():
            if number is None:
                raise CaudexError(f"the tokenizer has no {name}, which bert needs; take one of the kind wordpiece.")
        self.source, self.tokenizer, self.seed = source, tokenizer, seed
        self.special = torch.zeros(tokenizer.size, dtype=torch.bool)
        specials = (tokenizer.cls, tokenizer.sep, tokenizer.mask, tokenizer.pad, tokenizer.unknown, tokenizer.end)
        self.special[[number for number in specials if number is not None]] = True
        self.continues = torch.from_numpy(tokenizer.continues) if whole_words else None

    def __iter__(self) -> Iterator[HiddenBatch]:
        return self

    def __next__(self) -> HiddenBatch:
        before, batch = self.source.state_dict()["drawn"], next(self.source)
        if isinstance(self.source, TokenBatches):
            texts = whole(batch.tokens, self.tokenizer)
            random = torch.zeros(len(batch.tokens), dtype=torch.bool)
        else:
            texts, random = Sequences(batch.tokens, batch.segments, batch.lengths), batch.random
        draw = Draw(self.seed, before, batch.index)
        hidden, targets = hide(
            texts.tokens, draw, self.tokenizer.mask, self.tokenizer.size, self.special, self.continues
        )
        return HiddenBatch(texts._replace(tokens=hidden), targets, random, batch.index)

    @property
    def samples_seen(self) -> int:
        return self.source.samples_seen

    def state_dict(self) -> dict:
        return self.source.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.source.load_state_dict(state)


def whole(tokens: Tensor, tokenizer: Tokenizer) -> Sequences:
    """Running text int64 [B, T] between [CLS] and [SEP]."""
    first, last = (torch.full((len(tokens), 1), number) for number in (tokenizer.cls, tokenizer.sep))
    return Sequences(torch.cat([first, tokens, last], 1))
