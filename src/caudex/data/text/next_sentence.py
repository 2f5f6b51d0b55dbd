"""A source over token streams: pairs of passages of which the second follows the first, or does not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import Source
from caudex.data.sampling import BatchSampler, check_batch_fits
from caudex.data.text.token_stream import TokenStream
from caudex.views import Draw


class NextSentenceBatch(NamedTuple):
    """The observation stands first."""

    tokens: Tensor  # int64 [B, length]: [CLS] A [SEP] B [SEP] [PAD] ...
    segments: Tensor  # int64 [B, length]: 1 for B and its [SEP], else 0
    lengths: Tensor  # int64 [B] without the padding
    is_random_next: Tensor  # bool [B]: B is from another document
    index: Tensor  # [B] which passage A is from


class NextSentenceBatches(Source):
    """Endless shuffled batches of `size` pairs for next-sentence prediction, padded to `length`.

    A passage of a document is cut in two at the end of a sentence; for one in two its rest is replaced by a passage of
    another document that is about as long, so that lengths tell nothing. A document of one sentence only is always
    paired with another, so that a little over half are random. A passage of a longer document in which no sentence
    ends is cut anywhere. In an epoch each passage comes once, and its limits move from epoch to epoch; a batch follows
    from (seed, epoch, index) alone. Unlike in the original, what a random passage replaces is not used up elsewhere,
    and none is shortened on purpose.
    Source: Devlin et al. 2019, section 3.1, task 2, and appendix A.2.
    """

    sample_unit = "tokens"

    def __init__(self, stream: TokenStream, size: int, length: int, seed: int = 0):
        tokenizer = stream.tokenizer
        self.cls, self.sep, self.pad = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id
        if None in (self.cls, self.sep, self.pad):
            raise CaudexError("pairs need a tokenizer with [CLS], [SEP] and [PAD]; take one of the kind wordpiece.")
        if length < 8:
            raise CaudexError(f"{length} tokens are too few for a pair and its three special tokens; give at least 8.")
        check_batch_fits(size, 8 * length)
        self.stream, self.length, self.seed = stream, length, seed
        self.max_tokens = length - 3  # of A and B together
        last_tokens = stream.tokens_at(stream.offsets[1:] - 1) if len(stream) else np.zeros(0, dtype=np.int64)
        lengths = stream.lengths - (last_tokens == tokenizer.eos_token_id)
        self.document_starts, self.document_lengths = stream.offsets[:-1][lengths > 0], lengths[lengths > 0]  # [D]
        if len(self.document_lengths) < 2:
            raise CaudexError(
                f"next-sentence pairs need two documents with text; this part of the texts has "
                f"{'one' if len(self.document_lengths) else 'none'}. Give more texts, a larger --held-out if it is the part that is "
                "tested on, or learn without pairs (--no-next-sentence)."
            )
        passages = -(-self.document_lengths // self.max_tokens)  # [D] of each document
        self.first_passages = np.concatenate([[0], np.cumsum(passages)])  # [D + 1] of each document
        self.sampler = BatchSampler(int(self.first_passages[-1]), size, seed)
        self.ends_sentence = tokenizer.ends_sentence

    def __next__(self) -> NextSentenceBatch:
        index, epochs = self.sampler.next()
        draw = Draw(self.seed, torch.from_numpy(epochs), torch.from_numpy(index))
        random_integers = draw.integers(1 << 62, 5)  # [B, 5]
        tokens = np.full((len(index), self.length), self.pad)
        segments, lengths, is_random_next = np.zeros_like(tokens), [], []
        for row, (passage, integers) in enumerate(zip(index.tolist(), random_integers.tolist())):
            first, second, is_random = self._sample_pair(passage, *integers)
            middle, end = len(first) + 2, len(first) + len(second) + 3
            tokens[row, :end] = np.concatenate([[self.cls], first, [self.sep], second, [self.sep]])
            segments[row, middle:end] = 1
            lengths.append(end)
            is_random_next.append(is_random)
        columns = (
            torch.from_numpy(tokens),
            torch.from_numpy(segments),
            torch.tensor(lengths),
            torch.tensor(is_random_next),
        )
        return NextSentenceBatch(*columns, torch.from_numpy(index))

    def _sample_pair(self, passage: int, shift: int, cut: int, coin: int, other: int, start: int):
        """A, B, and whether B is from another document; all but `passage` are random integers."""
        document = int(np.searchsorted(self.first_passages, passage, "right")) - 1
        nominal = (passage - int(self.first_passages[document])) * self.max_tokens
        nominal += shift % self.max_tokens - self.max_tokens // 2
        last = max(0, int(self.document_lengths[document]) - self.max_tokens)
        tokens = self._read_passage(document, min(max(nominal, 0), last))
        cuts = self._sentence_starts(tokens)
        if not len(cuts) and last:
            cuts = np.arange(1, len(tokens))
        if not len(cuts):  # a document of one sentence
            first = tokens[: self.max_tokens // 2]
            length = self.max_tokens - len(first)
        else:
            cut = int(cuts[cut % len(cuts)])
            first, length = tokens[:cut], len(tokens) - cut
            if coin % 2:
                return first, tokens[cut:], False
        other %= len(self.document_lengths) - 1
        other += other >= document
        start %= max(1, int(self.document_lengths[other]) - self.max_tokens + 1)
        return first, self._closest_span(self._read_passage(other, start), length, self.max_tokens - len(first)), True

    def _read_passage(self, document: int, start: int) -> np.ndarray:
        """int64 [T]: sentences of a document from about `start` on, as many as a pair has room for."""
        before = int(start > 0)  # to see whether a sentence begins right there
        end = min(int(self.document_lengths[document]), start + self.max_tokens)
        tokens = self.stream.tokens_at(self.document_starts[document] + np.arange(start - before, end))
        starts = self._sentence_starts(tokens)
        first = before
        if before and len(starts) and starts[0] <= len(tokens) // 2:
            first = int(starts[0])
        if end < self.document_lengths[document] and len(starts) and starts[-1] > (len(tokens) + first) // 2:
            return tokens[first : starts[-1]]
        return tokens[first:]

    def _closest_span(self, tokens: np.ndarray, length: int, max_length: int) -> np.ndarray:
        """The consecutive sentences whose length is closest to `length`, that of the rest which they replace."""
        boundaries = np.concatenate([[0], self._sentence_starts(tokens), [len(tokens)]])
        lengths = boundaries - boundaries[:, None]  # from each row's boundary to each column's
        fits = (lengths > 0) & (lengths <= max_length)
        distances = np.where(fits, np.abs(lengths - length), len(tokens) + length)
        start, end = divmod(int(distances.argmin()), len(boundaries))
        return tokens[boundaries[start] : boundaries[end]] if start < end else tokens[:length]

    def _sentence_starts(self, tokens: np.ndarray) -> np.ndarray:
        """int64: the positions, after the first, at which a sentence begins."""
        ends = self.ends_sentence[tokens]
        return 1 + np.flatnonzero(ends[:-1] & ~ends[1:])

    @property
    def samples_seen(self) -> int:
        """Tokens, padding included."""
        return self.sampler.samples_seen * self.length

    def state_dict(self) -> dict:
        return self.sampler.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.sampler.load_state_dict(state)
