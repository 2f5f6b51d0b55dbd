"""Signals from images alone: nothing gives the answer away, and one who learned nothing has the trivial loss."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.registry import find_class
from caudex.core.signal import signal_from_spec
from caudex.core.trunk import Features, Trunk
from caudex.data import Batch
from caudex.data.video.clips import Frames
from caudex.signals import Colorization, Denoising, Inpainting, Jigsaw, NextFrame, Regression, Rotation
from caudex.signals.jigsaw import grid_for
from caudex.trunks import MLP, Conv, Identity, ResNet, Standardise
from caudex.views import encode, from_lab, to_lab


class Shown(Trunk):
    """Remembers the images it is shown; its features are what `told` makes of them."""

    def __init__(self, told, width, channels=1):
        super().__init__()
        self.standardise, self.told, self.width, self.images = Standardise(channels), told, width, []

    def forward(self, x, state=None):
        self.images.append(x)
        return Features(self.told(self.standardise(x)))


class Says(nn.Module):
    """A head that says the same whatever it is asked."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, features, size):
        return self.answer


class Passed(nn.Module):
    """A head that does nothing."""

    def forward(self, x):
        return x


def batch(images):
    return Batch(images, torch.full((len(images),), -1), torch.arange(len(images)))


def window(frames):
    return Frames(frames, torch.full((len(frames),), -1), torch.arange(len(frames)))


def built(signal, channels=1, **settings):
    trunk = ResNet(channels, 4, 1, **settings)
    signal.build(trunk)
    return signal, trunk


def silent(signal):
    """The same signal, whose decoder says 0 everywhere."""
    nn.init.zeros_(signal.head.last[-1].weight)
    nn.init.zeros_(signal.head.last[-1].bias)
    return signal


def taught(signal, trunk, given, steps, lr):
    """What the signal says after so many steps on one batch."""
    optimizer = Adam([*signal.parameters(), *trunk.parameters()], lr=lr)
    for _ in range(steps):
        said = signal.loss(trunk, given)
        optimizer.zero_grad()
        said.loss.backward()
        optimizer.step()
    return signal.loss(trunk, given)


# ------------------------------------------------------------------------------------------------ all of them

SIGNALS = [
    ("rotation", Rotation, 1),
    ("rotation", Rotation, 3),
    ("jigsaw", Jigsaw, 1),
    ("jigsaw", Jigsaw, 3),
    ("inpainting", Inpainting, 1),
    ("inpainting", lambda: Inpainting("centre", adversarial=0.1), 3),
    ("denoising", Denoising, 1),
    ("denoising", Denoising, 3),
    ("colorization", Colorization, 3),
    ("next-frame", NextFrame, 1),
    ("next-frame", NextFrame, 3),
]
each = pytest.mark.parametrize(
    ("name", "make", "channels"), SIGNALS, ids=[f"{name}-{channels}" for name, _, channels in SIGNALS]
)


def given_to(name, images):
    """A batch of these images, or of windows of three of them, each a little darker than the one before."""
    if name != "next-frame":
        return batch(images)
    return window(torch.stack([images, 0.9 * images, 0.8 * images], 1))


@each
def test_the_trunk_learns_and_no_part_of_the_head_is_idle(name, make, channels):
    signal, trunk = built(make(), channels)
    said = signal.loss(trunk, given_to(name, torch.rand(4, channels, 20, 20)))
    assert said.loss.shape == () and said.loss.isfinite()
    said.loss.backward()
    assert trunk.stem.weight.grad.abs().sum() > 0
    assert all(block.conv2.weight.grad.abs().sum() > 0 for stage in trunk.stages for block in stage)
    assert [key for key, p in signal.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert all(torch.isfinite(figure) for figure in said.metrics.values())


@each
def test_a_name_finds_the_signal_and_the_trunks_other_kind_will_do(name, make, channels):
    found = find_class("signals", name)
    assert isinstance(make(), found) and signal_from_spec(f"{name}:0.5", {"shape": (channels, 20, 20)})[1].weight == 0.5
    signal, trunk = found(), Conv(channels, width=4, norm="group")
    signal.build(trunk)
    assert signal.loss(trunk, given_to(name, torch.rand(2, channels, 20, 20))).loss.isfinite()


@each
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_pictures_that_show_nothing_divide_nothing_by_nothing(name, make, channels, level):
    signal, trunk = built(make(), channels)
    images = torch.full((4, channels, 20, 20), level)
    still = window(images[:, None].expand(-1, 3, -1, -1, -1)) if name == "next-frame" else batch(images)
    said = signal.loss(trunk, still)
    said.loss.backward()
    learned = [*trunk.parameters(), *signal.parameters()]
    assert said.loss.isfinite() and all(p.grad.isfinite().all() for p in learned if p.grad is not None)


def test_all_at_once_share_one_trunk():
    images = torch.rand(4, 3, 20, 20)
    learner = Learner(ResNet(3, 4, 1), {name: find_class("signals", name)() for name, _, _ in SIGNALS})
    said = learner.step({name: given_to(name, images) for name in learner.signals})
    assert len(said) == 6 and all(each.loss.isfinite() for each in said.values())
    assert all(p.isfinite().all() for p in learner.parameters())


@pytest.mark.parametrize("make", [Inpainting, Denoising, Colorization, NextFrame])
def test_signals_that_paint_refuse_a_trunk_without_maps(make):
    with pytest.raises(CaudexError, match="MLP"):
        make().build(MLP(12))


# ------------------------------------------------------------------------------------------------ rotation


def brighter_half(x):
    """[N, 4]: how bright are the top, the left, the bottom and the right half?"""
    height, width = x.shape[2] // 2, x.shape[3] // 2
    halves = x[:, :, :height], x[..., :width], x[:, :, height:], x[..., width:]
    return torch.stack([half.mean((1, 2, 3)) for half in halves], 1)


def upright(count=5, side=6):
    """Images whose top half is brighter."""
    images = torch.rand(count, 1, side, side) * 0.3
    images[:, :, : side // 2] += 0.7
    return images


def test_all_four_turns_of_each_picture_stand_in_one_batch_and_are_exact():
    signal, trunk = Rotation(), Shown(brighter_half, 4)
    signal.build(trunk)
    images = torch.rand(3, 1, 5, 5)
    signal.loss(trunk, batch(images))
    (seen,) = trunk.images
    assert seen.shape == (12, 1, 5, 5)
    for quarter, turned in enumerate(seen.chunk(4)):
        assert torch.equal(turned, torch.rot90(images, quarter, (2, 3)))


def test_one_who_sees_which_half_is_bright_tells_every_turn():
    signal, trunk = Rotation(), Shown(brighter_half, 4)
    signal.build(trunk)
    signal.head.load_state_dict({"weight": 50 * torch.eye(4), "bias": torch.zeros(4)})
    said = signal.loss(trunk, batch(upright()))
    assert said.metrics["accuracy"] == 1 and said.loss < 1e-4
    # what is turned clockwise by itself is told one quarter wrong, always
    said = signal.loss(trunk, batch(torch.rot90(upright(), -1, (2, 3))))
    assert said.metrics["accuracy"] == 0


def test_one_who_cannot_tell_has_the_trivial_loss():
    signal, trunk = Rotation(), Shown(brighter_half, 4)
    signal.build(trunk)
    signal.head.load_state_dict({"weight": torch.zeros(4, 4), "bias": torch.zeros(4)})
    assert signal.loss(trunk, batch(upright())).loss.item() == pytest.approx(signal.chance_loss()) == math.log(4)
    # an image that looks the same from all sides can only be guessed, by whatever head
    signal.head.reset_parameters()
    assert signal.loss(trunk, batch(torch.rand(5, 1, 1, 1).expand(-1, -1, 6, 6))).loss >= math.log(4) - 1e-6


def test_only_squares_can_be_turned():
    signal, trunk = built(Rotation())
    with pytest.raises(CaudexError, match="images of 6 x 8 do not fit themselves when turned; crop them to squares"):
        signal.loss(trunk, batch(torch.rand(2, 1, 6, 8)))


# ------------------------------------------------------------------------------------------------ jigsaw


def puzzle(grid=3, channels=1, orders=0):
    return built(Jigsaw(grid, orders), channels)


def cut(signal, images, number):
    """The shuffled tiles, always from the same corners."""
    torch.manual_seed(1)
    return signal.shuffled(images, number)


def places(side, grid=3, count=200):
    """Row and column [count, P] of the first pixel of each tile, told by the pixels themselves; and the tiles' side."""
    signal, _ = puzzle(grid)
    row = torch.arange(side, dtype=torch.float64).view(-1, 1).expand(side, side)
    found, normal = [], {}

    def unchanged(tiles):  # a ramp tells where its tile was cut, if it is not normalised
        normal["side"] = tiles.shape[-1]
        return tiles

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caudex.signals.jigsaw.normalised", unchanged)
        for ramp in (row, row.T):
            seen = cut(signal, ramp.expand(count, 1, -1, -1), torch.zeros(count, dtype=torch.long))
            found.append(seen[:, :, 0, 0, 0].long())
    return *found, normal["side"]


@pytest.mark.parametrize(("side", "tile"), [(18, 4), (28, 7), (64, 18), (225, 64)])
def test_tiles_keep_apart_by_a_cells_room_on_the_mean(side, tile):
    rows, columns, found = places(side)
    cell = side // 3
    assert found == tile
    for at in (rows.view(-1, 3, 3), columns.view(-1, 3, 3).transpose(1, 2)):
        within = at - cell * torch.arange(3).view(1, 3, 1)
        assert within.min() >= 0 and within.max() <= cell - tile
        assert len(within.unique()) == cell - tile >= 2  # jitter
        gaps = at.diff(dim=1) - tile
        assert gaps.min() >= 1  # no two tiles touch
        assert gaps.double().mean().item() == pytest.approx(cell - tile, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_tile_has_mean_nought_and_deviation_one(channels):
    signal, _ = puzzle(channels=channels)
    seen = cut(signal, torch.rand(4, channels, 30, 30), torch.tensor([0, 3, 50, 99]))
    assert seen.shape == (4, 9, channels, 8, 8)
    assert seen.mean((3, 4)).abs().max() < 1e-5
    assert_close(seen.square().mean((3, 4)), torch.ones(4, 9, channels), atol=1e-4, rtol=0)


def test_light_that_falls_off_and_contrast_that_grows_give_nothing_away():
    signal, _ = puzzle()
    ramp = (torch.arange(30.0) / 30).expand(30, 30)
    seen = cut(signal, (ramp / 2 + ramp.T / 3)[None, None], torch.tensor([7]))
    assert_close(seen, seen[:, :1].expand_as(seen), atol=1e-4, rtol=0)  # all tiles of the puzzle are alike
    images = torch.rand(2, 1, 30, 30)
    shade = torch.linspace(0.1, 1, 9).view(3, 3).repeat_interleave(10, 0).repeat_interleave(10, 1)
    number = torch.tensor([4, 60])
    assert_close(cut(signal, images * shade + 1 - shade, number), cut(signal, images, number), atol=1e-3, rtol=0)


def test_the_answer_puts_the_tiles_back():
    signal, _ = puzzle()
    images, number = torch.rand(20, 1, 30, 30), torch.arange(20)
    shuffled, whole = cut(signal, images, number), cut(signal, images, torch.zeros_like(number))
    rows = torch.arange(20)[:, None]
    assert torch.equal(shuffled[rows, signal.permutations[number].argsort(1)], whole)
    assert torch.equal(signal.permutations[0], torch.arange(9)) and not torch.equal(shuffled[1:], whole[1:])


def test_the_answers_are_far_from_each_other():
    signal, _ = puzzle()
    assert signal.permutations.shape == (100, 9)
    apart = (signal.permutations[:, None] != signal.permutations).sum(2)[~torch.eye(100, dtype=torch.bool)]
    assert apart.min() >= 4 and apart.double().mean() > 8
    assert len(puzzle(2)[0].permutations.unique(dim=0)) == 24  # all that four tiles have
    assert puzzle(orders=10)[0].head[-1].out_features == 10


def test_a_head_that_says_the_same_of_every_puzzle_has_the_trivial_loss():
    signal, trunk = puzzle()
    nn.init.zeros_(signal.head[-1].weight)
    nn.init.zeros_(signal.head[-1].bias)
    said = signal.loss(trunk, batch(torch.rand(8, 1, 20, 20)))
    assert said.loss.item() == pytest.approx(signal.chance_loss(), rel=1e-5) == math.log(100)


def test_behind_the_trunks_standardising_layer_stands_the_normalised_tile():
    signal, trunk = puzzle(2, 3)
    trunk.standardise.measure((torch.rand(50, 3, 9, 9) ** 3 * torch.tensor([255, 90, 20.0]).view(3, 1, 1)).byte())
    shuffled, seen = cut(signal, torch.rand(5, 3, 20, 20), torch.arange(5)), []
    trunk.standardise.register_forward_hook(lambda layer, given, made: seen.append(made))
    signal.told(trunk, shuffled)
    assert_close(seen[0].view(5, 4, 3, 8, 8), shuffled, atol=1e-5, rtol=1e-5)


def test_each_tile_is_encoded_on_its_own_and_the_head_sees_them_in_their_order():
    signal, trunk = Jigsaw(3), Shown(lambda x: x[:, 0, :1, 0], 1)
    signal.build(trunk)
    signal.head = Passed()
    shuffled = cut(signal, torch.rand(4, 1, 20, 20), torch.arange(4))
    assert_close(signal.told(trunk, shuffled), shuffled[:, :, 0, 0, 0])
    assert trunk.images[0].shape == (36, 1, 4, 4)


def test_pictures_that_are_no_squares_have_a_puzzle_too():
    signal, trunk = puzzle()
    assert cut(signal, torch.rand(2, 1, 20, 33), torch.arange(2)).shape == (2, 9, 1, 4, 4)
    assert signal.loss(trunk, batch(torch.rand(2, 1, 33, 20))).loss.isfinite()


@pytest.mark.parametrize(("grid", "side"), [(2, 12), (3, 18)])
def test_too_small_pictures_are_told_the_size_that_will_do(grid, side):
    signal, trunk = puzzle(grid)
    with pytest.raises(
        CaudexError, match=f"{side + 9} x {side - 1} give tiles of 3 pixels, .*; try --size {side} or larger"
    ):
        signal.loss(trunk, batch(torch.rand(2, 1, side + 9, side - 1)))
    signal.loss(trunk, batch(torch.rand(2, 1, side, side)))


@given(some.integers(12, 300))
@settings(deadline=None, max_examples=50)
def test_a_grid_chosen_by_the_size_always_has_tiles(side):
    grid = grid_for(side)
    _, _, tile = places(side, grid, count=1)
    assert grid == (3 if side >= 36 else 2) and tile >= 4


def test_what_stands_where_is_learned():
    row = torch.arange(16).view(-1, 1).expand(16, 16)
    stripes = [row % 2, row.T % 2, (row + row.T) % 2, row // 2 % 2]  # one kind in each quarter of the image
    image = torch.where(row < 8, *(torch.where(row.T < 8, *pair) for pair in (stripes[:2], stripes[2:])))
    images = torch.stack([contrast * image + 0.1 for contrast in torch.linspace(0.2, 0.9, 32)])[:, None]
    signal, trunk = puzzle(2)
    said = taught(signal, trunk, batch(images), 50, 1e-2)
    assert said.metrics["accuracy"] > 0.8 and said.loss < 0.2 * signal.chance_loss()  # one of 24 is right by chance


# ------------------------------------------------------------------------------------------------ inpainting


def rectangle(hole):
    """Top, left, height and width of a hole bool [H, W], which must be a rectangle."""
    rows, columns = hole.any(1), hole.any(0)
    assert torch.equal(hole, rows[:, None] & columns)
    spans = []
    for part in (rows, columns):
        inside = part.nonzero().flatten().tolist()
        assert inside == list(range(inside[0], inside[-1] + 1))
        spans.append((inside[0], len(inside)))
    (top, height), (left, width) = spans
    return top, left, height, width


def painter(answer, **settings):
    """Inpainting whose head says `answer`."""
    signal, trunk = built(Inpainting(**settings), channels=answer.shape[1])
    signal.head = Says(answer)
    return signal, trunk


def mean_colour(images):
    """What a trunk that has measured no images standardises by."""
    return torch.full((1, images.shape[1], 1, 1), 0.5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (16, 24)])
def test_the_centre_hole_is_the_middle_square_of_half_the_side(height, width):
    hole = Inpainting("centre").hole(torch.rand(3, 2, height, width))
    assert hole.shape == (3, 1, height, width) and hole.dtype == torch.bool
    expected = torch.zeros(height, width, dtype=torch.bool)
    expected[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    assert all(torch.equal(one, expected) for one in hole[:, 0])


def test_the_centre_hole_of_an_odd_side_is_in_the_middle_too():
    hole = Inpainting("centre").hole(torch.rand(1, 1, 13, 7))
    assert torch.equal(hole, hole.flip(2)) and torch.equal(hole, hole.flip(3))
    assert rectangle(hole[0, 0]) == (3, 2, 7, 3)


@given(some.integers(4, 40), some.integers(4, 40), some.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_random_holes_are_whole_rectangles_from_a_quarter_to_half_of_each_side(height, width, seed):
    torch.manual_seed(seed)
    for hole in Inpainting("random").hole(torch.rand(5, 1, height, width))[:, 0]:
        _, _, tall, wide = rectangle(hole)
        # one that stuck out would be cut off
        assert height // 4 <= tall <= math.ceil(height / 2) and width // 4 <= wide <= math.ceil(width / 2)


def test_random_holes_take_a_sixteenth_to_a_quarter_and_lie_anywhere():
    holes = Inpainting("random").hole(torch.rand(3000, 1, 16, 16))[:, 0]
    area = holes.double().mean((1, 2))
    assert 1 / 16 <= area.min() < 0.07 and 0.2 < area.max() <= 1 / 4
    assert area.mean().item() == pytest.approx((3 / 8) ** 2, rel=0.03)
    assert holes.any(0).all(), "a pixel is never taken out"
    shapes = {rectangle(hole)[2:] for hole in holes}
    assert shapes == {(tall, wide) for tall in range(4, 9) for wide in range(4, 9)}


def test_the_trunk_sees_the_mean_colour_in_the_hole_and_the_picture_around_it():
    signal, trunk = Inpainting("centre"), ResNet(3, 4, 1)
    signal.build(trunk)
    images, seen = torch.rand(4, 3, 8, 8), []
    trunk.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    signal.loss(trunk, batch(images))
    hole = signal.hole(images)
    assert_close(seen[0].where(hole, torch.zeros(())), mean_colour(images) * hole)
    assert torch.equal(seen[0].where(~hole, torch.zeros(())), images * ~hole)


def test_what_stood_in_the_hole_does_not_change_the_fill():
    signal, trunk = built(Inpainting("centre"))
    images, fills = torch.rand(4, 1, 8, 8), []
    turned = torch.where(signal.hole(images), torch.rand(4, 1, 8, 8), images)
    signal.head.register_forward_hook(lambda module, given, made: fills.append(made))
    one, other = (signal.loss(trunk, batch(each)).loss for each in (images, turned))
    assert_close(fills[0], fills[1], atol=1e-5, rtol=0)
    assert abs(one - other) > 1e-3  # while the truth differs


@pytest.mark.parametrize("mask", ["centre", "random"])
def test_leaving_the_mean_has_error_one_and_the_picture_itself_none(mask):
    images = torch.rand(6, 3, 12, 12)
    mean = mean_colour(images).expand_as(images)
    for part, error in ((0.0, 1.0), (0.5, 0.25), (1.0, 0.0)):  # the way from the mean to the truth
        signal, trunk = painter(mean.lerp(images, part), mask=mask)
        assert signal.loss(trunk, batch(images)).loss.item() == pytest.approx(error, abs=1e-6)
    assert signal.chance_loss() == 1


def test_the_error_counts_in_the_hole_alone_and_is_known_by_hand():
    images = torch.zeros(1, 1, 4, 4)
    images[..., 1, 1] = 1.0  # of the four pixels in the hole one is white
    fill = torch.rand(1, 1, 4, 4)
    fill[..., 1:3, 1:3] = 0.25
    signal, trunk = painter(fill, mask="centre")
    trunk.eval()  # one image has no batch statistics
    wrong, left = 0.75**2 + 3 * 0.25**2, 4 * 0.5**2
    assert signal.loss(trunk, batch(images)).loss.item() == pytest.approx(wrong / left)


@pytest.mark.parametrize("adversarial", [0.001, 0.3])
def test_the_critic_learns_from_its_own_loss_alone_and_the_trunk_not_from_it(adversarial):
    signal, trunk = built(Inpainting("centre", adversarial))
    images = torch.rand(4, 1, 12, 12)
    said = signal.loss(trunk, batch(images))
    critic = [*signal.critic.parameters(), *signal.verdict.parameters()]
    painter = [*trunk.parameters(), *signal.head.parameters()]

    def gradients(of, to):
        return torch.autograd.grad(of, to, retain_graph=True, allow_unused=True)

    for whole, own in zip(gradients(said.loss, critic), gradients(said.metrics["critic"], critic)):
        assert_close(whole, own)
        assert own.abs().sum() > 0
    assert all(found is None for found in gradients(said.metrics["critic"], painter))
    assert all(found is None for found in gradients(said.metrics["error"], critic))
    # the wish to deceive reaches the trunk: its gradient is not that of the error alone
    stem = [trunk.stem.weight]
    assert not torch.allclose(
        gradients(said.loss, stem)[0], (1 - adversarial) * gradients(said.metrics["error"], stem)[0]
    )
    assert all(p.requires_grad for p in critic)


def test_the_adversarial_loss_by_hand():
    images = torch.rand(4, 1, 8, 8)
    half = mean_colour(images).lerp(images, 0.5)  # half the way from the mean: error 1/4
    signal, trunk = painter(half, mask="centre", adversarial=0.25)
    nn.init.zeros_(signal.verdict.weight)
    nn.init.constant_(signal.verdict.bias, 2.0)  # all images are true, says the critic
    said = signal.loss(trunk, batch(images))
    true, false = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    assert said.metrics["error"].item() == pytest.approx(0.25)
    assert said.metrics["critic"].item() == pytest.approx(true + false)
    assert said.loss.item() == pytest.approx(0.75 * 0.25 + 0.25 * true + true + false)


def test_a_critic_that_cannot_tell_and_a_fill_of_the_mean_have_the_trivial_loss():
    images = torch.rand(4, 1, 8, 8)
    signal, trunk = painter(mean_colour(images).expand_as(images), mask="centre", adversarial=0.25)
    nn.init.zeros_(signal.verdict.weight)
    nn.init.zeros_(signal.verdict.bias)
    assert signal.loss(trunk, batch(images)).loss.item() == pytest.approx(signal.chance_loss())


def test_without_an_adversary_there_is_no_critic():
    assert not any("critic" in key for key in built(Inpainting())[0].state_dict())


def test_an_unknown_mask_is_refused():
    for make in (lambda: Inpainting("middle"), lambda: signal_from_spec("inpainting:middle", {})):
        with pytest.raises(CaudexError, match="a mask 'middle' is unknown; choose centre or random"):
            make()
    assert (
        signal_from_spec("inpainting:centre:2", {})[1].mask == "centre"
        and signal_from_spec("inpainting", {})[1].mask == "random"
    )


# ------------------------------------------------------------------------------------------------ denoising


def test_leaving_the_noise_has_error_one_and_the_clean_picture_none(monkeypatch):
    signal, trunk = built(Denoising())
    images = torch.rand(4, 1, 12, 12)
    for part, error in ((0.0, 1.0), (0.5, 0.25), (1.0, 0.0)):  # the way from the noise to the truth
        monkeypatch.setattr(signal, "clean", lambda trunk, noised, part=part: noised.lerp(images, part))
        assert signal.loss(trunk, batch(images)).loss.item() == pytest.approx(error, abs=1e-6)
    assert signal.chance_loss() == 1


@pytest.mark.parametrize("std", [0.02, 0.1])
def test_the_noise_has_its_deviation_and_pictures_stay_in_their_range(std):
    noise = Denoising(std).noised(torch.full((8, 1, 50, 50), 0.5)) - 0.5
    assert noise.std().item() == pytest.approx(std, rel=0.05) and abs(noise.mean()) < 0.03 * std
    noised = Denoising(std).noised(torch.rand(8, 1, 50, 50).round())
    assert noised.min() == 0 and noised.max() == 1


def test_the_trunk_sees_the_noised_picture_and_never_the_clean_one():
    signal, trunk = built(Denoising(0.1))
    images, seen = torch.rand(4, 1, 12, 12), []
    trunk.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    torch.manual_seed(3)
    signal.loss(trunk, batch(images))
    torch.manual_seed(3)
    assert len(seen) == 1 and torch.equal(seen[0], signal.noised(images))


# ------------------------------------------------------------------------------------------------ colorization


def of_one_colour(lightness, a, b, side=8):
    """An image [1, 3, side, side]."""
    return from_lab(torch.tensor([lightness, a, b]).view(1, 3, 1, 1)).expand(-1, -1, side, side)


def coloured(lightness, hue):
    """Images of a lightness [B, 1, H, W] and one soft hue that is drawn for each pixel."""
    angle = hue * torch.rand_like(lightness) * 2 * math.pi
    return from_lab(torch.cat([lightness, 20 * angle.cos(), 20 * angle.sin()], 1))


def test_what_the_trunk_sees_does_not_depend_on_the_colours():
    signal, trunk = Colorization(), ResNet(3, 4, 1).eval()
    signal.build(trunk)
    trunk.standardise.measure((torch.rand(50, 3, 9, 9) * torch.tensor([255, 90, 20.0]).view(3, 1, 1)).byte())
    lightness = 45 + 20 * torch.rand(4, 1, 12, 12)  # between them all these hues are colours that sRGB has
    one, other = coloured(lightness, 0.0), coloured(lightness, 1.0)
    assert (one - other).abs().mean() > 0.05
    logits = [signal.eval().logits(trunk, to_lab(images)[:, :1]) for images in (one, other)]
    assert_close(*logits, atol=1e-3, rtol=0)
    seen = []
    trunk.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    for images in (one, other):
        signal.loss(trunk, batch(images))
    assert_close(*seen, atol=1e-4, rtol=0)
    assert torch.equal(seen[0][:, 0], seen[0][:, 1]) and torch.equal(seen[0][:, 0], seen[0][:, 2])


def test_grey_pictures_cannot_teach_colour():
    with pytest.raises(CaudexError, match="cannot learn colour"):  # by name, before anything is learned
        signal_from_spec("colorization", {"shape": (1, 20, 20)})[1].build(ResNet(1, 4, 1))
    signal, trunk = built(Colorization(), channels=3)
    with pytest.raises(CaudexError, match=r"shape \[2, 1, 8, 8\]|cannot learn colour"):
        signal.loss(trunk, batch(torch.rand(2, 1, 8, 8)))


def test_one_who_finds_all_colours_alike_has_ln_q_times_the_mean_rarity():
    signal, trunk = built(Colorization(), channels=3)
    silent(signal)
    count = len(signal.centres)
    assert signal.chance_loss() == math.log(count)
    said = signal.loss(trunk, batch(of_one_colour(60.0, 10.0, -20.0)))
    # the colour stands on a centre, its four neighbours two deviations off; each bin is seen a fiftieth anew
    near = 1 / (1 + 4 * math.exp(-2))
    shares = [0.98 / count + 0.02 * part for part in (near, *[near * math.exp(-2)] * 4, *[0.0] * (count - 5))]
    weights = [1 / (0.5 * share + 0.5 / count) for share in shares]
    rarity = weights[0] / sum(share * weight for share, weight in zip(shares, weights))
    assert said.loss.item() == pytest.approx(math.log(count) * rarity, rel=1e-3)
    # of many colours: the mean of the rarity of each
    images = torch.rand(4, 3, 12, 12)
    said = signal.loss(trunk, batch(images))
    colours = F.avg_pool2d(to_lab(images)[:, 1:], 2).movedim(1, 3).flatten(0, 2)  # [N, 2]
    rare = signal.rarity()[torch.cdist(colours, signal.centres).argmin(1)]
    assert said.loss.item() == pytest.approx(math.log(count) * rare.mean().item(), rel=1e-3)


def test_the_target_is_spread_over_the_nearest_bins():
    signal, trunk = built(Colorization(), channels=3)
    near = 1 / (1 + 4 * math.exp(-2))
    wanted = torch.zeros(len(signal.centres))
    for a, b in ((10, -20), (0, -20), (20, -20), (10, -10), (10, -30)):
        wanted[(signal.centres == torch.tensor([a, b])).all(1)] = near * (1 if (a, b) == (10, -20) else math.exp(-2))
    assert wanted.sum().item() == pytest.approx(1)
    signal.head = Says(wanted.clamp_min(1e-9).log().view(1, -1, 1, 1).expand(-1, -1, 4, 4))
    said = signal.loss(trunk, batch(of_one_colour(60.0, 10.0, -20.0)))
    rare = signal.rarity()[wanted.argmax()]
    entropy = -(wanted * wanted.clamp_min(1e-9).log()).sum()
    assert_close(said.loss, entropy * rare, rtol=2e-3, atol=0)  # what a target that is not sharp must cost
    sure = 100 * F.one_hot(wanted.argmax(), len(wanted)).float()
    signal.head = Says(sure.view(1, -1, 1, 1).expand(-1, -1, 4, 4))
    said = signal.loss(trunk, batch(of_one_colour(60.0, 10.0, -20.0)))
    assert_close(
        said.loss, 100 * (1 - near) * signal.rarity()[wanted.argmax()], rtol=2e-3, atol=0
    )  # and too sure, more


def test_rarity_has_mean_one_over_what_is_seen_and_rare_colours_weigh_more():
    signal = Colorization()
    assert_close(signal.rarity(), torch.ones(len(signal.centres)))  # until something is seen
    signal.seen.copy_(torch.rand(len(signal.seen)) ** 8)
    signal.seen.div_(signal.seen.sum())
    rarity = signal.rarity()
    assert (signal.seen * rarity).sum().item() == pytest.approx(1, abs=1e-5)
    assert (rarity[signal.seen.argsort()].diff() <= 0).all()
    assert_close(Colorization(rebalance=1.0).rarity(), torch.ones(len(signal.centres)))
    bare = Colorization(rebalance=0.0)
    bare.seen.copy_(signal.seen.clamp_min(1e-4))
    assert_close(bare.rarity() * bare.seen, torch.full_like(bare.seen, float(bare.rarity()[0] * bare.seen[0])))


def test_shares_of_colours_are_those_of_the_pictures_and_sum_to_one():
    signal, trunk = built(Colorization(), channels=3)
    many, few = of_one_colour(60.0, 10.0, -20.0), of_one_colour(60.0, -30.0, 30.0)
    images = torch.cat([many] * 3 + [few])
    encoded = encode(F.avg_pool2d(to_lab(images)[:, 1:], 2), signal.centres)
    for _ in range(300):
        signal.remember(*encoded)
    assert signal.seen.sum().item() == pytest.approx(1, abs=1e-4)
    bins = {(10, -20): 0.75, (-30, 30): 0.25}
    for place, share in bins.items():
        around = (signal.centres - torch.tensor(place)).abs().sum(1) <= 10  # the bin and its four neighbours
        assert signal.seen[around].sum().item() == pytest.approx(share, abs=0.01)
    common, rare = ((signal.centres == torch.tensor(place)).all(1) for place in bins)
    weight = [0.5 * share * signal.seen[common].item() / 0.75 + 0.5 / len(signal.seen) for share in (0.25, 0.75)]
    assert (signal.rarity()[rare] / signal.rarity()[common]).item() == pytest.approx(weight[1] / weight[0], rel=0.01)
    before = signal.seen.clone()
    signal.loss(trunk, batch(images))
    assert_close(signal.seen, before, atol=1e-3, rtol=0)


def test_what_was_seen_is_in_the_checkpoint():
    signal, trunk = built(Colorization(), channels=3)
    signal.loss(trunk, batch(torch.rand(4, 3, 8, 8)))
    again, _ = built(Colorization(), channels=3)
    assert not torch.equal(again.seen, signal.seen)
    again.load_state_dict(signal.state_dict())
    assert torch.equal(again.seen, signal.seen) and torch.equal(again.rarity(), signal.rarity())


@pytest.mark.parametrize(("size", "half"), [((12, 12), (6, 6)), ((13, 7), (7, 4))])
def test_colours_are_told_at_half_the_side(size, half):
    signal, trunk = built(Colorization(), channels=3)
    images = torch.rand(2, 3, *size)
    logits = signal.logits(trunk, to_lab(images)[:, :1])
    assert logits.shape == (2, len(signal.centres), *half)
    assert signal.colours(logits).shape == (2, 2, *half)
    assert signal.loss(trunk, batch(images)).loss.isfinite()


# ------------------------------------------------------------------------------------------------ next frame


def moving(count=16, side=16):
    """Windows of three frames [2 * count, 3, 1, side, side] of a bar that moves by a pixel, to the right or left."""
    row = torch.arange(side)
    ways = [((row - start - way * frame) % side < 4) for way in (1, -1) for start in range(count) for frame in range(3)]
    return torch.stack(ways).float().view(2 * count, 3, 1, 1, side).expand(-1, -1, -1, side, -1)


def test_a_head_that_adds_nothing_copies_the_last_frame_and_has_error_one():
    signal, trunk = built(NextFrame(), channels=3)
    silent(signal)
    frames = torch.rand(4, 3, 3, 12, 12)
    assert torch.equal(signal.predict(trunk, frames[:, :-1]), frames[:, 1])
    said = signal.loss(trunk, window(frames))
    assert said.loss.item() == 1 == signal.chance_loss()
    assert said.metrics["of a copy"].item() == pytest.approx((frames[:, 1] - frames[:, 2]).square().mean().item())


def test_the_error_is_over_that_of_a_copy_by_hand(monkeypatch):
    signal, trunk = built(NextFrame())
    frames = torch.tensor([0.0, 0.2, 0.6]).view(1, 3, 1, 1, 1).expand(2, 3, 1, 8, 8)
    monkeypatch.setattr(signal, "predict", lambda trunk, before: 2 * before[:, 1] - before[:, 0])  # goes on as it went
    said = signal.loss(trunk, window(frames))
    assert said.loss.item() == pytest.approx(0.25)
    assert said.metrics["squared error"].item() == pytest.approx(0.04)


@pytest.mark.parametrize(("before", "given"), [(2, 2), (2, 4), (1, 3), (4, 3)])
def test_windows_of_another_length_are_refused(before, given):
    signal, trunk = built(NextFrame(before))
    with pytest.raises(CaudexError, match=f"windows of {before + 1} frames are needed, not {given}"):
        signal.loss(trunk, window(torch.rand(2, given, 1, 8, 8)))
    assert signal.loss(trunk, window(torch.rand(2, before + 1, 1, 8, 8))).loss.isfinite()


def test_each_frame_is_encoded_on_its_own_and_the_last_is_not_seen():
    signal, trunk = built(NextFrame())
    frames, seen = torch.rand(3, 3, 1, 8, 8), []
    trunk.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    signal.loss(trunk, window(frames))
    assert len(seen) == 1 and torch.equal(seen[0].view(3, 2, 1, 8, 8), frames[:, :-1])


def test_a_prediction_does_not_depend_on_the_rest_of_the_batch_but_on_the_order_of_time():
    signal, trunk = built(NextFrame())
    signal.eval(), trunk.eval()
    before, order = torch.rand(5, 2, 1, 13, 7), torch.tensor([3, 0, 4, 1, 2])
    told = signal.predict(trunk, before)
    assert told.shape == (5, 1, 13, 7)
    assert_close(signal.predict(trunk, before[order]), told[order], atol=1e-5, rtol=0)
    assert_close(signal.predict(trunk, before[2:3]), told[2:3], atol=1e-5, rtol=0)
    backwards = signal.predict(trunk, before.flip(1)) - before[:, 0]
    assert not torch.allclose(backwards, told - before[:, 1], atol=1e-4)


def test_where_a_bar_moves_is_learned_from_two_frames():
    signal, trunk = built(NextFrame())
    assert taught(signal, trunk, window(moving()), 25, 1e-2).loss < 0.4  # a copy has 1


def test_regression_finds_the_numbers_and_knows_nothing_at_the_mean():
    seen = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
    numbers = seen @ torch.tensor([[2.0, 0.0], [0.0, -50.0], [1.0, 10.0]]) + 7  # of very different sizes
    batch = SimpleNamespace(observations=seen, numbers=numbers)
    learner = Learner(
        Identity(3), {"state": Regression(numbers.mean(0), numbers.std(0, correction=0))}, partial(Adam, lr=0.03)
    )
    head = learner.signals["state"].head
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    assert float(learner.step({"state": batch})["state"].loss.detach()) == pytest.approx(1, abs=1e-5)
    for _ in range(300):
        taught = learner.step({"state": batch})
    assert float(taught["state"].loss) < 1e-4
