"""Probing: known features have known probes and spectra, and looking at a trunk does not change it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from caudex.core.learner import Learner
from caudex.core.trunk import Features, Trunk, Wrapped
from caudex.data import ImageSet, InMemoryImages
from caudex.evaluation.probing import COLLAPSED, linear, neighbours, probe, spectrum
from caudex.models.encoder import Encoder, features, recalibrate
from caudex.signals import Rotation
from caudex.trunks import Conv, ResNet, Standardise


def of(pixels, labels=None):
    labels = torch.zeros(len(pixels), dtype=torch.long) if labels is None else labels
    return ImageSet(InMemoryImages(pixels, [""] * len(pixels)), labels, ("dark", "bright"))


def noise(count=40, channels=1, side=8):
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8)


def dark_and_bright(count=60):
    """Images of two classes, taking turns."""
    labels = torch.arange(count) % 2
    return of((noise(count) // 8 + 200 * labels.view(-1, 1, 1, 1)).byte(), labels)


class Halves(Trunk):
    """Its one map [B, 2, H, W] is the standardised image, positive or negative; pooled is its mean."""

    def __init__(self):
        super().__init__()
        self.standardise, self.width, self.widths, self.passes = Standardise(1), 1, {"map": 2}, []

    def forward(self, x, state=None):
        self.passes.append((len(x), self.training, torch.is_grad_enabled()))
        x = self.standardise(x)
        return Features(x.mean((2, 3)), {"map": torch.cat([x, 3 * x], 1)})


# ------------------------------------------------------------------------------------------------ features


def test_of_a_map_the_positive_and_the_negative_parts_count():
    images = torch.tensor([[0.75, 0.75], [0.5, 0.25]]).view(1, 1, 2, 2)  # standardised: 1, 1, 0 and -1
    made = features(Halves(), images)
    assert list(made) == ["map", "pooled"]
    assert made["map"].tolist() == [[0.5, 1.5, 0.25, 0.75]] and made["pooled"].tolist() == [[0.25]]


def test_of_a_real_trunk_all_layers_come_the_pooled_vector_last():
    made = features(ResNet(1, 4, 1), of(noise()))
    assert {name: tuple(layer.shape) for name, layer in made.items()} == {
        "stage1": (40, 8), "stage2": (40, 16), "stage3": (40, 32), "pooled": (40, 16),
    }  # fmt: skip
    assert list(made)[-1] == "pooled"


def test_features_are_those_of_eval_mode_without_gradients_however_many_at_once():
    trunk, pixels = ResNet(1, 4, 1, dropout=0.5, survival=0.5).train(), noise(25)
    whole = features(trunk, of(pixels))
    for made in (features(trunk, pixels, batch=7), features(trunk, pixels.float() / 255, batch=1)):
        assert all(torch.allclose(made[name], layer, atol=1e-5) for name, layer in whole.items())
    assert_close(whole["pooled"], deepcopy(trunk).eval()(pixels).pooled.detach(), atol=1e-5, rtol=1e-5)
    assert not any(layer.requires_grad for layer in whole.values())
    looking = Halves()
    features(looking, pixels, batch=10)
    assert looking.passes == [(10, False, False), (10, False, False), (5, False, False)]


@pytest.mark.parametrize("training", [True, False])
def test_looking_leaves_the_trunk_as_it_was(training):
    trunk = ResNet(1, 4, 1).train(training)
    before = deepcopy(trunk.state_dict())
    features(trunk, of(noise()))
    assert all(module.training is training for module in trunk.modules())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_any_module_has_features():
    trunk = Wrapped(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), width=3)
    images = torch.rand(5, 1, 8, 8)
    assert_close(features(trunk, images), {"pooled": trunk(images).pooled.detach()})


def test_an_encoder_is_the_averaged_trunk():
    learner = Learner(ResNet(1, 4, 1), {"rotation": Rotation()}, average=0.9)
    nn.init.ones_(learner.averaged[0].stem.weight)
    encoder, pixels = Encoder(learner, {"shape": [1, 8, 8]}), noise()
    assert encoder.shape == (1, 8, 8) and encoder.trunk is not learner.trunk
    assert_close(encoder.features(pixels)["pooled"], encoder(pixels).detach())
    assert not torch.allclose(encoder(pixels), learner.trunk.eval()(pixels).pooled)


# ------------------------------------------------------------------------------------------------ recalibrate


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_the_given_pictures(training):
    trunk, pixels = ResNet(1, 4, 1).train(training), noise(100)
    norm = trunk.stages[0][0].norm1
    norm.running_mean.fill_(7)
    recalibrate(trunk, of(pixels))
    with torch.no_grad():
        seen = trunk.stem(trunk.standardise(pixels)).movedim(1, 0).flatten(1)  # [4, N H W]
    assert_close(norm.running_mean, seen.mean(1), atol=1e-5, rtol=1e-4)
    assert_close(norm.running_var, seen.var(1), atol=1e-5, rtol=1e-4)


def test_of_several_batches_each_counts_alike():
    trunk, pixels = Conv(1, width=4), torch.cat([noise(500), noise(500) // 8])
    recalibrate(trunk, pixels)
    with torch.no_grad():
        parts = [trunk.stages[0][0](trunk.standardise(part)).movedim(1, 0).flatten(1) for part in pixels.chunk(4)]
    norm = trunk.stages[0][1]
    assert_close(norm.running_mean, torch.stack([part.mean(1) for part in parts]).mean(0), atol=1e-5, rtol=1e-4)
    assert_close(norm.running_var, torch.stack([part.var(1) for part in parts]).mean(0), atol=1e-5, rtol=1e-4)


def test_a_sample_is_spread_over_the_set():
    looking = Halves()
    sides = [noise(4) * 0, noise(4) * 0 + 255]
    trunk = ResNet(1, 4, 1)
    recalibrate(trunk, torch.cat(sides), sample=2)  # one of each: the sample is not the first two
    with torch.no_grad():
        seen = trunk.stem(trunk.standardise(torch.cat([sides[0][:1], sides[1][:1]]))).mean((0, 2, 3))
    assert_close(trunk.stages[0][0].norm1.running_mean, seen, atol=1e-5, rtol=1e-4)
    recalibrate(looking, noise(700))
    assert sum(count for count, _, _ in looking.passes) == 700
    assert all(count >= 100 and not gradients for count, _, gradients in looking.passes)


@pytest.mark.parametrize("training", [True, False])
def test_weights_momentum_and_mode_stay(training):
    trunk = ResNet(1, 4, 1).train(training)
    norms = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].momentum, norms[1].momentum = 0.3, None
    momenta, before = [norm.momentum for norm in norms], deepcopy(trunk.state_dict())
    recalibrate(trunk, of(noise()))
    assert [norm.momentum for norm in norms] == momenta
    assert all(module.training is training for module in trunk.modules())
    changed = {name for name, value in trunk.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "running_" in name or "num_batches_tracked" in name}


def test_branches_that_are_dropped_in_training_are_not_dropped_when_it_counts():
    trunk, pixels = ResNet(1, 4, 2, survival=0.5).train(), noise(100)
    training = deepcopy(trunk)
    recalibrate(trunk.eval(), pixels)
    recalibrate(training, pixels)
    assert_close(training.norm.running_var, trunk.norm.running_var, atol=1e-5, rtol=1e-4)


def test_a_trunk_that_was_shown_other_pictures_meets_whole_ones_as_in_training():
    trunk, pixels = ResNet(1, 4, 1).train(), noise(100)
    with torch.no_grad():
        for _ in range(20):
            trunk(pixels // 16)  # what a signal made of them
        wanted = trunk(pixels).pooled  # normalised by themselves
    strayed = features(trunk, pixels)["pooled"]
    recalibrate(trunk, pixels)
    mended = features(trunk, pixels)["pooled"]
    assert_close(mended, wanted, atol=1e-2, rtol=1e-2)
    assert (strayed - wanted).abs().mean() > 10 * (mended - wanted).abs().mean()


def test_a_trunk_without_batch_normalisation_has_nothing_to_change():
    trunk = Conv(1, width=4, norm="group")
    before = deepcopy(trunk.state_dict())
    recalibrate(trunk, of(noise()))
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


# ------------------------------------------------------------------------------------------------ probes


def clusters(count=60, dimensions=5, classes=3):
    """Points around one corner for each class, and their labels."""
    labels = torch.arange(count) % classes
    return torch.randn(count, dimensions) * 0.1 + 3 * torch.eye(classes, dimensions)[labels], labels


def test_what_a_plane_divides_is_told_without_an_error_whatever_its_units():
    known, labels = clusters()
    signal_from_spec, truth = clusters(30)
    assert linear(known, labels, signal_from_spec, truth) == 1.0
    units = torch.tensor([1e-4, 1e-4, 1e-4, 1e4, 1e4])  # what tells nothing is large
    assert linear(known * units + 5, labels, signal_from_spec * units + 5, truth) == 1.0
    assert linear(known, labels, signal_from_spec, (truth + 1) % 3) == 0.0
    assert linear(known, labels, signal_from_spec, torch.zeros_like(truth)) == pytest.approx(1 / 3)


def test_what_no_plane_divides_the_neighbours_tell():
    angle = torch.rand(400) * 2 * torch.pi
    points, labels = torch.stack([angle.cos(), angle.sin()], 1), (angle / (torch.pi / 2)).long() % 2  # quarters
    split = points[:300], labels[:300], points[300:], labels[300:]
    assert linear(*split) < 0.7
    assert neighbours(*split, count=5) > 0.95


def test_neighbours_do_not_mind_the_length():
    known, labels = clusters()
    signal_from_spec, truth = clusters(30)
    known[:, 3], signal_from_spec[:, 3] = 1.0, 1.0
    found = neighbours(known, labels, signal_from_spec, truth)
    lengths = [torch.rand(len(part), 1) * 100 + 0.01 for part in (known, signal_from_spec)]
    assert neighbours(known * lengths[0], labels, signal_from_spec * lengths[1], truth) == found == 1.0
    # by distance the long one of the other class would be far away; by angle it is the nearest
    right, up = torch.tensor([[100.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    assert neighbours(right, up, torch.tensor([[1.0, 0.2]]), torch.tensor([0]), count=1) == 1.0


def test_the_nearer_neighbour_weighs_more():
    def towards(*degrees):
        angle = torch.deg2rad(torch.tensor(degrees))
        return torch.stack([angle.cos(), angle.sin()], 1)

    known, labels, signal_from_spec = towards(1.0, 30.0, -30.0), torch.tensor([0, 1, 1]), towards(0.0)
    assert neighbours(known, labels, signal_from_spec, torch.tensor([0]), count=3) == 1.0  # 57 against 1.9 and 1.9
    assert (
        neighbours(towards(20.0, 30.0, -30.0), labels, signal_from_spec, torch.tensor([1]), count=3) == 1.0
    )  # 2.9 against 3.9
    assert neighbours(known, labels, signal_from_spec, torch.tensor([0])) == 1.0  # of fewer than twenty, all


def test_a_probe_tells_of_each_layer_and_does_not_move_the_trunk():
    trunk, known, test = ResNet(1, 4, 1), dark_and_bright(), dark_and_bright(20)
    before = deepcopy(trunk.state_dict())
    found = probe(trunk, known, test)
    assert list(found) == ["stage1", "stage2", "stage3", "pooled"]
    assert all(set(layer) == {"linear", "neighbours", "held out"} for layer in found.values())
    assert all(figure == 1.0 for layer in found.values() for figure in layer.values())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_a_layer_is_chosen_without_the_tests_labels():
    trunk, known, test = ResNet(1, 4, 1), dark_and_bright(), dark_and_bright(20)
    wrong = of(test.fetch(slice(None)), 1 - test.labels)
    for layer in probe(trunk, known, wrong).values():
        assert layer == {"linear": 0.0, "neighbours": 0.0, "held out": 1.0}


def test_held_out_pictures_are_not_learned_from():
    labels = torch.arange(30) % 2
    pixels = (noise(30) // 2 + 60 * labels.view(-1, 1, 1, 1)).byte()
    labels[::5] = 1 - labels[::5]  # the fifth that is held out is labelled wrongly, which could be learned by heart
    found = probe(ResNet(1, 8, 1), of(pixels, labels), dark_and_bright(20))
    assert found["stage3"]["held out"] == 0.0


def test_one_known_class_is_told_of_all():
    known, truth = torch.zeros(3, dtype=torch.long), torch.tensor([0, 1, 1, 0, 0])
    assert linear(torch.rand(3, 2), known, torch.rand(5, 2), truth) == pytest.approx(0.6)


def test_no_more_labels_are_used_than_allowed():
    trunk = Halves()
    probe(trunk, dark_and_bright(60), dark_and_bright(20), most=30)
    assert [count for count, _, _ in trunk.passes] == [30, 20]


@pytest.mark.parametrize(("count", "most"), [(10, 10), (10, 50), (100, 7), (101, 100), (5000, 4999), (60_001, 10_000)])
def test_some_are_spread_evenly_from_the_first_to_the_last(count, most):
    images = of(torch.zeros(count, 1, 1, 1, dtype=torch.uint8), torch.arange(count))
    chosen = images.some(most).labels
    assert len(chosen) == min(count, most) and chosen[0] == 0 and chosen[-1] == count - 1
    gaps = chosen.diff()
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


def test_some_of_files_that_lie_class_by_class_are_of_all_classes():
    labels = torch.arange(10).repeat_interleave(100)
    counts = torch.bincount(of(torch.zeros(1000, 1, 1, 1, dtype=torch.uint8), labels).some(100).labels)
    assert counts.min() >= 9 and counts.max() <= 11


# ------------------------------------------------------------------------------------------------ spectrum


def test_features_along_one_line_have_rank_one():
    line = torch.randn(500, 1) * torch.randn(1, 8)
    assert spectrum(line)["effective rank"] == pytest.approx(1, abs=1e-3)
    assert spectrum(line + 5 * torch.randn(8))["effective rank"] == pytest.approx(1, abs=1e-3)  # the mean is no rank


@pytest.mark.parametrize("dimensions", [2, 8, 32])
def test_features_in_all_directions_have_full_rank_and_deviation_one(dimensions):
    found = spectrum(torch.randn(4000, dimensions))
    assert 0.98 * dimensions < found["effective rank"] <= dimensions
    assert found["deviation"] == pytest.approx(1, rel=0.03)


def test_the_effective_rank_by_hand():
    # along two axes with singular values 3 and 1: shares 3/4 and 1/4
    points = torch.tensor([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert spectrum(points)["effective rank"] == pytest.approx(np.exp(entropy))
    assert spectrum(100 * points)["effective rank"] == pytest.approx(np.exp(entropy))
    # of unit length: 1, -1, 0 and 0 along two of three axes; deviation sqrt(2/3) of each, nothing along the third
    assert spectrum(points)["deviation"] == pytest.approx(2 / 3 * (2 / 3) ** 0.5 * 3**0.5)


def test_collapsed_features_are_seen():
    collapsed = torch.randn(1, 16).expand(300, -1)
    assert spectrum(collapsed) == pytest.approx({"effective rank": 1.0, "deviation": 0.0}, abs=1e-6)
    nearly = collapsed + 1e-4 * torch.randn(300, 16)
    assert spectrum(nearly)["deviation"] < COLLAPSED
    assert spectrum(torch.randn(300, 16))["deviation"] > 10 * COLLAPSED
    # a longer vector is no other one
    assert spectrum(collapsed * torch.rand(300, 1).add(0.1))["deviation"] == pytest.approx(0, abs=1e-6)
    nothing = spectrum(torch.zeros(300, 16))
    assert nothing["deviation"] == 0 and nothing["effective rank"] == pytest.approx(1)
