"""Probing: known features have known probes and spectra, and looking at a trunk does not change it."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.probing import HalvesTrunk, image_set, noise_pixels

from caudex.data.stratified import split_stratified
from caudex.evaluation.probing import COLLAPSED_STD, feature_spectrum, knn_accuracy, linear_probe_accuracy, probe_layers
from caudex.trunks import ResNet


def dark_and_bright_images(count=60):
    """Images of two classes, taking turns."""
    labels = torch.arange(count) % 2
    return image_set((noise_pixels(count) // 8 + 200 * labels.view(-1, 1, 1, 1)).byte(), labels)


# -- probes --------------------------------------------------------------------------------------------------------


def gaussian_clusters(count=60, dimensions=5, classes=3):
    """Points around one corner for each class, and their labels."""
    labels = torch.arange(count) % classes
    return torch.randn(count, dimensions) * 0.1 + 3 * torch.eye(classes, dimensions)[labels], labels


def test_a_linear_probe_separates_what_a_plane_divides_whatever_its_units():
    train, labels = gaussian_clusters()
    queries, test_labels = gaussian_clusters(30)
    assert linear_probe_accuracy(train, labels, queries, test_labels) == 1.0
    units = torch.tensor([1e-4, 1e-4, 1e-4, 1e4, 1e4])  # what tells nothing is large
    assert linear_probe_accuracy(train * units + 5, labels, queries * units + 5, test_labels) == 1.0
    assert linear_probe_accuracy(train, labels, queries, (test_labels + 1) % 3) == 0.0
    assert linear_probe_accuracy(train, labels, queries, torch.zeros_like(test_labels)) == pytest.approx(1 / 3)


def test_neighbours_separate_what_no_plane_divides():
    angle = torch.rand(400) * 2 * torch.pi
    points, labels = torch.stack([angle.cos(), angle.sin()], 1), (angle / (torch.pi / 2)).long() % 2  # quarters
    split = points[:300], labels[:300], points[300:], labels[300:]
    assert linear_probe_accuracy(*split) < 0.7
    assert knn_accuracy(*split, neighbours=5) > 0.95


def test_neighbours_do_not_mind_the_length():
    train, labels = gaussian_clusters()
    queries, test_labels = gaussian_clusters(30)
    train[:, 3], queries[:, 3] = 1.0, 1.0
    predictions = knn_accuracy(train, labels, queries, test_labels)
    lengths = [torch.rand(len(part), 1) * 100 + 0.01 for part in (train, queries)]
    assert knn_accuracy(train * lengths[0], labels, queries * lengths[1], test_labels) == predictions == 1.0
    # by distance the long one of the other class would be far away; by angle it is the nearest
    right, up = torch.tensor([[100.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    assert knn_accuracy(right, up, torch.tensor([[1.0, 0.2]]), torch.tensor([0]), neighbours=1) == 1.0


def test_the_nearer_neighbour_weighs_more():
    def towards(*degrees):
        angle = torch.deg2rad(torch.tensor(degrees))
        return torch.stack([angle.cos(), angle.sin()], 1)

    train, labels, queries = towards(1.0, 30.0, -30.0), torch.tensor([0, 1, 1]), towards(0.0)
    assert knn_accuracy(train, labels, queries, torch.tensor([0]), neighbours=3) == 1.0  # 57 against 1.9 and 1.9
    assert (
        knn_accuracy(towards(20.0, 30.0, -30.0), labels, queries, torch.tensor([1]), neighbours=3) == 1.0
    )  # 2.9 against 3.9
    assert knn_accuracy(train, labels, queries, torch.tensor([0])) == 1.0  # of fewer than twenty, all


def test_a_probe_reports_each_layer_and_does_not_move_the_trunk():
    trunk, train, test = ResNet(1, 4, 1), dark_and_bright_images(), dark_and_bright_images(20)
    before = deepcopy(trunk.state_dict())
    accuracies = {name: probe.accuracies for name, probe in probe_layers(trunk, train, test, 0).items()}
    assert list(accuracies) == ["stage1", "stage2", "stage3", "pooled"]
    assert all(set(layer) == {"linear", "neighbours", "held out"} for layer in accuracies.values())
    assert all(figure == 1.0 for layer in accuracies.values() for figure in layer.values())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_a_layer_is_chosen_without_the_tests_labels():
    trunk, train, test = ResNet(1, 4, 1), dark_and_bright_images(), dark_and_bright_images(20)
    wrong = image_set(test.fetch(slice(None)), 1 - test.labels)
    for layer in probe_layers(trunk, train, wrong, 0).values():
        assert layer.accuracies == {"linear": 0.0, "neighbours": 0.0, "held out": 1.0}


def test_held_out_images_are_not_learned_from():
    labels = torch.arange(30) % 2
    looks_like = labels.clone()
    _, held_out = split_stratified(labels, 0.2, 0, "best layer")
    looks_like[held_out] = 1 - labels[held_out]  # which could be learned by heart
    pixels = (noise_pixels(30) // 2 + 60 * looks_like.view(-1, 1, 1, 1)).byte()
    probes = probe_layers(ResNet(1, 8, 1), image_set(pixels, labels), dark_and_bright_images(20), 0)
    assert probes["stage3"].accuracies["held out"] == 0.0


def test_the_order_of_the_labels_does_not_matter_to_the_choice_of_a_layer():
    labels = torch.arange(40) % 10  # every fifth image is of two classes alone
    pixels = (25 * labels.view(-1, 1, 1, 1)).expand(-1, 1, 12, 12).byte().contiguous()
    images = image_set(pixels, labels)
    images = replace(images, classes=tuple("abcdefghij"))
    assert probe_layers(ResNet(1, 8, 1), images, images, 0)["pooled"].accuracies["held out"] > 0.9


def test_one_known_class_is_predicted_for_all():
    train, test_labels = torch.zeros(3, dtype=torch.long), torch.tensor([0, 1, 1, 0, 0])
    assert linear_probe_accuracy(torch.rand(3, 2), train, torch.rand(5, 2), test_labels) == pytest.approx(0.6)


def test_no_more_labels_are_used_than_allowed():
    trunk = HalvesTrunk()
    probe_layers(trunk, dark_and_bright_images(60), dark_and_bright_images(20), 0, max_labels=30)
    assert [count for count, _, _ in trunk.passes] == [30, 20]


# -- spectrum ------------------------------------------------------------------------------------------------------


def test_features_along_one_line_have_rank_one():
    line = torch.randn(500, 1) * torch.randn(1, 8)
    assert feature_spectrum(line)["effective rank"] == pytest.approx(1, abs=1e-3)
    assert feature_spectrum(line + 5 * torch.randn(8))["effective rank"] == pytest.approx(
        1, abs=1e-3
    )  # the mean is no rank


@pytest.mark.parametrize("dimensions", [2, 8, 32])
def test_features_in_all_directions_have_full_rank_and_std_one(dimensions):
    spectrum_ = feature_spectrum(torch.randn(4000, dimensions))
    assert 0.98 * dimensions < spectrum_["effective rank"] <= dimensions
    assert spectrum_["std"] == pytest.approx(1, rel=0.03)


def test_the_effective_rank_by_hand():
    # along two axes with singular values 3 and 1: shares 3/4 and 1/4
    points = torch.tensor([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert feature_spectrum(points)["effective rank"] == pytest.approx(np.exp(entropy))
    assert feature_spectrum(100 * points)["effective rank"] == pytest.approx(np.exp(entropy))
    # of unit length: 1, -1, 0 and 0 along two of three axes; deviation sqrt(2/3) of each, nothing along the third
    assert feature_spectrum(points)["std"] == pytest.approx(2 / 3 * (2 / 3) ** 0.5 * 3**0.5)


def test_collapsed_features_are_seen():
    collapsed = torch.randn(1, 16).expand(300, -1)
    assert feature_spectrum(collapsed) == pytest.approx({"effective rank": 1.0, "std": 0.0}, abs=1e-6)
    nearly = collapsed + 1e-4 * torch.randn(300, 16)
    assert feature_spectrum(nearly)["std"] < COLLAPSED_STD
    assert feature_spectrum(torch.randn(300, 16))["std"] > 10 * COLLAPSED_STD
    # a longer vector is no other one
    assert feature_spectrum(collapsed * torch.rand(300, 1).add(0.1))["std"] == pytest.approx(0, abs=1e-6)
    nothing = feature_spectrum(torch.zeros(300, 16))
    assert nothing["std"] == 0 and nothing["effective rank"] == pytest.approx(1)
