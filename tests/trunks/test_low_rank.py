"""LoRA: what is frozen stays, has no gradient and is in no checkpoint; what learns is small."""

import pytest
import torch

from caudex.core.compute import count_flops
from caudex.trunks import GPT2_LAYOUT, AdapterPlace, LowRankTrunk, Transformer

TOKENS = torch.tensor([[1, 2, 3, 4]])
QUERIES = AdapterPlace("q", "blocks.0.attention.qkv_proj", (0, 8))
VALUES = AdapterPlace("v", "blocks.1.attention.qkv_proj", (16, 24))


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return Transformer(10, 8, 8, 2, 2, **GPT2_LAYOUT).eval()


def test_it_begins_as_the_trunk_and_only_the_named_rows_change(trunk):
    before, weights = trunk(TOKENS), {name: p.clone() for name, p in trunk.named_parameters()}
    adapted = LowRankTrunk(trunk, [QUERIES, VALUES], rank=2, alpha=8)
    assert torch.equal(adapted(TOKENS).layers["tokens"], before.layers["tokens"])
    with torch.no_grad():
        for adapter in adapted.adapters:
            adapter.b.normal_()
    changed = adapted(TOKENS).layers["tokens"]
    torch.testing.assert_close(adapted.merge()(TOKENS).layers["tokens"], changed)
    a, b = adapted.adapters[1].a, adapted.adapters[1].b
    for name, weight in trunk.named_parameters():
        expected = weights[name].clone()
        if name == "blocks.1.attention.qkv_proj.weight":
            expected[16:24] += 4 * b @ a  # alpha / rank
        if name == "blocks.0.attention.qkv_proj.weight":
            expected[0:8] += 4 * adapted.adapters[0].b @ adapted.adapters[0].a
        torch.testing.assert_close(weight, expected)


def test_only_the_adapters_learn_and_are_kept(trunk):
    adapted = LowRankTrunk(trunk, [QUERIES, VALUES], rank=2, alpha=2)
    adapted(TOKENS).layers["tokens"].square().sum().backward()
    assert all(p.grad is None for p in trunk.parameters())
    assert adapted.adapters[0].b.grad is not None
    assert sorted(adapted.state_dict()) == ["adapters.0.a", "adapters.0.b", "adapters.1.a", "adapters.1.b"]
    assert sum(p.numel() for p in adapted.parameters()) == 2 * 2 * (8 + 8)


def test_operations_without_gradients_of_frozen_weights_are_a_third_fewer(trunk):
    adapted, frozen = LowRankTrunk(trunk, [QUERIES], rank=1, alpha=1), trunk.flops((4,))
    with count_flops(adapted) as with_gradients:
        adapted(TOKENS)
    with torch.no_grad(), count_flops(adapted) as without:
        adapted(TOKENS)
    adapters = 2 * 4 * (8 + 8)
    assert without.flops == frozen + adapters
    assert with_gradients.flops == pytest.approx(2 * frozen + 3 * adapters)


def test_it_follows_the_precision_of_its_adapters(trunk):
    adapted = LowRankTrunk(trunk, [QUERIES], rank=1, alpha=1).double()
    assert adapted(TOKENS).layers["tokens"].dtype == adapted.token_embedding.weight.dtype == torch.float64
