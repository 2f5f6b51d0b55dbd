"""Colorization: the trunk sees no colour, and the loss by hand."""

import math

import pytest
import torch
from helpers.signals import ConstantHead, build_signal, unlabelled_batch, zero_decoder
from torch.nn import functional as F
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.core.signal import signal_from_spec
from caudex.core.specs import ImageSpec
from caudex.signals import Colorization
from caudex.trunks import ResNet
from caudex.views import encode_ab, lab_to_rgb, rgb_to_lab


def uniform_image(lightness, a, b, side=8):
    """An image [1, 3, side, side]."""
    return lab_to_rgb(torch.tensor([lightness, a, b]).view(1, 3, 1, 1)).expand(-1, -1, side, side)


def soft_hues(lightness, hue):
    """Images of a lightness [B, 1, H, W] and one soft hue that is drawn for each pixel."""
    angle = hue * torch.rand_like(lightness) * 2 * math.pi
    return lab_to_rgb(torch.cat([lightness, 20 * angle.cos(), 20 * angle.sin()], 1))


def test_what_the_trunk_sees_does_not_depend_on_the_colours():
    signal, trunk = Colorization(), ResNet(3, 4, 1).eval()
    signal.build(trunk)
    trunk.standardise.set_statistics((torch.rand(50, 3, 9, 9) * torch.tensor([255, 90, 20.0]).view(3, 1, 1)).byte())
    lightness = 45 + 20 * torch.rand(4, 1, 12, 12)  # between them all these hues are colours that sRGB has
    one, other = soft_hues(lightness, 0.0), soft_hues(lightness, 1.0)
    assert (one - other).abs().mean() > 0.05
    logits = [signal.eval().logits(trunk, rgb_to_lab(images)[:, :1]) for images in (one, other)]
    assert_close(*logits, atol=1e-3, rtol=0)
    trunk_inputs = []
    trunk.register_forward_pre_hook(lambda module, given: trunk_inputs.append(given[0]))
    for images in (one, other):
        signal.loss(trunk, unlabelled_batch(images))
    assert_close(*trunk_inputs, atol=1e-4, rtol=0)
    assert torch.equal(trunk_inputs[0][:, 0], trunk_inputs[0][:, 1]) and torch.equal(
        trunk_inputs[0][:, 0], trunk_inputs[0][:, 2]
    )


def test_grey_images_cannot_teach_colour():
    with pytest.raises(CaudexError, match="cannot learn colour"):  # by name, before anything is learned
        signal_from_spec("colorization", ImageSpec((1, 20, 20)))[1].build(ResNet(1, 4, 1))
    signal, trunk = build_signal(Colorization(), channels=3)
    with pytest.raises(CaudexError, match=r"shape \[2, 1, 8, 8\]|cannot learn colour"):
        signal.loss(trunk, unlabelled_batch(torch.rand(2, 1, 8, 8)))


def test_uniform_predictions_have_ln_q_times_the_mean_rarity():
    signal, trunk = build_signal(Colorization(), channels=3)
    zero_decoder(signal)
    count = len(signal.bin_centres)
    assert signal.chance_loss() == math.log(count)
    output = signal.loss(trunk, unlabelled_batch(uniform_image(60.0, 10.0, -20.0)))
    # the colour stands on a centre, its four neighbours two deviations off; each bin is seen a fiftieth anew
    near = 1 / (1 + 4 * math.exp(-2))
    shares = [0.98 / count + 0.02 * part for part in (near, *[near * math.exp(-2)] * 4, *[0.0] * (count - 5))]
    weights = [1 / (0.5 * share + 0.5 / count) for share in shares]
    rarity = weights[0] / sum(share * weight for share, weight in zip(shares, weights))
    assert output.loss.item() == pytest.approx(math.log(count) * rarity, rel=1e-3)
    # of many colours: the mean of the rarity of each
    images = torch.rand(4, 3, 12, 12)
    output = signal.loss(trunk, unlabelled_batch(images))
    colours = F.avg_pool2d(rgb_to_lab(images)[:, 1:], 2).movedim(1, 3).flatten(0, 2)  # [N, 2]
    rare = signal.bin_weights()[torch.cdist(colours, signal.bin_centres).argmin(1)]
    assert output.loss.item() == pytest.approx(math.log(count) * rare.mean().item(), rel=1e-3)


def test_the_target_is_spread_over_the_nearest_bins():
    signal, trunk = build_signal(Colorization(), channels=3)
    near = 1 / (1 + 4 * math.exp(-2))
    target = torch.zeros(len(signal.bin_centres))
    for a, b in ((10, -20), (0, -20), (20, -20), (10, -10), (10, -30)):
        target[(signal.bin_centres == torch.tensor([a, b])).all(1)] = near * (
            1 if (a, b) == (10, -20) else math.exp(-2)
        )
    assert target.sum().item() == pytest.approx(1)
    signal.head = ConstantHead(target.clamp_min(1e-9).log().view(1, -1, 1, 1).expand(-1, -1, 4, 4))
    output = signal.loss(trunk, unlabelled_batch(uniform_image(60.0, 10.0, -20.0)))
    rare = signal.bin_weights()[target.argmax()]
    entropy = -(target * target.clamp_min(1e-9).log()).sum()
    assert_close(output.loss, entropy * rare, rtol=2e-3, atol=0)  # what a target that is not sharp must cost
    sure = 100 * F.one_hot(target.argmax(), len(target)).float()
    signal.head = ConstantHead(sure.view(1, -1, 1, 1).expand(-1, -1, 4, 4))
    output = signal.loss(trunk, unlabelled_batch(uniform_image(60.0, 10.0, -20.0)))
    assert_close(
        output.loss, 100 * (1 - near) * signal.bin_weights()[target.argmax()], rtol=2e-3, atol=0
    )  # and too sure, more


def test_rarity_has_mean_one_over_what_is_seen_and_rare_colours_weigh_more():
    signal = Colorization()
    assert_close(signal.bin_weights(), torch.ones(len(signal.bin_centres)))  # until something is seen
    signal.bin_frequencies.copy_(torch.rand(len(signal.bin_frequencies)) ** 8)
    signal.bin_frequencies.div_(signal.bin_frequencies.sum())
    rarity = signal.bin_weights()
    assert (signal.bin_frequencies * rarity).sum().item() == pytest.approx(1, abs=1e-5)
    assert (rarity[signal.bin_frequencies.argsort()].diff() <= 0).all()
    assert_close(Colorization(rebalance=1.0).bin_weights(), torch.ones(len(signal.bin_centres)))
    bare = Colorization(rebalance=0.0)
    bare.bin_frequencies.copy_(signal.bin_frequencies.clamp_min(1e-4))
    assert_close(
        bare.bin_weights() * bare.bin_frequencies,
        torch.full_like(bare.bin_frequencies, float(bare.bin_weights()[0] * bare.bin_frequencies[0])),
    )


def test_shares_of_colours_are_those_of_the_images_and_sum_to_one():
    signal, trunk = build_signal(Colorization(), channels=3)
    many, few = uniform_image(60.0, 10.0, -20.0), uniform_image(60.0, -30.0, 30.0)
    images = torch.cat([many] * 3 + [few])
    encoded = encode_ab(F.avg_pool2d(rgb_to_lab(images)[:, 1:], 2), signal.bin_centres)
    for _ in range(300):
        signal.update_frequencies(*encoded)
    assert signal.bin_frequencies.sum().item() == pytest.approx(1, abs=1e-4)
    bins = {(10, -20): 0.75, (-30, 30): 0.25}
    for place, share in bins.items():
        around = (signal.bin_centres - torch.tensor(place)).abs().sum(1) <= 10  # the bin and its four neighbours
        assert signal.bin_frequencies[around].sum().item() == pytest.approx(share, abs=0.01)
    common, rare = ((signal.bin_centres == torch.tensor(place)).all(1) for place in bins)
    weight = [
        0.5 * share * signal.bin_frequencies[common].item() / 0.75 + 0.5 / len(signal.bin_frequencies)
        for share in (0.25, 0.75)
    ]
    assert (signal.bin_weights()[rare] / signal.bin_weights()[common]).item() == pytest.approx(
        weight[1] / weight[0], rel=0.01
    )
    before = signal.bin_frequencies.clone()
    signal.loss(trunk, unlabelled_batch(images))
    assert_close(signal.bin_frequencies, before, atol=1e-3, rtol=0)


def test_what_was_seen_is_in_the_checkpoint():
    signal, trunk = build_signal(Colorization(), channels=3)
    signal.loss(trunk, unlabelled_batch(torch.rand(4, 3, 8, 8)))
    again, _ = build_signal(Colorization(), channels=3)
    assert not torch.equal(again.bin_frequencies, signal.bin_frequencies)
    again.load_state_dict(signal.state_dict())
    assert torch.equal(again.bin_frequencies, signal.bin_frequencies) and torch.equal(
        again.bin_weights(), signal.bin_weights()
    )


@pytest.mark.parametrize(("size", "half"), [((12, 12), (6, 6)), ((13, 7), (7, 4))])
def test_colours_are_predicted_at_half_the_side(size, half):
    signal, trunk = build_signal(Colorization(), channels=3)
    images = torch.rand(2, 3, *size)
    logits = signal.logits(trunk, rgb_to_lab(images)[:, :1])
    assert logits.shape == (2, len(signal.bin_centres), *half)
    assert signal.decode_colours(logits).shape == (2, 2, *half)
    assert signal.loss(trunk, unlabelled_batch(images)).loss.isfinite()
