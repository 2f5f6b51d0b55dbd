"""Rotation: all four turns of each image, and the trivial loss of a head that cannot tell them."""

import math

import pytest
import torch
from helpers.signals import RecordingTrunk, build_signal, unlabelled_batch

from caudex.core.errors import CaudexError
from caudex.signals import Rotation


def half_brightness(x):
    """[N, 4]: how bright are the top, the left, the bottom and the right half?"""
    height, width = x.shape[2] // 2, x.shape[3] // 2
    halves = x[:, :, :height], x[..., :width], x[:, :, height:], x[..., width:]
    return torch.stack([half.mean((1, 2, 3)) for half in halves], 1)


def bright_top_images(count=5, side=6):
    """Images whose top half is brighter."""
    images = torch.rand(count, 1, side, side) * 0.3
    images[:, :, : side // 2] += 0.7
    return images


def test_all_four_turns_of_each_image_stand_in_one_batch_and_are_exact():
    signal, trunk = Rotation(), RecordingTrunk(half_brightness, 4)
    signal.build(trunk)
    images = torch.rand(3, 1, 5, 5)
    signal.loss(trunk, unlabelled_batch(images))
    (shown,) = trunk.images
    assert shown.shape == (12, 1, 5, 5)
    for quarter, turned in enumerate(shown.chunk(4)):
        assert torch.equal(turned, torch.rot90(images, quarter, (2, 3)))


def test_a_trunk_that_sees_which_half_is_bright_predicts_every_turn():
    signal, trunk = Rotation(), RecordingTrunk(half_brightness, 4)
    signal.build(trunk)
    signal.head.load_state_dict({"weight": 50 * torch.eye(4), "bias": torch.zeros(4)})
    output = signal.loss(trunk, unlabelled_batch(bright_top_images()))
    assert output.metrics["accuracy"] == 1 and output.loss < 1e-4
    # what is turned clockwise by itself is told one quarter wrong, always
    output = signal.loss(trunk, unlabelled_batch(torch.rot90(bright_top_images(), -1, (2, 3))))
    assert output.metrics["accuracy"] == 0


def test_a_head_that_predicts_nothing_has_the_trivial_loss():
    signal, trunk = Rotation(), RecordingTrunk(half_brightness, 4)
    signal.build(trunk)
    signal.head.load_state_dict({"weight": torch.zeros(4, 4), "bias": torch.zeros(4)})
    assert (
        signal.loss(trunk, unlabelled_batch(bright_top_images())).loss.item()
        == pytest.approx(signal.chance_loss())
        == math.log(4)
    )
    # an image that looks the same from all sides can only be guessed, by whatever head
    signal.head.reset_parameters()
    assert signal.loss(trunk, unlabelled_batch(torch.rand(5, 1, 1, 1).expand(-1, -1, 6, 6))).loss >= math.log(4) - 1e-6


def test_only_squares_can_be_turned():
    signal, trunk = build_signal(Rotation())
    with pytest.raises(CaudexError, match="images of 6 x 8 do not fit themselves when rotated; crop them to squares"):
        signal.loss(trunk, unlabelled_batch(torch.rand(2, 1, 6, 8)))
