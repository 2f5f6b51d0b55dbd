"""Labelled texts as batches of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.data.sampling import Shuffle, must_fit
from caudex.data.text.tokenizers import Tokenizer
from caudex.trunks import Sequences

Row = tuple[list[int], list[int]]  # tokens, and to which of two texts each belongs


class TextBatch(NamedTuple):
    """The observation stands first."""

    texts: Sequences
    labels: Tensor  # class numbers [B]
    index: Tensor  # [B] where each stands in its set
    weights: Tensor | None = None  # [B]
    columns: dict[str, Tensor] = {}  # noqa: RUF012 - further labels by name; never mutated


class TextBatches:
    """Endless shuffled batches of `size` rows, with labels [N]."""

    def __init__(self, rows: Sequence[Row], labels: Tensor, size: int, seed: int = 0):
        must_fit(size, 8 * max((len(tokens) for tokens, _ in rows), default=0))
        self.rows, self.labels, self.shuffle = rows, labels, Shuffle(len(rows), size, seed)

    def __iter__(self) -> Iterator[TextBatch]:
        return self

    def __next__(self) -> TextBatch:
        index = torch.from_numpy(self.shuffle.next()[0])
        return TextBatch(padded([self.rows[i] for i in index.tolist()]), self.labels[index], index)

    @property
    def samples_seen(self) -> int:
        return self.shuffle.drawn

    def state_dict(self) -> dict:
        return {"drawn": self.shuffle.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.shuffle.drawn = state["drawn"]


def encoded(tokenizer: Tokenizer, texts: Sequence[str], second: Sequence[str] | None, context: int) -> list[Row]:
    """Tokens of each text, or pair of texts, as the tokenizer's models expect them: [CLS] A [SEP] B [SEP] where there
    are such tokens, else A END B END. Of what is too long the end goes, of the longer of two first."""
    before = [] if tokenizer.cls is None else [tokenizer.cls]
    behind = tokenizer.end if tokenizer.sep is None else tokenizer.sep
    parts, rows = [tokenizer.encode_many(list(each), False) for each in (texts, second) if each is not None], []
    for one, *other in zip(*parts):
        room = context - len(before) - len(parts)
        if other:
            half = max(room // 2, room - len(other[0]))
            one = one[: max(half, 1)]
            other = [other[0][: room - len(one)]]
        tokens = [*before, *one[:room], behind]
        marks = [0] * len(tokens)
        for each in other:
            tokens += [*each, behind]
            marks += [1] * (len(each) + 1)
        rows.append((tokens, marks))
    return rows


def by_length(rows: Sequence[tuple], batch: int) -> Iterator[list[int]]:
    """Places of rows whose tokens stand first, so many at a time, those of the same length side by side: little is
    filled up."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    return (order[begin : begin + batch] for begin in range(0, len(order), batch))


def padded(rows: Sequence[Row], pad: int = 0) -> Sequences:
    """Rows of different lengths as one batch, filled up on the right."""
    lengths = torch.tensor([len(tokens) for tokens, _ in rows])
    tokens, segments = (torch.full((len(rows), int(lengths.max())), fill) for fill in (pad, 0))
    for i, (numbers, marks) in enumerate(rows):
        tokens[i, : len(numbers)], segments[i, : len(marks)] = torch.tensor(numbers), torch.tensor(marks)
    return Sequences(tokens, segments, lengths)
