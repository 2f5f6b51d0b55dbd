"""Denoising: the noise has its standard deviation, and the trunk never sees the clean image."""

import pytest
import torch
from helpers.signals import build_signal, unlabelled_batch

from caudex.signals import Denoising


def test_leaving_the_noise_has_error_one_and_the_clean_image_none(monkeypatch):
    signal, trunk = build_signal(Denoising())
    images = torch.rand(4, 1, 12, 12)
    for part, error in ((0.0, 1.0), (0.5, 0.25), (1.0, 0.0)):  # the way from the noise to the truth
        monkeypatch.setattr(signal, "denoise", lambda trunk, noised, part=part: noised.lerp(images, part))
        assert signal.loss(trunk, unlabelled_batch(images)).loss.item() == pytest.approx(error, abs=1e-6)
    assert signal.chance_loss() == 1


@pytest.mark.parametrize("std", [0.02, 0.1])
def test_the_noise_has_its_std_and_images_stay_in_their_range(std):
    noise = Denoising(std).add_noise(torch.full((8, 1, 50, 50), 0.5)) - 0.5
    assert noise.std().item() == pytest.approx(std, rel=0.05) and abs(noise.mean()) < 0.03 * std
    noised = Denoising(std).add_noise(torch.rand(8, 1, 50, 50).round())
    assert noised.min() == 0 and noised.max() == 1


def test_the_trunk_sees_the_noised_image_and_never_the_clean_one():
    signal, trunk = build_signal(Denoising(0.1))
    images, trunk_inputs = torch.rand(4, 1, 12, 12), []
    trunk.register_forward_pre_hook(lambda module, given: trunk_inputs.append(given[0]))
    torch.manual_seed(3)
    signal.loss(trunk, unlabelled_batch(images))
    torch.manual_seed(3)
    assert len(trunk_inputs) == 1 and torch.equal(trunk_inputs[0], signal.add_noise(images))
