"""Tokens through a transformer: what each may see, how weights begin, and the same figures with a memory as without."""

import math

import pytest
import torch
from helpers.language_trunks import bert_trunk
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from caudex.core.compute import count_flops
from caudex.core.errors import CaudexError
from caudex.signals import MaskedToken, NextSentence, NextToken
from caudex.trunks import BERT_LAYOUT, GPT2_LAYOUT, MLP, PaddedTokens, Transformer
from caudex.trunks.layers import RMSNorm
from caudex.trunks.rotary import apply_rotary, rotary_angles


def gpt_trunk(**settings) -> Transformer:
    return Transformer(50, 16, 24, 2, 3, **GPT2_LAYOUT, **settings).eval()


@pytest.mark.parametrize("rotary", [False, True])
def test_a_token_sees_those_before_it_alone(rotary):
    trunk, tokens = gpt_trunk(rotary=rotary), torch.randint(0, 50, (2, 9))
    other = tokens.clone()
    other[:, 6:] = (other[:, 6:] + 1) % 50
    one, two = (trunk(each).layers["tokens"] for each in (tokens, other))
    torch.testing.assert_close(one[:, :6], two[:, :6])
    assert (one[:, 6:] - two[:, 6:]).abs().amin(-1).min() >= 0
    assert not torch.allclose(one[:, 6:], two[:, 6:])


def test_both_sides_are_seen_but_not_what_fills_up():
    trunk, tokens = bert_trunk(), torch.randint(0, 50, (2, 9))
    lengths = torch.tensor([9, 5])
    other = tokens.clone()
    other[1, 5:] = 0
    one, two = (trunk(PaddedTokens(each, None, lengths)) for each in (tokens, other))
    torch.testing.assert_close(one.pooled, two.pooled)
    torch.testing.assert_close(one.layers["tokens"][1, :5], two.layers["tokens"][1, :5])
    torch.testing.assert_close(trunk(tokens[1:, :5]).pooled, one.pooled[1:])
    last = tokens.clone()
    last[0, 8] = (last[0, 8] + 1) % 50
    assert not torch.allclose(trunk(last).pooled[0], trunk(tokens).pooled[0])


def test_the_last_token_stands_for_a_text_where_each_sees_those_before_it():
    trunk, tokens = gpt_trunk(), torch.randint(0, 50, (2, 9))
    features = trunk(PaddedTokens(tokens, None, torch.tensor([9, 4])))
    assert torch.equal(features.pooled[1], features.layers["tokens"][1, 3])
    torch.testing.assert_close(trunk(tokens[1:, :4]).pooled, features.pooled[1:])


@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(1, 15), min_size=1, max_size=5), rotary=st.booleans())
def test_a_kv_cache_gives_what_the_whole_text_gives(cuts, rotary):
    trunk, tokens = gpt_trunk(rotary=rotary), torch.randint(0, 50, (2, 16))
    state, parts = trunk.initial_state(2), []
    for begin, end in zip([0, *sorted(set(cuts))], [*sorted(set(cuts)), 16]):
        parts.append(trunk(tokens[:, begin:end], state).layers["tokens"])
    assert state.length == 16
    torch.testing.assert_close(torch.cat(parts, 1), trunk(tokens).layers["tokens"], atol=1e-5, rtol=1e-4)
    with pytest.raises(CaudexError, match=r"17 tokens are more than this trunk can see at once \(16\)"):
        trunk(tokens[:, :1], state)


def test_weights_begin_as_published():
    depth, width = 8, 128
    trunk = Transformer(500, 64, width, depth, 4, **GPT2_LAYOUT)
    block = trunk.blocks[3]
    spread = {"words": trunk.token_embedding, "inner": block.attention.qkv_proj, "up": block.up_proj}
    for name, layer in spread.items():
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.03), name
    assert trunk.position_embedding.weight.std().item() == pytest.approx(0.01, rel=0.03)
    for last in (block.attention.out_proj, block.down_proj):
        assert last.weight.std().item() == pytest.approx(0.02 / math.sqrt(2 * depth), rel=0.03)
        assert last.bias.abs().max() == 0
    assert Transformer(500, 64, width, depth, 4, **BERT_LAYOUT).blocks[
        3
    ].down_proj.weight.std().item() == pytest.approx(0.02, rel=0.03)


def test_turning_keeps_lengths_and_makes_products_hang_on_distance_alone():
    query, key = torch.randn(8).expand(12, 8), torch.randn(8).expand(12, 8)
    cos, sin = rotary_angles(0, 15, 8, query.device)
    turned, other = (apply_rotary(x, cos[:12], sin[:12]) for x in (query, key))
    torch.testing.assert_close(turned.norm(dim=1), query.norm(dim=1))
    products = turned @ other.T
    for distance in range(-5, 6):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand_as(line))
    torch.testing.assert_close(apply_rotary(query, cos[3:], sin[3:])[:9], turned[3:])


def test_turning_has_the_bits_of_the_textbook_form_and_so_have_its_gradients():
    x, gradient = torch.randn(2, 5, 3, 8).transpose(1, 2).requires_grad_(), torch.randn(2, 3, 5, 8)
    cos, sin = rotary_angles(7, 5, 8, x.device)
    a, b = x.split(4, -1)
    halves = torch.cat([a * cos[:, :4] - b * sin[:, 4:], a * sin[:, 4:] + b * cos[:, :4]], -1)
    turned = apply_rotary(x, cos, sin)
    assert torch.equal(turned, halves)
    assert torch.equal(*(torch.autograd.grad(y, x, gradient)[0] for y in (turned, halves)))


@pytest.mark.parametrize("shape", [(1, 1, 576), (3, 5, 64), (2, 4, 7, 32)])
def test_rms_norm_without_gradient_has_the_bits_of_torchs(shape):
    norm = RMSNorm(shape[-1], eps=1e-5)
    nn.init.normal_(norm.weight)
    x = 5 * torch.randn(shape).transpose(0, 1)
    with torch.no_grad():
        assert torch.equal(norm(x), nn.RMSNorm.forward(norm, x))
        half = norm.bfloat16()(x.bfloat16())
        assert half.dtype == torch.bfloat16


@pytest.mark.parametrize("trunk", [gpt_trunk(), bert_trunk()], ids=["gpt", "bert"])
def test_flops_are_counted_as_the_trunk_computes_them(trunk):
    with torch.no_grad(), count_flops(trunk) as counter:
        trunk(torch.randint(0, 50, (3, 10)))
    assert counter.flops == 3 * trunk.flops((10,))


def test_the_tied_head_is_counted_and_is_no_second_table():
    trunk, signal = gpt_trunk(), NextToken()
    signal.build(trunk)
    assert not list(signal.parameters())
    with torch.no_grad(), count_flops(signal) as counter:
        scores = signal.logits(trunk, torch.ones(2, 3, 24))
    torch.testing.assert_close(scores[0, 0], trunk.token_embedding.weight.sum(1))
    assert counter.flops == 2 * 2 * 3 * 24 * 50


def test_the_trivial_loss_is_that_of_chance_or_of_word_frequencies():
    trunk = gpt_trunk()
    for signal, level in [(NextToken(), math.log(50)), (NextToken(2.5), 2.5), (MaskedToken(), math.log(50))]:
        signal.build(trunk)
        assert signal.chance_loss() == pytest.approx(level)
    assert NextSentence().chance_loss() == pytest.approx(math.log(2))
    with pytest.raises(CaudexError, match="MLP takes no tokens"):
        NextToken().build(MLP(3))


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(CaudexError, match="a width of 25 cannot be shared out among 3 heads"):
        Transformer(50, 16, 25, 2, 3)
    with pytest.raises(CaudexError, match="among 3 heads; choose a multiple of 6"):
        Transformer(50, 16, 27, 2, 3, rotary=True)
