"""Random numbers by seed, epoch and index."""

import math

import pytest
import torch
from helpers.images import make_draw, smooth_images

from caudex.views import (  # fmt: skip
    Draw,
    RandAugment,
)


def chi_square(cells, expected):
    return ((cells - expected) ** 2 / expected).sum().item()


def test_uniform_numbers_fill_their_range_evenly():
    numbers = make_draw(64).uniform(5_000, low=-2.0, high=3.0)
    assert numbers.dtype == torch.float32 and numbers.shape == (64, 5_000)
    assert numbers.min() >= -2 and numbers.max() < 3
    cells = torch.histc(numbers, 100, -2, 3)
    assert chi_square(cells, 3_200) < 99 + 5 * math.sqrt(2 * 99)  # mean 99, deviation sqrt(198)


def test_integers_are_even_and_a_chance_is_kept():
    integers = make_draw(1_000).integers(7, 50)
    assert integers.dtype == torch.int64
    cells = torch.bincount(integers.flatten(), minlength=7)
    assert len(cells) == 7 and chi_square(cells, 50_000 / 7) < 6 + 5 * math.sqrt(12)
    assert make_draw(40_000).bernoulli(0.3).float().mean().item() == pytest.approx(0.3, abs=0.012)  # five deviations
    assert not make_draw(1_000).bernoulli(0.0).any() and make_draw(1_000).bernoulli(1.0).all()


def test_normal_numbers_have_the_moments_of_the_normal():
    numbers = make_draw(50).normal(3, 33, 41)
    assert numbers.shape == (50, 3, 33, 41) and numbers.isfinite().all()
    moments = [numbers.double().pow(k).mean().item() for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.06)
    halves = numbers.flatten(1)[:, :4058].view(50, 2, -1).transpose(0, 1).flatten(1)  # sines and cosines of one pair
    assert abs(torch.corrcoef(halves)[0, 1]) < 0.02 and abs(torch.corrcoef(halves**2)[0, 1]) < 0.02


@pytest.mark.parametrize("kind", ["calls", "indices", "epochs", "seeds", "places", "parts"])
def test_neighbours_are_independent(kind):
    one = make_draw(4_000)
    if kind == "calls":
        first, second = one.uniform(4), one.uniform(4)
    elif kind == "indices":
        first, second = make_draw(4_001).uniform(4)[:-1], make_draw(4_001).uniform(4)[1:]
    elif kind == "epochs":
        first, second = one.uniform(4), make_draw(4_000, epoch=1).uniform(4)
    elif kind == "seeds":
        first, second = one.uniform(4), make_draw(4_000, seed=1).uniform(4)
    elif kind == "places":
        first, second = one.uniform(8).view(-1, 2, 4).unbind(1)
    else:
        first, second = one.child(slice(None)).uniform(4), one.uniform(4)
    pairs = torch.stack([first.flatten(), second.flatten()])
    assert abs(torch.corrcoef(pairs)[0, 1]) < 5 / math.sqrt(16_000)
    cells = torch.bincount((pairs[0] * 10).long() * 10 + (pairs[1] * 10).long(), minlength=100)
    assert chi_square(cells, 160) < 99 + 5 * math.sqrt(2 * 99)


def test_a_draw_hangs_on_seed_epoch_and_index_only():
    index = torch.tensor([7, 3, 1_000_000, 3])
    numbers = Draw(5, 2, index).uniform(3)
    assert torch.equal(numbers[1], numbers[3])
    assert torch.equal(numbers[2:3], Draw(5, 2, torch.tensor([1_000_000])).uniform(3))
    assert torch.equal(numbers, Draw(5, torch.tensor([2, 2, 2, 2]), index).uniform(3))
    assert not torch.equal(numbers, Draw(5, 3, index).uniform(3))
    rows = torch.tensor([2, 0])
    assert torch.equal(Draw(5, 2, index).child(rows).normal(5), Draw(5, 2, index[rows]).child(slice(None)).normal(5))
    assert Draw(2**70 - 3, -1, index).integers(10).shape == (4,)


def test_no_global_generator_is_touched():
    before = torch.get_rng_state()
    RandAugment(num_ops=3)(smooth_images(), make_draw())
    assert torch.equal(before, torch.get_rng_state())
