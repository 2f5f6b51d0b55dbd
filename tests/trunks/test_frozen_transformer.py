"""Features of a frozen transformer: of the last token or the mean of all, each of one scale."""

import pytest
import torch
from helpers.language_trunks import bert_trunk

from caudex.trunks import GPT2_LAYOUT, FrozenTransformer, PaddedTokens, Transformer

TOKENS = torch.randint(0, 50, (6, 9), generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([9, 4, 1, 7, 2, 5])


@pytest.mark.parametrize("mean_pooling", [True, False])
def test_padding_changes_no_feature(mean_pooling):
    torch.manual_seed(0)
    trunk = bert_trunk() if mean_pooling else Transformer(50, 16, 24, 2, 3, **GPT2_LAYOUT).eval()
    frozen = FrozenTransformer(trunk, mean_pooling)
    features = frozen.encode(PaddedTokens(TOKENS, torch.zeros_like(TOKENS), LENGTHS))
    with torch.no_grad():
        for row, tokens, length in zip(features, TOKENS, LENGTHS):
            alone = trunk(tokens[None, :length]).layers["tokens"][0]
            torch.testing.assert_close(row, alone.mean(0) if mean_pooling else alone[-1], atol=1e-5, rtol=0)


def test_features_are_standardised_and_nothing_learns():
    frozen = FrozenTransformer(Transformer(50, 16, 24, 2, 3, **GPT2_LAYOUT)).train()
    assert not frozen.transformer.training and not any(p.requires_grad for p in frozen.parameters())
    features = torch.tensor([[1.0, 500.0, 7.0], [3.0, 100.0, 7.0]])
    frozen.mean, frozen.std = torch.zeros(3), torch.ones(3)
    frozen.set_statistics(features)
    assert frozen(features).pooled.tolist() == [[-1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]  # a constant is only centred
    assert frozen(torch.tensor([[2.0, 300.0, 9.0]])).pooled.tolist() == [[0.0, 0.0, 2.0]]
