"""Log-likelihoods: what is shared is computed once, and changes no figure."""

import pytest
import torch
from helpers.language_models import make_causal_lm, plain_log_likelihood
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.models import likelihood
from caudex.models.likelihood import (
    batch_by_tokens,
    common_prefix_length,
    continuation_log_likelihoods,
    prefix_cache,
    repeat_cache,
)


@settings(max_examples=25, deadline=None)
@given(
    prefix=some.lists(some.integers(0, 99), min_size=1, max_size=20),
    endings=some.lists(some.lists(some.integers(0, 99), min_size=1, max_size=12), min_size=1, max_size=6),
    backs=some.lists(some.integers(1, 12), min_size=6, max_size=6),
    max_tokens=some.integers(1, 80),
)
def test_a_cached_prefix_changes_no_log_likelihood(prefix, endings, backs, max_tokens):
    model = make_causal_lm()
    sequences = [
        (tokens, max(1, len(tokens) - back)) for tokens, back in zip(([*prefix, *ending] for ending in endings), backs)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "MAX_BATCH_TOKENS", max_tokens)
        patch.setattr(likelihood, "MAX_LOGIT_ROWS", 3)
        values = continuation_log_likelihoods(model, sequences)
    assert values.tolist() == pytest.approx([plain_log_likelihood(model, *row) for row in sequences], abs=1e-4)


def test_sequences_that_differ_in_their_last_token_are_one_pass():
    model, batches = make_causal_lm(), []
    model.trunk.register_forward_pre_hook(lambda module, inputs: batches.append(tuple(inputs[0].shape)))
    continuation_log_likelihoods(model, [([1, 2, 3, 4, 7], 4), ([1, 2, 3, 4, 8], 4), ([1, 2, 3, 5, 9, 8], 4)])
    assert batches == [(1, 3), (2, 2)]  # the prefix 1 2 3, then 4 and 5 9


def test_a_cache_for_several_texts_leaves_the_one_it_comes_from_alone():
    model = make_causal_lm()
    with torch.no_grad():
        cache = prefix_cache(model, [1, 2, 3])
        before = [tensor[:, :, :3].clone() for pair in cache.tensors for tensor in pair]
        model.trunk(torch.tensor([[4, 5], [6, 7]]), repeat_cache(cache, 2, 2))
    assert cache.length == 3
    after = [tensor[:, :, :3] for pair in cache.tensors for tensor in pair]
    assert all(torch.equal(*pair) for pair in zip(before, after))


def test_batches_hold_no_more_tokens_than_they_may(monkeypatch):
    monkeypatch.setattr(likelihood, "MAX_BATCH_TOKENS", 10)
    texts = [(0,) * length for length in (5, 1, 12, 4, 2)]
    assert [[len(text) for text in batch] for batch in batch_by_tokens(texts)] == [[1, 2], [4, 5], [12]]


@pytest.mark.parametrize(
    ("sequences", "length"), [([], 0), ([[1, 2]], 2), ([[1, 2, 3], [1, 2], [1, 2, 4]], 2), ([[1], [2]], 0)]
)
def test_what_sequences_begin_with_alike(sequences, length):
    assert common_prefix_length(sequences) == length
