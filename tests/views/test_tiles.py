"""Tiles keep to their cells, tell nothing of their neighbours' brightness, and are shuffled into orders far apart."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.views import Draw, cut_tiles, distant_permutations, normalise_tiles, permute_tiles


def random_images(batch=3, channels=3, height=12, width=12):
    images = torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))
    return (images * 255).round().to(torch.uint8)


def distances(orders):
    """Hamming distances of all pairs, [count * (count - 1) / 2]."""
    first, second = torch.triu_indices(len(orders), len(orders), 1)
    return (orders[first] != orders[second]).sum(1)


# ------------------------------------------------------------------------------------------------ tiles


@given(some.data())
@settings(max_examples=40, deadline=None)
def test_a_tile_is_the_pixels_at_its_corner(data):
    grid, side = data.draw(some.integers(1, 4)), data.draw(some.integers(1, 4))
    height, width = (data.draw(some.integers(grid * side, grid * side + 9)) for _ in range(2))
    room = torch.tensor([height // grid, width // grid]) - side
    corners = (torch.rand(2, grid * grid, 2) * (room + 1)).long()
    images = random_images(2, data.draw(some.sampled_from([1, 3])), height, width)
    if data.draw(some.booleans()):
        images = images.double() / 3
    cut = cut_tiles(images, grid, corners, side)
    assert cut.dtype == images.dtype
    assert cut.shape == (2, grid * grid, images.shape[1], side, side)
    for image, piece in itertools.product(range(2), range(grid * grid)):
        row = piece // grid * (height // grid) + int(corners[image, piece, 0])
        column = piece % grid * (width // grid) + int(corners[image, piece, 1])
        assert torch.equal(cut[image, piece], images[image, :, row : row + side, column : column + side])


def test_tiles_never_leave_their_cell_and_use_all_of_it():
    cells = torch.arange(9).view(3, 3).repeat_interleave(10, 0).repeat_interleave(10, 1)  # each pixel names its cell
    rows = torch.arange(30).view(30, 1).expand(30, 30)
    images = torch.stack([cells, rows, rows.T]).expand(400, -1, -1, -1)
    cut = cut_tiles(images, 3, Draw(0, 0, torch.arange(400)).integers(10 - 7 + 1, 9, 2), 7)
    assert torch.equal(cut[:, :, 0], torch.arange(9).view(1, 9, 1, 1).expand(400, 9, 7, 7))
    for place in (cut[:, :, 1], cut[:, :, 2]):
        assert set((place % 10).flatten().tolist()) == set(range(10))


def test_without_corners_tiles_stand_in_the_middle():
    image = torch.arange(12 * 12.0).view(1, 1, 12, 12)
    cut = cut_tiles(image, 2, None, 2)
    assert torch.equal(cut[0, :, 0, 0, 0], torch.stack([image[0, 0, r, c] for r in (2, 8) for c in (2, 8)]))
    assert torch.equal(cut_tiles(image, 1, None, 12)[:, 0], image)
    # a whole division: the tiles make up the image again
    rows = cut_tiles(image, 3, None, 4).view(3, 3, 4, 4)
    assert torch.equal(rows.transpose(1, 2).reshape(12, 12), image[0, 0])


def test_an_empty_batch_has_no_tiles():
    assert cut_tiles(random_images(0), 3, None, 2).shape == (0, 9, 3, 2, 2)


# ------------------------------------------------------------------------------------------------ one tile on its own


def test_each_tile_has_mean_zero_and_std_one():
    cut = normalise_tiles(cut_tiles(random_images(), 3, None, 4))
    assert cut.dtype == torch.float32
    assert cut.mean((3, 4)).abs().max() < 1e-5
    assert_close(cut.square().mean((3, 4)), torch.ones(3, 9, 3), atol=1e-4, rtol=0)


@given(some.floats(0.05, 3), some.floats(-1, 1), some.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_brightness_and_contrast_of_a_tile_tell_nothing(contrast, brightness, seed):
    cut = torch.rand(2, 4, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    changed = cut.clone()
    changed[:, 1] = changed[:, 1] * contrast + brightness
    assert_close(normalise_tiles(changed), normalise_tiles(cut), atol=1e-3, rtol=0)


def test_a_flat_tile_becomes_zeros():
    cut = torch.rand(1, 2, 3, 6, 6)
    cut[:, 0] = torch.tensor([0.3, 1 / 3, 1.0])[:, None, None]
    normalised_tiles = normalise_tiles(cut)
    assert torch.equal(normalised_tiles[:, 0], torch.zeros(1, 3, 6, 6)) and normalised_tiles[:, 1].abs().max() > 1
    assert torch.equal(normalise_tiles(torch.full((1, 1, 3, 4, 4), 77, dtype=torch.uint8)), torch.zeros(1, 1, 3, 4, 4))
    rounding = torch.full((4, 4), 0.3)
    rounding[1, 2] += 3e-8
    assert normalise_tiles(rounding).abs().max() < 0.1
    cut.requires_grad_()
    normalise_tiles(cut).square().sum().backward()
    assert cut.grad.isfinite().all()


def test_one_level_in_a_large_flat_tile_is_still_seen_whole():
    cut = torch.full((64, 64), 200, dtype=torch.uint8)
    cut[10, 20] += 1
    assert normalise_tiles(cut).square().mean().item() == pytest.approx(1, abs=1e-3)


# ------------------------------------------------------------------------------------------------ orders


@pytest.mark.parametrize(("count", "pieces"), [(1, 1), (2, 2), (24, 4), (10, 4), (50, 5), (30, 9)])
def test_orders_are_distinct_permutations(count, pieces):
    orders = distant_permutations(count, pieces)
    assert orders.dtype == torch.int64 and orders.shape == (count, pieces)
    assert torch.equal(orders.sort(1).values, torch.arange(pieces).expand(count, -1))
    assert len(orders.unique(dim=0)) == count
    assert torch.equal(orders[0], torch.arange(pieces))


def test_a_hundred_orders_of_nine_are_as_far_apart_as_can_be():
    apart = distances(distant_permutations(100, 9)).double()
    # at best each value stands at each place equally often: 11 times, and one of the nine 12 times
    agreeing = 9 * (8 * math.comb(11, 2) + math.comb(12, 2))
    assert apart.mean().item() == pytest.approx(9 - agreeing / math.comb(100, 2))
    assert apart.mean() > 8.07 and apart.min() >= 4
    random = torch.rand(100, 9, generator=torch.Generator().manual_seed(0)).argsort(1)
    assert distances(random).double().mean() < 8.05


def test_nine_orders_of_nine_differ_everywhere():
    assert (distances(distant_permutations(9, 9)) == 9).all()


def test_each_order_is_the_farthest_on_the_mean_from_those_before():
    orders = distant_permutations(40, 5)
    every = torch.tensor(list(itertools.permutations(range(5))))
    for place in range(1, 40):
        apart = (every[:, None] != orders[:place]).sum(2)  # [120, place]
        left = apart.amin(1) > 0
        total = apart.sum(1).masked_fill(~left, -1)
        position = int((every == orders[place]).all(1).nonzero())
        assert total[position] == total.max()
        assert apart[position].min() == apart[total == total.max()].amin(1).max(), (
            "of equals, the farthest from its nearest"
        )


def test_fewer_orders_are_the_first_of_more_and_nobody_can_spoil_them():
    assert torch.equal(distant_permutations(7, 6), distant_permutations(20, 6)[:7])
    distant_permutations(7, 6).zero_()
    assert torch.equal(distant_permutations(7, 6), distant_permutations(20, 6)[:7])


def test_arranged_tiles_stand_where_the_order_says():
    named = torch.arange(4).view(1, 4).expand(2, -1) + torch.tensor([[0], [10]])
    order = torch.tensor([[2, 0, 3, 1], [0, 1, 3, 2]])
    assert permute_tiles(named, order).tolist() == [[2, 0, 3, 1], [10, 11, 13, 12]]


@given(some.integers(1, 5), some.integers(1, 9), some.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_inverse_order_puts_tiles_back(batch, pieces, seed):
    generator = torch.Generator().manual_seed(seed)
    cut = torch.rand(batch, pieces, 3, 2, 2, generator=generator)
    order = torch.rand(batch, pieces, generator=generator).argsort(1)
    shuffled = permute_tiles(cut, order)
    assert torch.equal(permute_tiles(shuffled, order.argsort(1)), cut)
    assert all(torch.equal(shuffled[b, i], cut[b, order[b, i]]) for b in range(batch) for i in range(pieces))


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cut_tiles(random_images(), 3, None, 5), "a 3 x 3 grid on images of 12 x 12 has cells of 4 x 4"),
        (lambda: cut_tiles(random_images(), 3, None, 5), "side 5; try side=3."),
        (lambda: cut_tiles(random_images(), 3, None, 0), "side 0"),
        (lambda: cut_tiles(random_images(), 13, None, 1), "try grid=1."),
        (lambda: cut_tiles(random_images(), 0, None, 1), "0 x 0 grid"),
        (lambda: cut_tiles(random_images(), 3, torch.full((3, 9, 2), 2), 3), "from 2 to 2 do not fit"),
        (lambda: cut_tiles(random_images(), 3, torch.full((3, 9, 2), -1), 3), "from 0 to (1, 1)"),
        (lambda: cut_tiles(random_images(), 3, torch.zeros(2, 9, 2, dtype=torch.int64), 3), "give [3, 9, 2]"),
        (lambda: normalise_tiles(torch.zeros(1, 4, 3, 2, 2, dtype=torch.int64)), "torch.int64"),
        (lambda: distant_permutations(25, 4), "4 pieces have 24 orders, not 25; take 1 to 24."),
        (lambda: distant_permutations(0, 4), "not 0"),
        (lambda: distant_permutations(10, 16), "orders of 16 pieces"),
        (lambda: distant_permutations(1, 0), "orders of 0 pieces"),
    ],
)
def test_bad_settings_say_what_and_the_way_out(make, message):
    with pytest.raises(CaudexError) as error:
        make()
    assert message in str(error.value) and str(error.value).endswith(".")
