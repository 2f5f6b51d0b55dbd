"""Contrast: losses by hand, nothing leaks from key to query, the queue is older keys and survives a resume."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.trunk import Features, Trunk
from caudex.data import Batch, Batches, ImageSet, InMemoryImages
from caudex.signals import Contrast
from caudex.signals.contrast import alignment_and_uniformity
from caudex.trunks import Identity, ResNet
from caudex.views import simclr_augmentation


def contrast_on_identity(queue_size=0, **settings):
    """Contrast on the observations themselves."""
    signal, trunk = Contrast(dimensions=2, queue_size=queue_size, **settings), Identity(2)
    signal.build(trunk)
    signal.head = nn.Identity()
    if queue_size:
        signal.key_encoder.copy[1] = nn.Identity()
    return signal, trunk


def pair_batch(one, other):
    return Batch(torch.tensor(one), torch.zeros(len(one)), torch.arange(len(one)), other_images=torch.tensor(other))


RIGHT, UP = [1.0, 0.0], [0.0, 1.0]


def test_the_partner_is_told_from_all_others_of_both_views():
    signal, trunk = contrast_on_identity(temperature=0.5)
    output = signal.loss(trunk, pair_batch([RIGHT, UP], [RIGHT, UP]))
    # each sees its partner at 1 / 0.5 = 2 and two others at 0; itself it does not see
    assert output.loss.item() == pytest.approx(math.log(math.e**2 + 2) - 2, rel=1e-6)
    assert output.metrics["accuracy"] == 1 and output.metrics["alignment"] == 0
    assert signal.chance_loss() == pytest.approx(math.log(3))


def test_an_image_that_stands_in_the_batch_twice_is_not_its_own_negative():
    signal, trunk = contrast_on_identity(temperature=0.5)
    batch = pair_batch([RIGHT, UP, RIGHT], [RIGHT, UP, RIGHT])._replace(index=torch.tensor([0, 1, 0]))
    # of the first and third the others are two views of the second; of that all four of the twice shown one
    losses = [math.log(math.e**2 + others) - 2 for others in (2, 4, 2)]
    assert signal.loss(trunk, batch).loss.item() == pytest.approx(sum(losses) / 3, rel=1e-6)


def test_both_directions_count():
    signal, trunk = contrast_on_identity(temperature=1.0)
    one, other = [[0.6, 0.8], UP, RIGHT], [UP, RIGHT, [0.8, -0.6]]
    ahead, back = (signal.loss(trunk, pair_batch(*views)).loss for views in ((one, other), (other, one)))
    torch.testing.assert_close(ahead, back)


def test_length_does_not_matter():
    signal, trunk = contrast_on_identity()
    short, long = (signal.loss(trunk, pair_batch([[s, 0.0], UP], [UP, [0.0, s]])).loss for s in (0.1, 50.0))
    torch.testing.assert_close(short, long)


def test_a_collapsed_trunk_is_as_good_as_guessing():
    signal, trunk = contrast_on_identity()
    output = signal.loss(trunk, pair_batch([RIGHT] * 5, [RIGHT] * 5))
    assert output.loss.item() == pytest.approx(signal.chance_loss()) == pytest.approx(math.log(9))
    assert output.metrics["uniformity"].item() == pytest.approx(0, abs=1e-6)


def test_spread_by_hand():
    points = torch.tensor([RIGHT, UP, [-1.0, 0.0]])  # apart by 2, 4 and 2, squared
    spread_ = alignment_and_uniformity(points, -points)
    assert spread_["alignment"] == 4
    assert spread_["uniformity"].item() == pytest.approx(math.log((2 * math.exp(-4) + math.exp(-8)) / 3))


class RecordingTrunk(Trunk):
    """Remembers how many images each pass had, and in which mode."""

    def __init__(self):
        super().__init__()
        self.norm, self.width, self.passes = nn.BatchNorm1d(2), 2, []

    def forward(self, x, state=None):
        self.passes.append((len(x), self.training, torch.is_grad_enabled()))
        return Features(self.norm(x))


def test_both_views_go_through_the_trunk_in_one_pass():
    signal, trunk = Contrast(), RecordingTrunk()
    signal.build(trunk)
    signal.loss(trunk, pair_batch([RIGHT, UP], [UP, RIGHT]))
    assert trunk.passes == [(4, True, True)]


def test_keys_come_from_the_slow_copy_without_gradients_in_groups_of_a_shuffled_batch():
    signal, trunk = Contrast(queue_size=64, dimensions=2), RecordingTrunk()
    signal.build(trunk)
    signal.key_encoder.copy[1], slow = nn.Identity(), signal.key_encoder.copy[0]
    groups = []
    slow.register_forward_pre_hook(lambda module, inputs: groups.append(inputs[0]))
    slow.passes = []
    one, other = torch.randn(32, 2), torch.randn(32, 2)
    signal.loss(trunk, Batch(one, torch.zeros(32), torch.arange(32), other_images=other)).loss.backward()
    assert trunk.passes == [(32, True, True)] and slow.passes == [(16, True, False)] * 2
    assert all(p.grad is None for p in signal.key_encoder.parameters())
    # each key is normalised by its own group, which is not the first or second half of the batch, and stands in order
    positions = torch.cat([(group[:, None] == other).all(2).nonzero()[:, 1] for group in groups])
    assert positions.sort().values.tolist() == list(range(32)) and positions[:16].max() > 15
    normal = torch.cat([(group - group.mean(0)) / (group.var(0, unbiased=False) + 1e-5).sqrt() for group in groups])
    torch.testing.assert_close(signal.queue[:32][positions], F.normalize(normal))


@pytest.mark.parametrize(
    ("batch", "sizes"), [(2, [2]), (3, [3]), (4, [2, 2]), (9, [5, 4]), (33, [17, 16]), (307, [17] * 3 + [16] * 16)]
)
def test_a_group_of_keys_has_two_at_least(batch, sizes):
    signal, trunk = Contrast(queue_size=batch, dimensions=2), RecordingTrunk()
    signal.build(trunk)
    slow = signal.key_encoder.copy[0]
    slow.passes = []
    with torch.no_grad():
        signal.loss(trunk, Batch(torch.randn(batch, 2), None, None, other_images=torch.randn(batch, 2)))
    assert [count for count, _, _ in slow.passes] == sizes


def test_the_queue_holds_the_last_keys_and_the_step_does_not_see_its_own():
    signal, trunk = contrast_on_identity(queue_size=4, temperature=1.0)
    signal.queue.copy_(torch.tensor([UP] * 4))
    output = signal.loss(trunk, pair_batch([RIGHT, RIGHT], [RIGHT, RIGHT]))
    # the partner at 1, four old keys at 0; the keys of this very step are not among them
    assert output.loss.item() == pytest.approx(math.log(math.e + 4) - 1, rel=1e-6)
    assert signal.queue.tolist() == [RIGHT, RIGHT, UP, UP]
    signal.loss(trunk, pair_batch([UP, UP], [[-1.0, 0.0], [-1.0, 0.0]]))
    assert signal.queue.tolist() == [RIGHT, RIGHT, [-1.0, 0.0], [-1.0, 0.0]]
    signal.loss(trunk, pair_batch([UP, UP], [UP, UP]))
    assert signal.queue.tolist() == [UP, UP, [-1.0, 0.0], [-1.0, 0.0]]
    signal.loss(trunk, pair_batch([UP] * 3, [RIGHT] * 3))  # one image more than before: it goes round the end
    assert signal.queue.tolist() == [RIGHT, UP, RIGHT, RIGHT]


def test_the_head_ends_in_batch_normalisation():
    signal = Contrast(dimensions=3)
    signal.build(Identity(8))
    projections = signal.head(5 + 3 * torch.randn(64, 8))
    torch.testing.assert_close(projections.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(projections.std(0, correction=0), torch.ones(3), atol=1e-2, rtol=0)


def test_the_first_versions_head_is_linear():
    signal = Contrast(hidden=0, queue_size=4)
    signal.build(Identity(8))
    assert isinstance(signal.head, nn.Linear)


def test_what_cannot_be_contrasted():
    signal, trunk = contrast_on_identity(queue_size=4)
    with pytest.raises(CaudexError, match="a queue of 4 keys is smaller than a batch of 5; try --queue 5"):
        signal.loss(trunk, pair_batch([UP] * 5, [UP] * 5))
    with pytest.raises(CaudexError, match="a batch of 1 has none"):
        contrast_on_identity()[0].loss(trunk, pair_batch([UP], [UP]))


def noisy_images():
    pixels = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)
    return ImageSet(InMemoryImages(pixels, [""] * 32), torch.zeros(32, dtype=torch.long), ("a", "b"))


def test_two_views_of_an_image_differ_and_do_not_depend_on_the_batch():
    images, view = noisy_images(), simclr_augmentation(flip=False)
    batch = next(Batches(images, 16, seed=1, view=view, two_views=True))
    assert (batch.images - batch.other_images).abs().mean() > 0.02
    half = Batches(images, 8, seed=1, view=view, two_views=True)
    first, second = next(half), next(half)
    torch.testing.assert_close(torch.cat([first.other_images, second.other_images]), batch.other_images)
    single = next(Batches(images, 16, seed=1, view=view))
    assert single.other_images is None
    torch.testing.assert_close(single.images, batch.images)


def test_the_queue_survives_a_kill(tmp_path):
    images = noisy_images()

    def train(path, stop=None):
        run = Run(path, seed=2)
        run.quiet = True
        with run.seeded("weights"):
            learner = Learner(
                ResNet(1, 4, 1), {"contrast": Contrast(queue_size=24, hidden=8, dimensions=4)}, average=0.9
            )
        source = Batches(images, 8, seed=2, view=simclr_augmentation(flip=False), two_views=True)
        if stop:
            fit(learner, {"contrast": source}, steps=stop, run=run)
            (path / "finished.json").unlink()
        else:
            fit(learner, {"contrast": source}, steps=9, run=run)
        return learner

    uninterrupted = train(tmp_path / "whole")
    train(tmp_path / "cut", stop=4)
    again = train(tmp_path / "cut")
    contrast = again.signals["contrast"]
    assert int(contrast.queue_pointer) == 9 * 8 % 24
    assert torch.equal(contrast.queue, uninterrupted.signals["contrast"].queue)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), uninterrupted.state_dict().values()))
