"""Features of a frozen transformer: of the last token or the mean of all, each of one scale."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from helpers.language_trunks import bert_trunk
from torch.optim import AdamW

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.data import TextBatch
from caudex.signals import Labels
from caudex.trunks import (
    GPT2_LAYOUT,
    FrozenTransformer,
    PaddedActivations,
    PaddedTokens,
    Transformer,
    TunedBlocks,
)

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


@pytest.mark.parametrize("mean_pooling", [True, False])
def test_both_parts_together_are_the_transformer_and_only_the_second_learns(mean_pooling):
    torch.manual_seed(0)
    transformer = bert_trunk() if mean_pooling else Transformer(50, 16, 24, 2, 3, **GPT2_LAYOUT).eval()
    whole = FrozenTransformer(deepcopy(transformer), mean_pooling)
    original = FrozenTransformer(transformer, mean_pooling, tuned_blocks=1)
    trunk, texts = original.copy_tuned(), PaddedTokens(TOKENS, torch.zeros_like(TOKENS), LENGTHS)
    activations = PaddedActivations(trunk.encode(texts), LENGTHS)
    expected = whole(texts).pooled
    for x in (texts, activations):
        torch.testing.assert_close(trunk(x).pooled, expected, atol=1e-5, rtol=0)
    before = {name: weight.clone() for name, weight in original.state_dict().items()}
    learner = Learner(TunedBlocks(trunk), {"labels": Labels(2)}, partial(AdamW, lr=0.1))
    learner.step({"labels": TextBatch(activations, torch.tensor([0, 1] * 3), torch.arange(6))})
    assert all(torch.equal(before[name], weight) for name, weight in original.state_dict().items())
    changed = {
        name.split(".")[1] for name, weight in trunk.state_dict().items() if not torch.equal(before[name], weight)
    }
    assert changed == ({"blocks"} if mean_pooling else {"blocks", "norm"})
    assert trunk.transformer.token_embedding.weight is original.transformer.token_embedding.weight  # shared, not copied
    assert not torch.equal(trunk(texts).pooled, expected)
    assert {name.split(".")[0] for name in learner.trunk.state_dict()} == {"parts"}


def test_only_some_of_the_blocks_can_learn():
    with pytest.raises(CaudexError, match="--finetune 2: this trunk has 2 blocks; give fewer than these"):
        FrozenTransformer(bert_trunk(), tuned_blocks=2)
