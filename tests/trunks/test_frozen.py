"""A pretrained trunk in two parts: together they are the whole, and only the second learns."""

import pytest
import torch
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.signals import Labels
from caudex.trunks import EfficientNetLite, FeatureTrunk, FrozenEncoder, ResNet
from caudex.trunks.frozen import FEATURE_NORM

IMAGES = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def efficientnet():
    torch.manual_seed(0)
    return EfficientNetLite().eval()


@pytest.mark.parametrize("tuned_blocks", [0, 2])
def test_both_parts_together_are_the_trunk(efficientnet, tuned_blocks):
    encoder = FrozenEncoder(efficientnet, tuned_blocks)
    trunk = FeatureTrunk(encoder).train()
    features = encoder(IMAGES)
    assert features.shape[1:] == ((192, 1, 1) if tuned_blocks else (1280,))
    with torch.no_grad():
        assert torch.allclose(trunk.pool(features), efficientnet(IMAGES).pooled, atol=1e-6)
        assert torch.equal(trunk(features).pooled, trunk(IMAGES).pooled)  # images go through the encoder first


def test_features_are_centred_and_of_one_length(efficientnet):
    encoder = FrozenEncoder(efficientnet)
    trunk, features = FeatureTrunk(encoder), encoder(IMAGES)
    trunk.set_statistics(features)
    assert torch.allclose(trunk(features).pooled, FEATURE_NORM * F.normalize(features - features.mean(0), dim=1))


def test_features_are_then_centred_on_the_labelled(efficientnet):
    encoder = FrozenEncoder(efficientnet)
    trunk, features = FeatureTrunk(encoder), encoder(IMAGES)
    trunk.set_statistics(features)
    before = trunk(features).pooled
    trunk.set_statistics(features, features[:2])
    assert torch.allclose(trunk(features).pooled, before - before[:2].mean(0), atol=1e-5)


def test_only_the_second_part_learns(efficientnet):
    encoder = FrozenEncoder(efficientnet, 1)
    before = [p.clone() for p in efficientnet.parameters()]
    statistics = [b.clone() for b in efficientnet.buffers()]
    trunk = FeatureTrunk(encoder)
    learner = Learner(trunk, {"labels": Labels(2, zero_init=True)})
    learned = [p.clone() for p in trunk.parameters()]
    from caudex.data import Batch

    for _ in range(2):  # at first the head is zero, and hands no gradient on
        learner.step({"labels": Batch(encoder(IMAGES), torch.tensor([0, 1, 1]), torch.arange(3))})
    assert all(map(torch.equal, before, efficientnet.parameters()))
    assert all(map(torch.equal, statistics, efficientnet.buffers()))
    assert not any(map(torch.equal, learned, trunk.parameters()))
    assert {name.split(".")[0] for name in trunk.state_dict()} == {"blocks", "mean", "labelled_mean"}


def test_only_a_trunk_of_blocks_can_be_split_and_never_whole(efficientnet):
    with pytest.raises(CaudexError, match=r"--finetune 18: this trunk has 18 blocks; give fewer"):
        FrozenEncoder(efficientnet, 18)
    trunk = ResNet(width=4)
    trunk.image_size = 32
    with pytest.raises(CaudexError, match=r"--finetune 1: ResNet can only stay frozen as a whole"):
        FrozenEncoder(trunk, 1)
