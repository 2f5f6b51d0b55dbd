"""Windows of a stream: each token at most once an epoch, resumed exactly."""

import numpy as np
import pytest
import torch
from helpers.comparison import tensors_equal
from helpers.texts import numbered_stream, sentence_stream
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.data.text.next_sentence import NextSentenceBatches
from caudex.data.text.token_windows import TokenBatches, evaluation_windows


@given(some.integers(1, 6), some.integers(0, 60), some.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_an_epoch_predicts_each_token_at_most_once(length, more, seed):
    stream = numbered_stream(np.array([length + 1 + more]), end=length + 1 + more)
    source = TokenBatches(stream, 1, length, seed)
    count = len(stream) // length
    for _ in range(2):
        batches = [next(source) for _ in range(count)]
        predicted = torch.cat([batch.targets.flatten() for batch in batches])
        assert len(predicted.unique()) == len(predicted) == count * length > len(stream) - length
        for batch in batches:
            positions = (batch.index[:, None] + torch.arange(length + 1)) % len(stream)
            assert torch.equal(batch.tokens - 1, positions[:, :-1])
            assert torch.equal(batch.targets - 1, positions[:, 1:])
    assert source.samples_seen == 2 * count * length


def test_the_windows_of_another_epoch_begin_elsewhere():
    source = TokenBatches(numbered_stream(np.array([1000])), 10, 100)
    first, second = (next(source).index % 100 for _ in range(2))
    assert len(first.unique()) == len(second.unique()) == 1 and first[0] != second[0]


def make_source(kind, seed=5):
    if kind == "windows":
        return TokenBatches(numbered_stream(np.array([50, 60, 70])), 4, 8, seed)
    return NextSentenceBatches(sentence_stream(20), 4, 32, seed)


@pytest.mark.parametrize("kind", ["windows", "pairs"])
@given(some.integers(0, 20), some.integers(0, 20))
@settings(max_examples=15, deadline=None)
def test_a_source_goes_on_exactly_where_it_was(kind, before, ahead):
    source, again = make_source(kind), make_source(kind)
    for _ in range(before):
        next(source)
    state = source.state_dict()
    assert state == {"samples_seen": 4 * before}
    for _ in range(ahead):
        next(again)
    again.load_state_dict(state)
    assert all(tensors_equal(next(source), next(again)) for _ in range(4))
    assert not tensors_equal(next(make_source(kind)), next(make_source(kind, seed=6)))


@pytest.mark.parametrize("kind", ["windows", "pairs"])
def test_processes_share_a_batch_out(kind, monkeypatch):
    whole_batch, parts = next(make_source(kind)), []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(next(make_source(kind)))
    assert all(torch.equal(torch.cat(columns), column) for columns, column in zip(zip(*parts), whole_batch))


def test_evaluation_windows_are_spread_and_do_not_overlap():
    stream = numbered_stream(np.array([1001]), end=1001)
    assert evaluation_windows(stream, 10, 3)[:, 0].tolist() == [1, 491, 991]
    every = evaluation_windows(stream, 10, 1_000)
    assert every.shape == (100, 11) and torch.equal(every[:, 1:].flatten(), torch.arange(2, 1002))
