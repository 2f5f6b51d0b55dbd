"""Token streams: all documents one after the other as numbers on disk, mapped into memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from caudex.core.errors import CaudexError
from caudex.data.text.build_stream import build, made_from, read_meta
from caudex.data.text.documents import Documents
from caudex.data.text.tokenizers import Tokenizer

FEW = 10
"""documents; of fewer the end of the text is held out, not whole ones"""


def open_stream(documents: Documents, tokenizer: Tokenizer, folder: str | Path, workers: int = 1) -> Stream:
    """The stream of these documents in `folder`: as it lies there, or built, in so many processes.

    A build that was killed goes on with what is missing, to the same bytes. One of other documents, of files that have
    changed since, or of another tokenizer is replaced; where that must not be, `Stream.load` refuses it. Several
    processes may ask for the same stream: one builds it. Each document ends with the tokenizer's `end`. Raises
    CaudexError as reading the documents does, and for a tokenizer that has no such token.
    """
    build(documents, tokenizer, Path(folder), workers)
    return Stream.load(folder, tokenizer)


@dataclass(frozen=True, eq=False)
class Stream:
    """`tokens[starts[i]:ends[i]]` is document i with its end; len() is the number of tokens of all documents.

    `meta` says what it was built from: format, fingerprint of the tokenizer, files, counts, bytes replaced.
    """

    tokens: np.ndarray  # uint16 or uint32, mapped from disk
    starts: np.ndarray  # int64 [D]
    ends: np.ndarray  # int64 [D]
    tokenizer: Tokenizer
    meta: dict = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | Path, tokenizer: Tokenizer | None = None, documents: Documents | None = None) -> Stream:
        """The stream that was built there. CaudexError if there is none, if it is not whole, or if it was built with
        another tokenizer or from other documents than those given, or these have changed since."""
        folder = Path(folder)
        meta = read_meta(folder)
        if meta is None:
            raise CaudexError(f"{folder} has no finished stream of tokens; build it from the texts again.")
        known = Tokenizer.load(folder)
        if (tokenizer or known).fingerprint != meta["tokenizer"]:
            raise CaudexError(
                f"{folder} was built with another tokenizer; build it again, or use the {known.size:,} tokens of "
                f"{folder / 'tokenizer.json'}."
            )
        if documents is not None and made_from(documents, known) != meta["made_from"]:
            raise CaudexError(
                f"{documents.root} is not what {folder} was built from: {meta['made_from']['files']:,} files of "
                f"{meta['made_from']['bytes']:,} bytes in all, since changed or replaced. Build it again."
            )
        try:
            tokens = np.memmap(folder / "tokens.bin", dtype=meta["dtype"], mode="r")
            starts = np.load(folder / "starts.npy", mmap_mode="r")
            whole = len(tokens) == meta["tokens"] and len(starts) == meta["documents"]
        except (OSError, ValueError):
            whole = False
        if not whole:
            raise CaudexError(f"{folder} is not whole; remove it and build it again.")
        return cls(tokens, starts, np.append(starts[1:], len(tokens)), tokenizer or known, meta)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [D]"""
        return self.ends - self.starts

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 [D + 1]: where each document begins among the tokens of this stream, which may be a part."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @cached_property
    def _runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Documents that lie one after the other on disk as one: where each run begins here, and how far from there
        it lies on disk."""
        first = np.append(True, self.starts[1:] != self.ends[:-1])
        offsets = self.offsets[:-1][first]
        return offsets, self.starts[first] - offsets

    def at(self, places: np.ndarray) -> np.ndarray:
        """int64, shaped as `places`: the tokens at these places, from 0 to len() - 1, of this stream."""
        offsets, shifts = self._runs
        if len(offsets) == 1:
            return self.tokens[places + shifts[0]].astype(np.int64)
        return self.tokens[places + shifts[np.searchsorted(offsets, places, "right") - 1]].astype(np.int64)

    def document(self, i: int) -> np.ndarray:
        """int64 [T]"""
        return self.tokens[self.starts[i] : self.ends[i]].astype(np.int64)

    def split(self, held_out: float = 0.1, window: int = 1) -> tuple[Stream, Stream]:
        """What to train on, and about that share of the tokens for validation: always the same whole documents, spread
        evenly. With fewer than ten documents, or one that is most of it, the end of each instead, so that a book
        alone will do. Both parts are longer than a `window`; else a CaudexError."""
        if not 0 < held_out < 1:
            raise CaudexError(f"{held_out} of the text cannot be held out; give a share between 0 and 1.")
        mask = self._spread(held_out)
        if mask is not None:
            parts = tuple(replace(self, starts=self.starts[part], ends=self.ends[part]) for part in (~mask, mask))
        else:
            needed = (window + 1 + len(self.starts)) / len(self)  # each document's share is rounded down
            parts = self._cut((self.lengths * (1 - min(1.0, max(held_out, needed)))).astype(np.int64))
        if min(map(len, parts)) <= window:
            raise CaudexError(
                f"{len(self):,} tokens are too few: training and validation each need more than the {window:,} of a "
                f"window, and {held_out:.0%} is held out. Give more text or a shorter context."
            )
        return parts

    def _spread(self, share: float) -> np.ndarray | None:
        """bool [D], true for the held out; None where whole documents cannot give about the share."""
        if len(self.starts) < FEW:
            return None
        most, enough = share * len(self), len(self) / len(self.starts) / 2
        mask, held = np.zeros(len(self.starts), dtype=bool), 0
        for i, (length, seen) in enumerate(zip(self.lengths.tolist(), self.offsets[1:].tolist())):
            if share * seen - held >= enough and length <= most:
                mask[i] = True
                held += length
        return mask if most / 2 <= held <= most * 2 else None

    def _cut(self, at: np.ndarray) -> tuple[Stream, Stream]:
        """The beginnings of all documents, as long as `at` [D] says, and their ends."""
        cuts = self.starts + at
        begun, left = self.starts < cuts, cuts < self.ends
        return (
            replace(self, starts=self.starts[begun], ends=cuts[begun]),
            replace(self, starts=cuts[left], ends=self.ends[left]),
        )
