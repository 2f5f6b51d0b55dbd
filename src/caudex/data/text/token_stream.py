"""Token streams: all documents one after the other as numbers on disk, mapped into memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from caudex.core.errors import CaudexError
from caudex.data.text.build_stream import build_stream, read_meta, source_fingerprint
from caudex.data.text.documents import Documents
from caudex.data.text.tokenizers import Tokenizer

MIN_DOCUMENTS = 10
"""to hold out complete ones; of fewer, the end of each is held out"""


def open_token_stream(documents: Documents, tokenizer: Tokenizer, folder: str | Path, workers: int = 1) -> TokenStream:
    """The stream of these documents in `folder`: as it lies there, or built, in so many processes.

    A build that was killed goes on with what is missing, to the same bytes. One of other documents, of files that have
    changed since, or of another tokenizer is replaced; where that must not be, `TokenStream.load` refuses it. Several
    processes may ask for the same stream: one builds it. Each document ends with the tokenizer's `eos_token_id`. Raises
    CaudexError as reading the documents does, and for a tokenizer that has no such token.
    """
    build_stream(documents, tokenizer, Path(folder), workers)
    return TokenStream.load(folder, tokenizer)


@dataclass(frozen=True, eq=False)
class TokenStream:
    """`tokens[starts[i]:ends[i]]` is document i with its end; len() is the number of tokens of all documents.

    `meta` says what it was built from: format, fingerprint of the tokenizer, files, counts, bytes replaced.
    """

    tokens: np.ndarray  # uint16 or uint32, mapped from disk
    starts: np.ndarray  # int64 [D]
    ends: np.ndarray  # int64 [D]
    tokenizer: Tokenizer
    meta: dict = field(default_factory=dict)

    @classmethod
    def load(
        cls, folder: str | Path, tokenizer: Tokenizer | None = None, documents: Documents | None = None
    ) -> TokenStream:
        """The stream that was built there. CaudexError if there is none, if it is incomplete, or if it was built with
        another tokenizer or from other documents than those given, or these have changed since."""
        folder = Path(folder)
        meta = read_meta(folder)
        if meta is None:
            raise CaudexError(f"{folder} has no finished stream of tokens; build it from the texts again.")
        saved_tokenizer = Tokenizer.load(folder)
        if (tokenizer or saved_tokenizer).fingerprint != meta["tokenizer"]:
            raise CaudexError(
                f"{folder} was built with another tokenizer; build it again, or use the {saved_tokenizer.vocab_size:,} tokens of "
                f"{folder / 'tokenizer.json'}."
            )
        if documents is not None and source_fingerprint(documents, saved_tokenizer) != meta["source_fingerprint"]:
            raise CaudexError(
                f"{documents.root} is not what {folder} was built from: {meta['source_fingerprint']['files']:,} files of "
                f"{meta['source_fingerprint']['bytes']:,} bytes in all, since changed or replaced. Build it again."
            )
        try:
            tokens = np.memmap(folder / "tokens.bin", dtype=meta["dtype"], mode="r")
            starts = np.load(folder / "starts.npy", mmap_mode="r")
            complete = len(tokens) == meta["tokens"] and len(starts) == meta["documents"]
        except (OSError, ValueError):
            complete = False
        if not complete:
            raise CaudexError(f"{folder} is not whole; remove it and build it again.")
        return cls(tokens, starts, np.append(starts[1:], len(tokens)), tokenizer or saved_tokenizer, meta)

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
    def _contiguous_runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Documents that are adjacent on disk count as one run: the offset of each run, and the shift from there to its
        position on disk."""
        is_first = np.append(True, self.starts[1:] != self.ends[:-1])
        offsets = self.offsets[:-1][is_first]
        return offsets, self.starts[is_first] - offsets

    def tokens_at(self, positions: np.ndarray) -> np.ndarray:
        """int64, shaped as `positions`: the tokens at these positions, from 0 to len() - 1, of this stream."""
        offsets, shifts = self._contiguous_runs
        if len(offsets) == 1:
            return self.tokens[positions + shifts[0]].astype(np.int64)
        return self.tokens[positions + shifts[np.searchsorted(offsets, positions, "right") - 1]].astype(np.int64)

    def document(self, i: int) -> np.ndarray:
        """int64 [T]"""
        return self.tokens[self.starts[i] : self.ends[i]].astype(np.int64)

    def split(self, held_out: float = 0.1, window: int = 1) -> tuple[TokenStream, TokenStream]:
        """(training, validation), which gets about the share `held_out` of the tokens: always the same documents, spread
        evenly. With fewer than ten documents, or one that is most of it, the end of each instead, so that one book is
        enough. Both parts are longer than a `window`; else a CaudexError."""
        if not 0 < held_out < 1:
            raise CaudexError(f"{held_out} of the text cannot be held out; give a share between 0 and 1.")
        is_held_out = self._held_out_documents(held_out)
        if is_held_out is not None:
            masks = (~is_held_out, is_held_out)
            parts = tuple(replace(self, starts=self.starts[mask], ends=self.ends[mask]) for mask in masks)
        else:
            smallest = (window + 1 + len(self.starts)) / len(self)  # each document's share is rounded down
            parts = self._split_documents((self.lengths * (1 - min(1.0, max(held_out, smallest)))).astype(np.int64))
        if min(map(len, parts)) <= window:
            raise CaudexError(
                f"{len(self):,} tokens are too few: training and validation each need more than the {window:,} of a "
                f"window, and {held_out:.0%} is held out. Give more text or a shorter context."
            )
        return parts

    def _held_out_documents(self, share: float) -> np.ndarray | None:
        """bool [D]; None where complete documents cannot give about the share."""
        if len(self.starts) < MIN_DOCUMENTS:
            return None
        target, half_document = share * len(self), len(self) / len(self.starts) / 2
        is_held_out, held_out_tokens = np.zeros(len(self.starts), dtype=bool), 0
        for i, (length, tokens_up_to) in enumerate(zip(self.lengths.tolist(), self.offsets[1:].tolist())):
            if share * tokens_up_to - held_out_tokens >= half_document and length <= target:
                is_held_out[i] = True
                held_out_tokens += length
        return is_held_out if target / 2 <= held_out_tokens <= target * 2 else None

    def _split_documents(self, lengths: np.ndarray) -> tuple[TokenStream, TokenStream]:
        """The first `lengths` [D] tokens of all documents, and the others."""
        cuts = self.starts + lengths
        has_first, has_rest = self.starts < cuts, cuts < self.ends
        return (
            replace(self, starts=self.starts[has_first], ends=cuts[has_first]),
            replace(self, starts=cuts[has_rest], ends=self.ends[has_rest]),
        )
