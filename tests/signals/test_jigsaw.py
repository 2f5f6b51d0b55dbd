"""Jigsaw: tiles give nothing away, and the answer puts them back."""

import math

import pytest
import torch
from helpers.signals import RecordingTrunk, build_signal, train_on_batch, unlabelled_batch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.signals import Jigsaw
from caudex.signals.jigsaw import grid_for


def build_jigsaw(grid=3, channels=1, orders=0):
    return build_signal(Jigsaw(grid, orders), channels)


def cut_tiles(signal, images, number):
    """The shuffled tiles, always from the same corners."""
    torch.manual_seed(1)
    return signal.shuffle_tiles(images, number)


def tile_origins(side, grid=3, count=200):
    """Row and column [count, P] of the first pixel of each tile, told by the pixels themselves; and the tiles' side."""
    signal, _ = build_jigsaw(grid)
    row = torch.arange(side, dtype=torch.float64).view(-1, 1).expand(side, side)
    origins, normal = [], {}

    def unchanged(tiles):  # a ramp tells where its tile was cut, if it is not normalised
        normal["side"] = tiles.shape[-1]
        return tiles

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caudex.signals.jigsaw.normalise_tiles", unchanged)
        for ramp in (row, row.T):
            shuffled = cut_tiles(signal, ramp.expand(count, 1, -1, -1), torch.zeros(count, dtype=torch.long))
            origins.append(shuffled[:, :, 0, 0, 0].long())
    return *origins, normal["side"]


@pytest.mark.parametrize(("side", "tile"), [(18, 4), (28, 7), (64, 18), (225, 64)])
def test_tiles_keep_apart_by_a_cells_room_on_the_mean(side, tile):
    rows, columns, side_found = tile_origins(side)
    cell = side // 3
    assert side_found == tile
    for at in (rows.view(-1, 3, 3), columns.view(-1, 3, 3).transpose(1, 2)):
        within = at - cell * torch.arange(3).view(1, 3, 1)
        assert within.min() >= 0 and within.max() <= cell - tile
        assert len(within.unique()) == cell - tile >= 2  # jitter
        gaps = at.diff(dim=1) - tile
        assert gaps.min() >= 1  # no two tiles touch
        assert gaps.double().mean().item() == pytest.approx(cell - tile, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_tile_has_mean_zero_and_std_one(channels):
    signal, _ = build_jigsaw(channels=channels)
    tiles = cut_tiles(signal, torch.rand(4, channels, 30, 30), torch.tensor([0, 3, 50, 99]))
    assert tiles.shape == (4, 9, channels, 8, 8)
    assert tiles.mean((3, 4)).abs().max() < 1e-5
    assert_close(tiles.square().mean((3, 4)), torch.ones(4, 9, channels), atol=1e-4, rtol=0)


def test_light_that_falls_off_and_contrast_that_grows_give_nothing_away():
    signal, _ = build_jigsaw()
    ramp = (torch.arange(30.0) / 30).expand(30, 30)
    tiles = cut_tiles(signal, (ramp / 2 + ramp.T / 3)[None, None], torch.tensor([7]))
    assert_close(tiles, tiles[:, :1].expand_as(tiles), atol=1e-4, rtol=0)  # all tiles of the puzzle are alike
    images = torch.rand(2, 1, 30, 30)
    shade = torch.linspace(0.1, 1, 9).view(3, 3).repeat_interleave(10, 0).repeat_interleave(10, 1)
    number = torch.tensor([4, 60])
    assert_close(
        cut_tiles(signal, images * shade + 1 - shade, number), cut_tiles(signal, images, number), atol=1e-3, rtol=0
    )


def test_the_answer_puts_the_tiles_back():
    signal, _ = build_jigsaw()
    images, number = torch.rand(20, 1, 30, 30), torch.arange(20)
    shuffled, tiles = cut_tiles(signal, images, number), cut_tiles(signal, images, torch.zeros_like(number))
    rows = torch.arange(20)[:, None]
    assert torch.equal(shuffled[rows, signal.permutations[number].argsort(1)], tiles)
    assert torch.equal(signal.permutations[0], torch.arange(9)) and not torch.equal(shuffled[1:], tiles[1:])


def test_the_answers_are_far_from_each_other():
    signal, _ = build_jigsaw()
    assert signal.permutations.shape == (100, 9)
    apart = (signal.permutations[:, None] != signal.permutations).sum(2)[~torch.eye(100, dtype=torch.bool)]
    assert apart.min() >= 4 and apart.double().mean() > 8
    assert len(build_jigsaw(2)[0].permutations.unique(dim=0)) == 24  # all that four tiles have
    assert build_jigsaw(orders=10)[0].head[-1].out_features == 10


def test_a_head_that_says_the_same_of_every_puzzle_has_the_trivial_loss():
    signal, trunk = build_jigsaw()
    nn.init.zeros_(signal.head[-1].weight)
    nn.init.zeros_(signal.head[-1].bias)
    output = signal.loss(trunk, unlabelled_batch(torch.rand(8, 1, 20, 20)))
    assert output.loss.item() == pytest.approx(signal.chance_loss(), rel=1e-5) == math.log(100)


def test_behind_the_trunks_standardising_layer_stands_the_normalised_tile():
    signal, trunk = build_jigsaw(2, 3)
    trunk.standardise.set_statistics(
        (torch.rand(50, 3, 9, 9) ** 3 * torch.tensor([255, 90, 20.0]).view(3, 1, 1)).byte()
    )
    shuffled, standardised = cut_tiles(signal, torch.rand(5, 3, 20, 20), torch.arange(5)), []
    trunk.standardise.register_forward_hook(lambda layer, given, output: standardised.append(output))
    signal.logits(trunk, shuffled)
    assert_close(standardised[0].view(5, 4, 3, 8, 8), shuffled, atol=1e-5, rtol=1e-5)


def test_each_tile_is_encoded_on_its_own_and_the_head_sees_them_in_their_order():
    signal, trunk = Jigsaw(3), RecordingTrunk(lambda x: x[:, 0, :1, 0], 1)
    signal.build(trunk)
    signal.head = nn.Identity()
    shuffled = cut_tiles(signal, torch.rand(4, 1, 20, 20), torch.arange(4))
    assert_close(signal.logits(trunk, shuffled), shuffled[:, :, 0, 0, 0])
    assert trunk.images[0].shape == (36, 1, 4, 4)


def test_images_that_are_no_squares_have_a_puzzle_too():
    signal, trunk = build_jigsaw()
    assert cut_tiles(signal, torch.rand(2, 1, 20, 33), torch.arange(2)).shape == (2, 9, 1, 4, 4)
    assert signal.loss(trunk, unlabelled_batch(torch.rand(2, 1, 33, 20))).loss.isfinite()


@pytest.mark.parametrize(("grid", "side"), [(2, 12), (3, 18)])
def test_too_small_images_name_the_size_that_will_do(grid, side):
    signal, trunk = build_jigsaw(grid)
    with pytest.raises(
        CaudexError, match=f"{side + 9} x {side - 1} give tiles of 3 pixels, .*; try --size {side} or larger"
    ):
        signal.loss(trunk, unlabelled_batch(torch.rand(2, 1, side + 9, side - 1)))
    signal.loss(trunk, unlabelled_batch(torch.rand(2, 1, side, side)))


@given(some.integers(12, 300))
@settings(deadline=None, max_examples=50)
def test_a_grid_chosen_by_the_size_always_has_tiles(side):
    grid = grid_for(side)
    _, _, tile = tile_origins(side, grid, count=1)
    assert grid == (3 if side >= 36 else 2) and tile >= 4


def test_what_stands_where_is_learned():
    row = torch.arange(16).view(-1, 1).expand(16, 16)
    stripes = [row % 2, row.T % 2, (row + row.T) % 2, row // 2 % 2]  # one kind in each quarter of the image
    image = torch.where(row < 8, *(torch.where(row.T < 8, *pair) for pair in (stripes[:2], stripes[2:])))
    images = torch.stack([contrast * image + 0.1 for contrast in torch.linspace(0.2, 0.9, 32)])[:, None]
    signal, trunk = build_jigsaw(2)
    output = train_on_batch(signal, trunk, unlabelled_batch(images), 50, 1e-2)
    assert output.metrics["accuracy"] > 0.8 and output.loss < 0.2 * signal.chance_loss()  # one of 24 is right by chance
