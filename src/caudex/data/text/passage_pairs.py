"""A source over token streams: pairs of passages of which the second follows the first, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.sampling import Shuffle, must_fit
from caudex.data.text.token_stream import Stream
from caudex.views import Draw


class PairBatch(NamedTuple):
    """The observation stands first."""

    tokens: Tensor  # int64 [B, length]: [CLS] A [SEP] B [SEP] [PAD] ...
    segments: Tensor  # int64 [B, length]: 1 for B and its [SEP], else 0
    lengths: Tensor  # int64 [B] without the padding
    random: Tensor  # bool [B]: B is from another document
    index: Tensor  # [B] which passage A is from


class PairBatches:
    """Endless shuffled batches of `size` pairs for next-sentence prediction, padded to `length`.

    A passage of a document is cut in two at the end of a sentence; for one in two its rest is replaced by a passage of
    another document that is about as long, so that lengths tell nothing. A document of one sentence only is always
    paired with another, so that a little over half are random. A passage of a longer document in which no sentence
    ends is cut anywhere. In an epoch each passage comes once, and its limits move from epoch to epoch; a batch follows
    from (seed, epoch, index) alone. Unlike in the original, what a random passage replaces is not used up elsewhere,
    and none is shortened on purpose.
    Source: Devlin et al. 2019, section 3.1, task 2, and appendix A.2.
    """

    def __init__(self, stream: Stream, size: int, length: int, seed: int = 0):
        tokenizer = stream.tokenizer
        self.cls, self.sep, self.pad = tokenizer.cls, tokenizer.sep, tokenizer.pad
        if None in (self.cls, self.sep, self.pad):
            raise CaudexError("pairs need a tokenizer with [CLS], [SEP] and [PAD]; take one of the kind wordpiece.")
        if length < 8:
            raise CaudexError(f"{length} tokens are too few for a pair and its three special tokens; give at least 8.")
        must_fit(size, 8 * length)
        self.stream, self.length, self.seed = stream, length, seed
        self.most = length - 3  # tokens of A and B together
        closed = stream.at(stream.offsets[1:] - 1) == tokenizer.end if len(stream) else np.zeros(0, dtype=bool)
        bodies = stream.lengths - closed
        self.begins, self.bodies = stream.offsets[:-1][bodies > 0], bodies[bodies > 0]  # [D]
        if len(self.bodies) < 2:
            raise CaudexError(
                f"next-sentence pairs need two documents, but there is {len(self.bodies)}; give more, or learn without "
                "them (--no-next-sentence)."
            )
        self.firsts = np.concatenate([[0], np.cumsum(-(-self.bodies // self.most))])  # [D + 1] passages before each
        self.passages = Shuffle(int(self.firsts[-1]), size, seed)
        self.ends_sentence = tokenizer.ends_sentence

    def __iter__(self) -> Iterator[PairBatch]:
        return self

    def __next__(self) -> PairBatch:
        index, epochs = self.passages.next()
        draw = Draw(self.seed, torch.from_numpy(epochs), torch.from_numpy(index))
        words = draw.integers(1 << 62, 5)  # [B, 5]
        tokens = np.full((len(index), self.length), self.pad)
        segments, lengths, random = np.zeros_like(tokens), [], []
        for row, (passage, drawn) in enumerate(zip(index.tolist(), words.tolist())):
            one, other, from_elsewhere = self._pair(passage, *drawn)
            middle, end = len(one) + 2, len(one) + len(other) + 3
            tokens[row, :end] = np.concatenate([[self.cls], one, [self.sep], other, [self.sep]])
            segments[row, middle:end] = 1
            lengths.append(end)
            random.append(from_elsewhere)
        parts = torch.from_numpy(tokens), torch.from_numpy(segments), torch.tensor(lengths), torch.tensor(random)
        return PairBatch(*parts, torch.from_numpy(index))

    def _pair(self, passage: int, shift: int, place: int, coin: int, which: int, where: int):
        """A, B, and whether B is from another document; the five numbers are random."""
        document = int(np.searchsorted(self.firsts, passage, "right")) - 1
        nominal = (passage - int(self.firsts[document])) * self.most + shift % self.most - self.most // 2
        last = max(0, int(self.bodies[document]) - self.most)
        tokens = self._passage(document, min(max(nominal, 0), last))
        cuts = self._sentences(tokens)
        if not len(cuts) and last:
            cuts = np.arange(1, len(tokens))
        if not len(cuts):  # a document of one sentence
            one, rest = tokens[: self.most // 2], self.most - len(tokens[: self.most // 2])
        else:
            cut = int(cuts[place % len(cuts)])
            one, rest = tokens[:cut], len(tokens) - cut
            if coin % 2:
                return one, tokens[cut:], False
        another = which % (len(self.bodies) - 1)
        another += another >= document
        begin = where % max(1, int(self.bodies[another]) - self.most + 1)
        return one, self._run(self._passage(another, begin), rest, self.most - len(one)), True

    def _passage(self, document: int, begin: int) -> np.ndarray:
        """int64 [T]: sentences of a document from about `begin` on, as many as a pair has room for."""
        before = int(begin > 0)  # to see whether a sentence begins right there
        end = min(int(self.bodies[document]), begin + self.most)
        tokens = self.stream.at(self.begins[document] + np.arange(begin - before, end))
        starts = self._sentences(tokens)
        first = before
        if before and len(starts) and starts[0] <= len(tokens) // 2:
            first = int(starts[0])
        if end < self.bodies[document] and len(starts) and starts[-1] > (len(tokens) + first) // 2:
            return tokens[first : starts[-1]]
        return tokens[first:]

    def _run(self, tokens: np.ndarray, wanted: int, most: int) -> np.ndarray:
        """Those sentences in a row whose length is nearest to `wanted`, so that it is as in the rest they replace."""
        marks = np.concatenate([[0], self._sentences(tokens), [len(tokens)]])
        lengths = marks - marks[:, None]  # from each row's mark to each column's
        off = np.where((lengths > 0) & (lengths <= most), np.abs(lengths - wanted), len(tokens) + wanted)
        one, other = divmod(int(off.argmin()), len(marks))
        return tokens[marks[one] : marks[other]] if one < other else tokens[:wanted]

    def _sentences(self, tokens: np.ndarray) -> np.ndarray:
        """int64: the places, after the first, at which a sentence begins."""
        ends = self.ends_sentence[tokens]
        return 1 + np.flatnonzero(ends[:-1] & ~ends[1:])

    @property
    def samples_seen(self) -> int:
        """Tokens that were seen, padding included."""
        return self.passages.drawn * self.length

    def state_dict(self) -> dict:
        return {"drawn": self.passages.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.passages.drawn = state["drawn"]
