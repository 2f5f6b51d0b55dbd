"""Domain confusion: losses and gradients by hand, for each of its kinds."""

import math

import pytest
import torch
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.data import Batch
from caudex.signals import DomainConfusion, Labels
from caudex.signals.domain_confusion import ReverseGradient, reversal_strength
from caudex.trunks import Identity, ResNet


def confusion_on_identity(kind, strength=1.0):
    """The discriminator takes a feature x for the target's with probability sigmoid(x)."""
    signal, trunk = DomainConfusion(kind, strength), Identity(1)
    signal.build(trunk)
    signal.discriminator = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(signal.discriminator.weight)
    signal.discriminator.weight.data[1] = 1.0
    return signal, trunk


def batch_of(source, target):
    """With leaves as images, so that the gradient of each feature can be read."""
    images = torch.tensor([*source, *target]).unsqueeze(1).requires_grad_()
    index = torch.tensor([0] * len(source) + [1] * len(target))
    return Batch(images, torch.full((len(index),), -1), index, source_index=index)


ODDS_4 = math.log(4)  # a feature that is taken for the target's four times of five


def test_the_gradient_is_reversed_on_the_features_alone_and_grows_with_progress():
    assert reversal_strength(0) == 0
    assert reversal_strength(0.5) == pytest.approx(0.98661, abs=1e-5)
    assert reversal_strength(1) == pytest.approx(0.99991, abs=1e-5)
    x = torch.tensor([3.0, -1.0], requires_grad=True)
    (ReverseGradient.apply(x, 0.25) * torch.tensor([4.0, 8.0])).sum().backward()
    assert x.grad.tolist() == [-1, -2]

    signal, trunk = confusion_on_identity("gradient-reversal", strength=2.0)
    gradients = {}
    for progress in (0.0, 0.5):
        signal.progress, batch = progress, batch_of([ODDS_4], [ODDS_4])
        signal.zero_grad()
        output = signal.loss(trunk, batch)
        assert output.loss.item() == pytest.approx(-(math.log(0.2) + math.log(0.8)) / 2)
        output.loss.backward()
        gradients[progress] = batch.images.grad.flatten(), signal.discriminator.weight.grad.clone()
    # of the cross-entropy by a feature: (0.8 - 0) / 2 and (0.8 - 1) / 2
    assert gradients[0.0][0].abs().max() == 0
    assert gradients[0.5][0].tolist() == pytest.approx([-2 * 0.98661 * 0.4, 2 * 0.98661 * 0.1], abs=1e-5)
    assert torch.equal(gradients[0.0][1], gradients[0.5][1])  # the discriminator learns at its full rate
    assert signal.chance_loss() == pytest.approx(math.log(2))


def test_uniform_confusion_is_the_cross_entropy_with_one_half_and_parts_the_two_losses():
    signal, trunk = confusion_on_identity("uniform", strength=3.0)
    batch = batch_of([ODDS_4], [ODDS_4])
    output = signal.loss(trunk, batch)
    both = -(math.log(0.2) + math.log(0.8)) / 2  # 0.916: here of the domains and of the uniform distribution
    assert output.loss.item() == pytest.approx(both + 3 * both)
    output.loss.backward()
    assert batch.images.grad.flatten().tolist() == pytest.approx([3 * 0.3 / 2] * 2)  # 0.8 - 0.5, a row of two
    # the discriminator's gradient is that of telling the domains alone: x ((0.8 - 0) + (0.8 - 1)) / 2
    assert signal.discriminator.weight.grad[1].item() == pytest.approx(ODDS_4 * 0.3)
    assert signal.discriminator.weight.requires_grad


def test_inverted_labels_move_the_target_alone():
    signal, trunk = confusion_on_identity("inverted", strength=2.0)
    batch = batch_of([ODDS_4], [ODDS_4, ODDS_4])
    output = signal.loss(trunk, batch)
    loss = -(math.log(0.2) + 2 * math.log(0.8)) / 3
    assert output.loss.item() == pytest.approx(loss - 2 * math.log(0.2))  # the target shall be taken for the source
    output.loss.backward()
    assert batch.images.grad.flatten().tolist() == pytest.approx([0, 2 * 0.8 / 2, 2 * 0.8 / 2])
    assert output.metrics["accuracy"].item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("layer", [None, "stage2"])
def test_a_trunk_that_is_confused_cannot_tell_what_it_told_before(layer):
    """Images differ in their domain by brightness alone and in their class by which half is bright."""
    generator = torch.Generator().manual_seed(0)
    labels, domains = torch.arange(64) % 2, (torch.arange(64) >= 32).long()
    images = torch.rand(64, 1, 8, 8, generator=generator) * 0.2
    images[labels == 0, :, :4] += 0.4
    images[labels == 1, :, 4:] += 0.4
    images[domains == 1] += 0.3
    batch = Batch(images, torch.where(domains == 0, labels, -1), torch.arange(64), source_index=domains)

    def train(strength):
        torch.manual_seed(0)
        signals = {"labels": Labels(2), "domains": DomainConfusion("gradient-reversal", strength, layer)}
        learner = Learner(ResNet(1, 4, 1), signals)
        for step in range(200):
            learner.progress = step / 200
            outputs = learner.step(dict.fromkeys(signals, batch))
        return outputs["domains"].metrics["accuracy"].item(), outputs["labels"].metrics["accuracy"].item()

    assert train(0.0) == (1, 1)
    told, right = train(1.0)
    assert told < 0.9 and right == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(CaudexError, match="'revresal' is unknown; choose gradient-reversal, uniform, inverted"):
        DomainConfusion("revresal")
    with pytest.raises(CaudexError, match="ResNet has no layer 'stage9'; it has stage1, stage2, stage3"):
        DomainConfusion(layer="stage9").build(ResNet(1, 4, 1))
    signal, trunk = confusion_on_identity("uniform")
    with pytest.raises(CaudexError, match="Join"):
        signal.loss(trunk, batch_of([1.0], [1.0])._replace(source_index=None))
