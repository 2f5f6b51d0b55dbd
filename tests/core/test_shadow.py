"""Shadows move by their decay."""

import pytest
import torch
from helpers.learners import Pull, make_learner, scalar_linear, take_steps
from torch import nn

from caudex.core.shadow import Shadow


def shadow_trail(shadow, module, *values):
    """The shadow's weight after its module had each of the values."""
    trail = []
    for value in values:
        nn.init.constant_(module.weight, value)
        shadow.update()
        trail.append(shadow.copy.weight.item())
    return trail


def test_a_shadow_moves_by_its_decay():
    module = scalar_linear()
    assert shadow_trail(Shadow(module, decay=0.75), module, 1, 1, 0) == [0.25, 0.4375, 0.328125]


def test_a_target_network_is_copied_every_so_many_steps():
    module = scalar_linear()
    assert shadow_trail(Shadow(module, decay=0, interval=3), module, 1, 2, 3, 4, 5, 6.5, 7) == [0, 0, 3, 3, 3, 6.5, 6.5]


def test_a_warm_shadow_forgets_its_start():
    # decays 2/11, 3/12, then at most 0.26 of a 4/13
    module = scalar_linear()
    one = 9 / 11
    two = one / 4 + 3 / 4 * 2
    three = 0.26 * two + 0.74 * 3
    assert shadow_trail(Shadow(module, decay=0.26, warmup=True), module, 1, 2, 3) == pytest.approx([one, two, three])


def test_a_shadow_copies_buffers_and_is_never_in_training_mode():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    shadow = Shadow(module, decay=0.9)
    for _ in range(3):
        module(torch.randn(8, 2) + 5)
        shadow.update()
    assert torch.equal(shadow.copy[1].running_mean, module[1].running_mean)
    assert shadow.copy[1].num_batches_tracked == 3
    outer = nn.ModuleList([shadow])
    for mode in (True, False):
        outer.train(mode)
        assert not any(part.training for part in shadow.modules())
    assert not shadow(torch.randn(8, 2)).requires_grad


def test_a_new_shadow_is_in_evaluation_mode():
    shadow = Shadow(nn.BatchNorm1d(2))
    shadow(torch.randn(8, 2))
    assert shadow.copy.num_batches_tracked == 0


def test_a_shadow_follows_its_module_through_a_save():
    module = scalar_linear(3)
    shadow = Shadow(module, decay=0.5, interval=2)
    shadow_trail(shadow, module, 1)
    again = Shadow(module, decay=0.5, interval=2)
    again.load_state_dict(shadow.state_dict())
    assert shadow_trail(again, module, 1) == shadow_trail(shadow, module, 1) == [2.0]


class Keyed(Pull):
    """A signal with a shadow of its own number."""

    def build(self, trunk):
        held = nn.Module()
        held.number = self.number
        self.target = Shadow(held, decay=0.5)


def test_the_average_follows_other_shadows_and_does_not_update_them():
    signal = Keyed()
    learner = make_learner({"keyed": signal}, average=0.999)
    assert learner.find_shadows() == [signal.target, learner.average]
    take_steps(learner, 2)
    # numbers -1, -2; its shadow -0.5, -1.25; the average's decays are 2/11 and 3/12
    average = learner.average.copy[1]["keyed"]
    assert signal.target.copy.number.item() == -1.25
    assert average.number.item() == pytest.approx(9 / 11 * -1 / 4 + 3 / 4 * -2)
    assert average.target.copy.number.item() == pytest.approx(9 / 11 * -0.5 / 4 + 3 / 4 * -1.25)
    assert int(average.target.updates) == 2
    assert learner.averaged[1]["keyed"] is average


def test_shadows_move_also_when_no_signal_speaks():
    signal = Keyed()
    learner = make_learner({"keyed": signal})
    take_steps(learner)
    signal.active = False
    take_steps(learner, 2)
    assert signal.number.item() == -1
    assert signal.target.copy.number.item() == -0.875
