"""Tokens are drawn from the likeliest ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.models.sampling import MANY_CANDIDATES, sample_tokens


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.05, 1), st.floats(0.2, 3))
def test_only_the_likeliest_tokens_are_drawn(seed, top_p, temperature):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 20, generator=generator)
    tokens = sample_tokens(logits, temperature, top_p, generator)
    shares = (logits / temperature).softmax(1)
    likelier = torch.where(shares > shares.gather(1, tokens[:, None]), shares, 0.0).sum(1)
    assert (likelier < top_p + 1e-6).all()
    assert torch.equal(sample_tokens(logits, 0, top_p, generator), logits.argmax(1))


def test_top_k_draws_from_k_tokens_by_their_probabilities():
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().expand(20_000, 4)
    tokens = sample_tokens(logits, 1.0, 1.0, torch.Generator().manual_seed(0), top_k=2)
    shares = torch.bincount(tokens, minlength=4) / len(tokens)
    assert shares.tolist() == pytest.approx([0, 4 / 7, 0, 3 / 7], abs=0.02)
    # of these two the likelier has 4/7 > 0.5 alone
    assert (sample_tokens(logits[:50], 1.0, 0.5, torch.Generator().manual_seed(0), top_k=2) == 1).all()
    assert sample_tokens(logits[:1], 1.0, 1.0, torch.Generator().manual_seed(0), top_k=99).item() < 4


@pytest.mark.parametrize("spread", [0.01, 5.0])  # too even for the candidates that are looked at first, and not
def test_a_large_vocabulary_gives_the_tokens_that_a_full_sort_gives(spread):
    logits = spread * torch.randn(1, 20 * MANY_CANDIDATES, generator=torch.Generator().manual_seed(1))
    for seed in range(20):
        token = sample_tokens(logits, 1.0, 0.9, torch.Generator().manual_seed(seed))
        probabilities, order = logits.softmax(1).sort(dim=1, descending=True)
        probabilities[probabilities.cumsum(1) - probabilities >= 0.9] = 0
        drawn = probabilities.multinomial(1, generator=torch.Generator().manual_seed(seed))
        assert token.item() == order[0, drawn.item()].item()
