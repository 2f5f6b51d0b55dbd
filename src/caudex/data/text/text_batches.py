"""Labelled texts as batches of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from caudex.core.source import Source
from caudex.data.sampling import BatchSampler, check_batch_fits
from caudex.data.text.tokenizers import Tokenizer
from caudex.trunks import PaddedActivations, PaddedTokens

EncodedText = tuple[list[int], list[int]]  # tokens, and to which of two texts each belongs


class TextBatch(NamedTuple):
    """The observation stands first."""

    texts: PaddedTokens | PaddedActivations
    labels: Tensor  # class numbers [B]
    index: Tensor  # [B] the position of each in its dataset
    weights: Tensor | None = None  # [B]
    columns: dict[str, Tensor] = {}  # noqa: RUF012 - further labels by name; never mutated


class TextBatches(Source):
    """Endless shuffled batches of `size` texts, with labels [N]. `pad` makes one observation of several texts."""

    def __init__(
        self,
        texts: Sequence[EncodedText] | Sequence[tuple[Tensor]],
        labels: Tensor,
        size: int,
        seed: int = 0,
        pad: Callable[[Sequence], PaddedTokens | PaddedActivations] | None = None,
    ):
        check_batch_fits(size, 8 * max((len(text[0]) for text in texts), default=0))
        self.texts, self.labels, self.sampler = texts, labels, BatchSampler(len(texts), size, seed)
        self.pad = pad or pad_sequences

    def __next__(self) -> TextBatch:
        index = torch.from_numpy(self.sampler.next()[0])
        return TextBatch(self.pad([self.texts[i] for i in index.tolist()]), self.labels[index], index)

    @property
    def samples_seen(self) -> int:
        return self.sampler.samples_seen

    def state_dict(self) -> dict:
        return self.sampler.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.sampler.load_state_dict(state)


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], text_pairs: Sequence[str] | None, max_length: int
) -> list[EncodedText]:
    """Tokens of each text, or pair of texts, as the tokenizer's models expect them: [CLS] A [SEP] B [SEP] where there
    are such tokens, else A END B END, or the texts alone. What is too long is truncated at its end, the longer of two first."""
    prefix = [] if tokenizer.cls_token_id is None else [tokenizer.cls_token_id]
    end = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    suffix = [] if end is None else [end]
    columns = [tokenizer.encode_batch(list(column), False) for column in (texts, text_pairs) if column is not None]
    encoded_texts = []
    for first, *second in zip(*columns):
        room = max_length - len(prefix) - len(columns) * len(suffix)
        if second:
            half = max(room // 2, room - len(second[0]))
            first = first[: max(half, 1)]
            second = [second[0][: room - len(first)]]
        tokens = [*prefix, *first[:room], *suffix]
        segments = [0] * len(tokens)
        for ids in second:
            tokens += [*ids, *suffix]
            segments += [1] * (len(ids) + len(suffix))
        encoded_texts.append((tokens, segments))
    return encoded_texts


def group_by_length(texts: Sequence[tuple], batch_size: int) -> Iterator[list[int]]:
    """Batches of indices of texts, whose tokens stand first; those of similar length together, for little padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i][0]))
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


def pad_sequences(texts: Sequence[EncodedText], pad: int = 0) -> PaddedTokens:
    """Texts of different lengths as one batch, padded on the right."""
    lengths = torch.tensor([len(tokens) for tokens, _ in texts])
    tokens, segments = (torch.full((len(texts), int(lengths.max())), fill) for fill in (pad, 0))
    for i, (ids, marks) in enumerate(texts):
        tokens[i, : len(ids)], segments[i, : len(marks)] = torch.tensor(ids), torch.tensor(marks)
    return PaddedTokens(tokens, segments, lengths)


def pad_activations(texts: Sequence[tuple[Tensor]]) -> PaddedActivations:
    """Activations [T, W] of texts of different lengths as one batch of float32, padded on the right."""
    lengths = torch.tensor([len(values) for (values,) in texts])
    return PaddedActivations(pad_sequence([values.float() for (values,) in texts], batch_first=True), lengths)
