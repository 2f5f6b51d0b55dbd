"""A new discriminator finds what separates domains, and tells a fooled one from confused domains."""

import pytest
import torch

from caudex.evaluation.domain_probe import describe_confusion, discriminator_accuracy, probe_domains


def clouds(shift):
    source, target = torch.randn(2, 400, 5, generator=torch.Generator().manual_seed(1))
    target[:, 0] += shift
    return source, target


def test_what_is_far_apart_is_told_and_what_is_the_same_is_not():
    apart, same = probe_domains(*clouds(20.0), seed=0), probe_domains(*clouds(0.0), seed=0)
    assert apart["probe"] == 1 and apart["a_distance"] == 2
    assert same["probe"] == pytest.approx(0.5, abs=0.09) and abs(same["a_distance"]) < 0.35
    assert probe_domains(*clouds(20.0), seed=0) == apart


def test_domains_that_no_plane_separates_are_told_too():
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(800, 2, generator=generator), dim=1)
    near, far = directions[:400], 3 * directions[400:]
    assert probe_domains(near, far, seed=0)["probe"] > 0.97


def test_the_larger_domain_does_not_give_itself_away():
    source, target = clouds(0.0)
    assert probe_domains(source, target[:60], seed=0)["probe"] < 0.75  # 0.87 for one who says "source" to all


@pytest.mark.parametrize(
    "discriminator, probe, std, says",
    [
        (0.52, 0.51, 1.0, "the domains are confused: a new discriminator"),
        (
            0.50,
            0.97,
            1.0,
            "the discriminator was fooled, the domains are not confused: it tells 50% of the images, a new one 97%",
        ),
        (0.93, 0.99, 1.0, "the domains are not confused: the discriminator tells 93%"),
        (0.50, 0.50, 0.001, "the features have collapsed"),
    ],
)
def test_one_half_is_no_proof(discriminator, probe, std, says):
    assert describe_confusion({"discriminator": discriminator, "probe": probe, "std": std}).startswith(says)


def test_features_that_have_collapsed_have_no_deviation():
    assert probe_domains(torch.ones(50, 4), torch.ones(50, 4), seed=0)["std"] < 0.02


def test_both_domains_count_alike_for_the_discriminator():
    always_target = torch.nn.Linear(4, 2)
    torch.nn.init.zeros_(always_target.weight)
    always_target.bias.data = torch.tensor([0.0, 1.0])
    assert discriminator_accuracy(always_target, torch.ones(10, 4), torch.ones(90, 4)) == 0.5
