"""A dictionary coder of text, as a baseline of language models."""

from __future__ import annotations

import lzma

import torch
from torch import Tensor

from caudex.data import TokenStream


def lzma_bits_per_byte(stream: TokenStream, windows: Tensor, max_tokens: int = 4_000_000) -> float:
    """Bits a byte that lzma needs for windows of tokens, int64 [N, T + 1], behind the last `max_tokens` of the stream."""
    tokenizer = stream.tokenizer
    positions = torch.arange(max(0, len(stream) - max_tokens), len(stream)).numpy()
    learned = tokenizer.decode(stream.tokens_at(positions)).encode(errors="replace")
    tested = "".join(tokenizer.decode(row[1:]) for row in windows.tolist()).encode(errors="replace")
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 28}]
    sizes = [len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters)) for text in (learned + tested, learned)]
    return 8 * (sizes[0] - sizes[1]) / max(1, len(tested))
