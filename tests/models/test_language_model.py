"""Tokens are drawn from the likeliest ones."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.models.causal_lm import sample_tokens


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
