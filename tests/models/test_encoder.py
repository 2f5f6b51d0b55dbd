"""Features of a trunk, and its statistics measured again."""

from copy import deepcopy

import pytest
import torch
from helpers.probing import HalvesTrunk, image_set, noise_pixels
from torch import nn
from torch.testing import assert_close

from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.core.trunk import Wrapped
from caudex.models.encoder import Encoder, extract_features, update_bn
from caudex.signals import Rotation
from caudex.trunks import Conv, ResNet

# -- features ------------------------------------------------------------------------------------------------------


def test_of_a_map_the_positive_and_the_negative_parts_count():
    images = torch.tensor([[0.75, 0.75], [0.5, 0.25]]).view(1, 1, 2, 2)  # standardised: 1, 1, 0 and -1
    features_ = extract_features(HalvesTrunk(), images)
    assert list(features_) == ["map", "pooled"]
    assert features_["map"].tolist() == [[0.5, 1.5, 0.25, 0.75]] and features_["pooled"].tolist() == [[0.25]]


def test_of_a_real_trunk_all_layers_come_the_pooled_vector_last():
    features_ = extract_features(ResNet(1, 4, 1), image_set(noise_pixels()))
    assert {name: tuple(layer.shape) for name, layer in features_.items()} == {
        "stage1": (40, 8), "stage2": (40, 16), "stage3": (40, 32), "pooled": (40, 16),
    }  # fmt: skip
    assert list(features_)[-1] == "pooled"


def test_features_are_those_of_eval_mode_without_gradients_however_many_at_once():
    trunk, pixels = ResNet(1, 4, 1, dropout=0.5, survival=0.5).train(), noise_pixels(25)
    all_features = extract_features(trunk, image_set(pixels))
    for features_ in (
        extract_features(trunk, pixels, batch_size=7),
        extract_features(trunk, pixels.float() / 255, batch_size=1),
    ):
        assert all(torch.allclose(features_[name], layer, atol=1e-5) for name, layer in all_features.items())
    assert_close(all_features["pooled"], deepcopy(trunk).eval()(pixels).pooled.detach(), atol=1e-5, rtol=1e-5)
    assert not any(layer.requires_grad for layer in all_features.values())
    looking = HalvesTrunk()
    extract_features(looking, pixels, batch_size=10)
    assert looking.passes == [(10, False, False), (10, False, False), (5, False, False)]


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_the_trunk_as_it_was(training):
    trunk = ResNet(1, 4, 1).train(training)
    before = deepcopy(trunk.state_dict())
    extract_features(trunk, image_set(noise_pixels()))
    assert all(module.training is training for module in trunk.modules())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_any_module_has_features():
    trunk = Wrapped(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), width=3)
    images = torch.rand(5, 1, 8, 8)
    assert_close(extract_features(trunk, images), {"pooled": trunk(images).pooled.detach()})


def test_an_encoder_is_the_averaged_trunk():
    learner = Learner(ResNet(1, 4, 1), {"rotation": Rotation()}, average=0.9)
    nn.init.ones_(learner.averaged[0].stem.weight)
    encoder, pixels = Encoder(learner, ImageSpec((1, 8, 8))), noise_pixels()
    assert encoder.image_format.shape == (1, 8, 8) and encoder.trunk is not learner.trunk
    assert_close(encoder.features(pixels)["pooled"], encoder(pixels).detach())
    assert not torch.allclose(encoder(pixels), learner.trunk.eval()(pixels).pooled)


# -- update_bn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_the_given_images(training):
    trunk, pixels = ResNet(1, 4, 1).train(training), noise_pixels(100)
    norm = trunk.stages[0][0].norm1
    norm.running_mean.fill_(7)
    update_bn(trunk, image_set(pixels))
    with torch.no_grad():
        activations = trunk.stem(trunk.standardise(pixels)).movedim(1, 0).flatten(1)  # [4, N H W]
    assert_close(norm.running_mean, activations.mean(1), atol=1e-5, rtol=1e-4)
    assert_close(norm.running_var, activations.var(1), atol=1e-5, rtol=1e-4)


def test_of_several_batches_each_counts_alike():
    trunk, pixels = Conv(1, width=4), torch.cat([noise_pixels(500), noise_pixels(500) // 8])
    update_bn(trunk, pixels)
    with torch.no_grad():
        parts = [trunk.stages[0][0](trunk.standardise(part)).movedim(1, 0).flatten(1) for part in pixels.chunk(4)]
    norm = trunk.stages[0][1]
    assert_close(norm.running_mean, torch.stack([part.mean(1) for part in parts]).mean(0), atol=1e-5, rtol=1e-4)
    assert_close(norm.running_var, torch.stack([part.var(1) for part in parts]).mean(0), atol=1e-5, rtol=1e-4)


def test_a_sample_is_spread_over_the_set():
    looking = HalvesTrunk()
    sides = [noise_pixels(4) * 0, noise_pixels(4) * 0 + 255]
    trunk = ResNet(1, 4, 1)
    update_bn(trunk, torch.cat(sides), num_images=2)  # one of each: the sample is not the first two
    with torch.no_grad():
        activations = trunk.stem(trunk.standardise(torch.cat([sides[0][:1], sides[1][:1]]))).mean((0, 2, 3))
    assert_close(trunk.stages[0][0].norm1.running_mean, activations, atol=1e-5, rtol=1e-4)
    update_bn(looking, noise_pixels(700))
    assert sum(count for count, _, _ in looking.passes) == 700
    assert all(count >= 100 and not gradients for count, _, gradients in looking.passes)


@pytest.mark.parametrize("training", [True, False])
def test_weights_momentum_and_mode_stay(training):
    trunk = ResNet(1, 4, 1).train(training)
    norms = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].momentum, norms[1].momentum = 0.3, None
    momenta, before = [norm.momentum for norm in norms], deepcopy(trunk.state_dict())
    update_bn(trunk, image_set(noise_pixels()))
    assert [norm.momentum for norm in norms] == momenta
    assert all(module.training is training for module in trunk.modules())
    changed = {name for name, value in trunk.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "running_" in name or "num_batches_tracked" in name}


def test_branches_that_are_dropped_in_training_are_not_dropped_when_it_counts():
    trunk, pixels = ResNet(1, 4, 2, survival=0.5).train(), noise_pixels(100)
    training = deepcopy(trunk)
    update_bn(trunk.eval(), pixels)
    update_bn(training, pixels)
    assert_close(training.norm.running_var, trunk.norm.running_var, atol=1e-5, rtol=1e-4)


def test_a_trunk_that_was_shown_other_images_meets_whole_ones_as_in_training():
    trunk, pixels = ResNet(1, 4, 1).train(), noise_pixels(100)
    with torch.no_grad():
        for _ in range(20):
            trunk(pixels // 16)  # what a signal made of them
        expected = trunk(pixels).pooled  # normalised by themselves
    strayed = extract_features(trunk, pixels)["pooled"]
    update_bn(trunk, pixels)
    mended = extract_features(trunk, pixels)["pooled"]
    assert_close(mended, expected, atol=1e-2, rtol=1e-2)
    assert (strayed - expected).abs().mean() > 10 * (mended - expected).abs().mean()


def test_a_trunk_without_batch_normalisation_has_nothing_to_change():
    trunk = Conv(1, width=4, norm="group")
    before = deepcopy(trunk.state_dict())
    update_bn(trunk, image_set(noise_pixels()))
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
