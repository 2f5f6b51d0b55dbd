"""curl: one pass of the encoder for all heads."""

import torch
from helpers.curl import RepeatedBatch, random_transition

from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.experience import AugmentedSource
from caudex.signals import BilinearContrast
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.trunks import NatureCNN
from caudex.views import RandomShift


def make_curl(contrast=True):
    torch.manual_seed(0)
    signals = {"policy": SoftActorCritic(ActionSpec(low=(-1.0,), high=(1.0,)), (16, 16), feature_dim=6)}
    if contrast:
        signals["contrast"] = BilinearContrast(feature_dim=6)
    return Learner(NatureCNN((3, 24, 24), 8, ((4, 3, 2),)), signals)


def test_each_image_is_encoded_once_for_all_heads():
    learner, passes = make_curl(), {}
    slow = [learner.signals["policy"].target.copy[0], learner.signals["contrast"].key_encoder.copy[0]]
    for name, trunk in {"own": learner.trunk, "target": slow[0], "keys": slow[1]}.items():
        trunk.register_forward_hook(lambda *_, name=name: passes.update({name: passes.get(name, 0) + 1}))
    batch = next(AugmentedSource(RepeatedBatch(random_transition()), RandomShift(2), 0, replace_observations=True))
    learner.step(dict.fromkeys(learner.signals, batch))
    assert passes == {"own": 2, "target": 1, "keys": 1}  # what was seen, and what came after


def test_one_pass_has_the_gradient_of_separate_passes():
    batch = next(AugmentedSource(RepeatedBatch(random_transition()), RandomShift(2), 0, replace_observations=True))

    def gradients(together: bool):
        learner = make_curl()
        torch.manual_seed(1)
        if together:
            losses = [output.loss for output in learner(dict.fromkeys(learner.signals, batch)).values()]
        else:
            losses = [signal.loss(learner.trunk, batch).loss for signal in learner.signals.values()]
        sum(losses).backward()
        return [p.grad for p in learner.parameters() if p.grad is not None]

    for one, other in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, other)
