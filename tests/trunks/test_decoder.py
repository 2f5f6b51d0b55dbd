"""The decoder: from the coarsest map back to pixels of any size, past the finer ones unless it may look at them."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Wrapped
from caudex.trunks import MLP, Conv, Decoder, Identity, ResNet

TRUNKS = {
    "resnet": lambda: ResNet(1, width=4, depth=1),
    "resnet of stride 2": lambda: ResNet(1, width=4, depth=1, stride=2),
    "conv": lambda: Conv(1, width=4),
    "conv of one stage": lambda: Conv(1, width=4, stages=1),
}


def maps(side=16, count=3):
    """Features of a ResNet of width 4 as leaves of their own, the finest first."""
    sizes = [(4, side), (8, side // 2), (16, side // 4)]
    layers = {f"stage{i + 1}": torch.randn(count, width, s, s) for i, (width, s) in enumerate(sizes)}
    return Features(None, {name: layer.requires_grad_() for name, layer in layers.items()})


def decoder(skips, channels=2):
    return Decoder(ResNet(1, width=4, depth=1), channels, skips)


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("name", TRUNKS)
@pytest.mark.parametrize("size", [(8, 8), (13, 7), (5, 16), (1, 1)])
def test_any_size_comes_back(name, skips, size):
    trunk = TRUNKS[name]().eval()
    painted = Decoder(trunk, 5, skips).eval()(trunk(torch.rand(2, 1, *size)), size)
    assert painted.shape == (2, 5, *size) and painted.isfinite().all()


def test_another_size_than_the_images_can_be_asked_for():
    trunk = TRUNKS["resnet"]()
    features, decoder_ = trunk(torch.rand(2, 1, 13, 7)), Decoder(trunk, 3)
    assert decoder_(features, (7, 4)).shape == (2, 3, 7, 4)
    assert decoder_(features, (26, 14)).shape == (2, 3, 26, 14)


@pytest.mark.parametrize("trunk", [MLP(6), Identity(6), Wrapped(nn.Linear(6, 4), 4), nn.Linear(6, 4)])
def test_a_trunk_without_maps_is_refused(trunk):
    with pytest.raises(CaudexError, match=f"{type(trunk).__name__} has no feature maps; .*such as ResNet or Conv"):
        Decoder(trunk, 1)


@pytest.mark.parametrize("skips", [False, True])
def test_the_finer_maps_get_gradients_only_with_skips(skips):
    features = maps()
    decoder(skips)(features, (16, 16)).square().sum().backward()
    *finer, coarsest = features.layers.values()
    assert coarsest.grad.abs().sum() > 0
    for layer in finer:
        assert (layer.grad is not None and layer.grad.abs().sum() > 0) if skips else layer.grad is None


@pytest.mark.parametrize("skips", [False, True])
def test_what_the_finer_maps_hold_counts_only_with_skips(skips):
    decoder_, features = decoder(skips).eval(), maps()
    others = features.layers | {name: torch.randn(3, w, s, s) for name, w, s in (("stage1", 4, 16), ("stage2", 8, 8))}
    same = torch.allclose(decoder_(features, (16, 16)), decoder_(Features(None, others), (16, 16)), atol=1e-5)
    assert same is not skips


def test_their_sizes_count():
    decoder_, features = decoder(False).eval(), maps()
    wider = features.layers | {"stage2": torch.zeros(3, 8, 8, 12)}
    shapes = []
    decoder_.upsample[1].register_forward_pre_hook(lambda module, given: shapes.append(tuple(given[0].shape)))
    for layers in (features.layers, wider):
        decoder_(Features(None, layers), (16, 16))
    assert shapes == [(3, 8, 8, 8), (3, 8, 8, 12)]


def test_the_maps_are_enlarged_step_by_step_from_the_coarsest_on():
    decoder_, shapes = decoder(False), []
    for block in (*decoder_.upsample, decoder_.pixel_head):
        block.register_forward_pre_hook(lambda module, given: shapes.append(tuple(given[0].shape[1:])))
    decoder_(maps(), (32, 32))
    assert decoder_.layer_names == ("stage3", "stage2", "stage1")
    assert shapes == [(16, 4, 4), (8, 8, 8), (4, 32, 32)]


def test_every_part_of_the_decoder_learns():
    for skips in (False, True):
        decoder_ = decoder(skips)
        decoder_(maps(), (16, 16)).square().sum().backward()
        assert [name for name, p in decoder_.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


def test_each_image_is_painted_on_its_own():
    trunk, images = TRUNKS["resnet"]().eval(), torch.rand(5, 1, 13, 7)
    decoder_ = Decoder(trunk, 2, skips=True).eval()
    full_batch = decoder_(trunk(images), (13, 7))
    assert_close(decoder_(trunk(images[3:4]), (13, 7)), full_batch[3:4], atol=1e-5, rtol=1e-5)


def test_a_flat_map_has_a_flat_middle():
    # far from the border every pixel sees the same, so the enlarging draws no grid
    decoder_, flat = decoder(False).eval(), {"stage3": torch.randn(1, 16, 1, 1).expand(1, 16, 16, 16)}
    painted = decoder_(
        Features(None, flat | {"stage2": torch.zeros(1, 8, 32, 32), "stage1": torch.zeros(1, 4, 64, 64)}), (64, 64)
    )
    middle = painted[..., 24:40, 24:40]
    assert_close(middle, middle[..., :1, :1].expand_as(middle), atol=1e-5, rtol=1e-5)
