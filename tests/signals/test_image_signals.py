"""All signals from images alone: the trunk learns, and images that show nothing do no harm."""

import pytest
import torch
from helpers.signals import build_signal, unlabelled_batch, unlabelled_windows

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.registry import find_class
from caudex.core.signal import signal_from_spec
from caudex.core.specs import ImageSpec
from caudex.signals import Colorization, Denoising, Inpainting, Jigsaw, NextFrame, Rotation
from caudex.trunks import MLP, Conv, Features, ResNet

SIGNALS = [
    ("rotation", Rotation, 1),
    ("rotation", Rotation, 3),
    ("jigsaw", Jigsaw, 1),
    ("jigsaw", Jigsaw, 3),
    ("inpainting", Inpainting, 1),
    ("inpainting", lambda: Inpainting("centre", adversarial=0.1), 3),
    ("denoising", Denoising, 1),
    ("denoising", Denoising, 3),
    ("colorization", Colorization, 3),
    ("next-frame", NextFrame, 1),
    ("next-frame", NextFrame, 3),
]

FOR_EACH_SIGNAL = pytest.mark.parametrize(
    ("name", "make", "channels"), SIGNALS, ids=[f"{name}-{channels}" for name, _, channels in SIGNALS]
)


def batch_for(name, images):
    """A batch of these images, or of windows of three of them, each a little darker than the one before."""
    if name != "next-frame":
        return unlabelled_batch(images)
    return unlabelled_windows(torch.stack([images, 0.9 * images, 0.8 * images], 1))


@FOR_EACH_SIGNAL
def test_the_trunk_learns_and_no_part_of_the_head_is_idle(name, make, channels):
    signal, trunk = build_signal(make(), channels)
    output = signal.loss(trunk, batch_for(name, torch.rand(4, channels, 20, 20)))
    assert output.loss.shape == () and output.loss.isfinite()
    output.loss.backward()
    assert trunk.stem.weight.grad.abs().sum() > 0
    assert all(block.conv2.weight.grad.abs().sum() > 0 for stage in trunk.stages for block in stage)
    assert [key for key, p in signal.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert all(torch.isfinite(figure) for figure in output.metrics.values())


@FOR_EACH_SIGNAL
def test_a_name_finds_the_signal_and_the_trunks_other_kind_will_do(name, make, channels):
    signal_class = find_class("signals", name)
    assert (
        isinstance(make(), signal_class)
        and signal_from_spec(f"{name}:0.5", ImageSpec((channels, 20, 20)))[1].weight == 0.5
    )
    signal, trunk = signal_class(), Conv(channels, width=4, norm="group")
    signal.build(trunk)
    assert signal.loss(trunk, batch_for(name, torch.rand(2, channels, 20, 20))).loss.isfinite()


@FOR_EACH_SIGNAL
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_images_that_show_nothing_divide_nothing_by_nothing(name, make, channels, level):
    signal, trunk = build_signal(make(), channels)
    images = torch.full((4, channels, 20, 20), level)
    still = (
        unlabelled_windows(images[:, None].expand(-1, 3, -1, -1, -1))
        if name == "next-frame"
        else unlabelled_batch(images)
    )
    output = signal.loss(trunk, still)
    output.loss.backward()
    learned = [*trunk.parameters(), *signal.parameters()]
    assert output.loss.isfinite() and all(p.grad.isfinite().all() for p in learned if p.grad is not None)


def test_all_at_once_share_one_trunk():
    images = torch.rand(4, 3, 20, 20)
    learner = Learner(ResNet(3, 4, 1), {name: find_class("signals", name)() for name, _, _ in SIGNALS})
    outputs = learner.step({name: batch_for(name, images) for name in learner.signals})
    assert len(outputs) == 6 and all(each.loss.isfinite() for each in outputs.values())
    assert all(p.isfinite().all() for p in learner.parameters())


@pytest.mark.parametrize("make", [Inpainting, Denoising, Colorization, NextFrame])
def test_signals_that_paint_refuse_a_trunk_without_maps(make):
    with pytest.raises(CaudexError, match="MLP"):
        make().build(MLP(12))


@pytest.mark.parametrize("make", [Colorization, Denoising, Inpainting])
def test_signals_that_paint_see_the_coarsest_map_alone(make):
    signal, trunk = build_signal(make(), 3)
    features, head = trunk.eval()(torch.rand(2, 3, 20, 20)), signal.head.eval()
    *finer, coarsest = features.layers
    for lost, alike in ((finer, True), ([coarsest], False)):
        layers = features.layers | {name: torch.zeros_like(features.layers[name]) for name in lost}
        assert torch.equal(head(features, (20, 20)), head(Features(features.pooled, layers), (20, 20))) is alike
