"""Inpainting: holes, errors and the critic's loss by hand."""

import math

import pytest
import torch
from helpers.signals import ConstantHead, build_signal, unlabelled_batch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.core.signal import signal_from_spec
from caudex.core.specs import ImageSpec
from caudex.signals import Inpainting
from caudex.trunks import ResNet


def bounding_box(hole):
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
    signal, trunk = build_signal(Inpainting(**settings), channels=answer.shape[1])
    signal.head = ConstantHead(answer)
    return signal, trunk


def mean_colour(images):
    """What a trunk that has measured no images standardises by."""
    return torch.full((1, images.shape[1], 1, 1), 0.5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (16, 24)])
def test_the_centre_hole_is_the_middle_square_of_half_the_side(height, width):
    hole = Inpainting("centre").sample_hole(torch.rand(3, 2, height, width))
    assert hole.shape == (3, 1, height, width) and hole.dtype == torch.bool
    expected = torch.zeros(height, width, dtype=torch.bool)
    expected[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    assert all(torch.equal(one, expected) for one in hole[:, 0])


def test_the_centre_hole_of_an_odd_side_is_in_the_middle_too():
    hole = Inpainting("centre").sample_hole(torch.rand(1, 1, 13, 7))
    assert torch.equal(hole, hole.flip(2)) and torch.equal(hole, hole.flip(3))
    assert bounding_box(hole[0, 0]) == (3, 2, 7, 3)


@given(some.integers(4, 40), some.integers(4, 40), some.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_random_holes_are_whole_rectangles_from_a_quarter_to_half_of_each_side(height, width, seed):
    torch.manual_seed(seed)
    for hole in Inpainting("random").sample_hole(torch.rand(5, 1, height, width))[:, 0]:
        _, _, tall, wide = bounding_box(hole)
        # one that stuck out would be cut off
        assert height // 4 <= tall <= math.ceil(height / 2) and width // 4 <= wide <= math.ceil(width / 2)


def test_random_holes_take_a_sixteenth_to_a_quarter_and_lie_anywhere():
    holes = Inpainting("random").sample_hole(torch.rand(3000, 1, 16, 16))[:, 0]
    area = holes.double().mean((1, 2))
    assert 1 / 16 <= area.min() < 0.07 and 0.2 < area.max() <= 1 / 4
    assert area.mean().item() == pytest.approx((3 / 8) ** 2, rel=0.03)
    assert holes.any(0).all(), "a pixel is never taken out"
    shapes = {bounding_box(hole)[2:] for hole in holes}
    assert shapes == {(tall, wide) for tall in range(4, 9) for wide in range(4, 9)}


def test_the_trunk_sees_the_mean_colour_in_the_hole_and_the_image_around_it():
    signal, trunk = Inpainting("centre"), ResNet(3, 4, 1)
    signal.build(trunk)
    images, trunk_inputs = torch.rand(4, 3, 8, 8), []
    trunk.register_forward_pre_hook(lambda module, given: trunk_inputs.append(given[0]))
    signal.loss(trunk, unlabelled_batch(images))
    hole = signal.sample_hole(images)
    assert_close(trunk_inputs[0].where(hole, torch.zeros(())), mean_colour(images) * hole)
    assert torch.equal(trunk_inputs[0].where(~hole, torch.zeros(())), images * ~hole)


def test_what_stood_in_the_hole_does_not_change_the_fill():
    signal, trunk = build_signal(Inpainting("centre"))
    images, fills = torch.rand(4, 1, 8, 8), []
    turned = torch.where(signal.sample_hole(images), torch.rand(4, 1, 8, 8), images)
    signal.head.register_forward_hook(lambda module, given, output: fills.append(output))
    one, other = (signal.loss(trunk, unlabelled_batch(each)).loss for each in (images, turned))
    assert_close(fills[0], fills[1], atol=1e-5, rtol=0)
    assert abs(one - other) > 1e-3  # while the truth differs


@pytest.mark.parametrize("mask", ["centre", "random"])
def test_leaving_the_mean_has_error_one_and_the_image_itself_none(mask):
    images = torch.rand(6, 3, 12, 12)
    mean = mean_colour(images).expand_as(images)
    for part, error in ((0.0, 1.0), (0.5, 0.25), (1.0, 0.0)):  # the way from the mean to the truth
        signal, trunk = painter(mean.lerp(images, part), mask=mask)
        assert signal.loss(trunk, unlabelled_batch(images)).loss.item() == pytest.approx(error, abs=1e-6)
    assert signal.chance_loss() == 1


def test_the_error_counts_in_the_hole_alone_and_is_known_by_hand():
    images = torch.zeros(1, 1, 4, 4)
    images[..., 1, 1] = 1.0  # of the four pixels in the hole one is white
    fill = torch.rand(1, 1, 4, 4)
    fill[..., 1:3, 1:3] = 0.25
    signal, trunk = painter(fill, mask="centre")
    trunk.eval()  # one image has no batch statistics
    wrong, left = 0.75**2 + 3 * 0.25**2, 4 * 0.5**2
    assert signal.loss(trunk, unlabelled_batch(images)).loss.item() == pytest.approx(wrong / left)


@pytest.mark.parametrize("adversarial", [0.001, 0.3])
def test_the_critic_learns_from_its_own_loss_alone_and_the_trunk_not_from_it(adversarial):
    signal, trunk = build_signal(Inpainting("centre", adversarial))
    images = torch.rand(4, 1, 12, 12)
    output = signal.loss(trunk, unlabelled_batch(images))
    critic = [*signal.critic.parameters(), *signal.critic_head.parameters()]
    painter = [*trunk.parameters(), *signal.head.parameters()]

    def gradients(of, to):
        return torch.autograd.grad(of, to, retain_graph=True, allow_unused=True)

    for total, critic_part in zip(gradients(output.loss, critic), gradients(output.metrics["critic_loss"], critic)):
        assert_close(total, critic_part)
        assert critic_part.abs().sum() > 0
    assert all(gradient is None for gradient in gradients(output.metrics["critic_loss"], painter))
    assert all(gradient is None for gradient in gradients(output.metrics["reconstruction_error"], critic))
    # the wish to deceive reaches the trunk: its gradient is not that of the error alone
    stem = [trunk.stem.weight]
    assert not torch.allclose(
        gradients(output.loss, stem)[0], (1 - adversarial) * gradients(output.metrics["reconstruction_error"], stem)[0]
    )
    assert all(p.requires_grad for p in critic)


def test_the_adversarial_loss_by_hand():
    images = torch.rand(4, 1, 8, 8)
    half = mean_colour(images).lerp(images, 0.5)  # half the way from the mean: error 1/4
    signal, trunk = painter(half, mask="centre", adversarial=0.25)
    nn.init.zeros_(signal.critic_head.weight)
    nn.init.constant_(signal.critic_head.bias, 2.0)  # all images are true, says the critic
    output = signal.loss(trunk, unlabelled_batch(images))
    true, false = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    assert output.metrics["reconstruction_error"].item() == pytest.approx(0.25)
    assert output.metrics["critic_loss"].item() == pytest.approx(true + false)
    assert output.loss.item() == pytest.approx(0.75 * 0.25 + 0.25 * true + true + false)


def test_a_critic_that_cannot_tell_and_a_fill_of_the_mean_have_the_trivial_loss():
    images = torch.rand(4, 1, 8, 8)
    signal, trunk = painter(mean_colour(images).expand_as(images), mask="centre", adversarial=0.25)
    nn.init.zeros_(signal.critic_head.weight)
    nn.init.zeros_(signal.critic_head.bias)
    assert signal.loss(trunk, unlabelled_batch(images)).loss.item() == pytest.approx(signal.chance_loss())


def test_without_an_adversary_there_is_no_critic():
    assert not any("critic" in key for key in build_signal(Inpainting())[0].state_dict())


def test_an_unknown_mask_is_refused():
    for make in (lambda: Inpainting("middle"), lambda: signal_from_spec("inpainting:middle", ImageSpec((3, 20, 20)))):
        with pytest.raises(CaudexError, match="a mask 'middle' is unknown; choose centre or random"):
            make()
    assert (
        signal_from_spec("inpainting:centre:2", ImageSpec((3, 20, 20)))[1].mask == "centre"
        and signal_from_spec("inpainting", ImageSpec((3, 20, 20)))[1].mask == "random"
    )
