"""Views of batches of experience, and priorities through them."""

import torch
from helpers.curl import RepeatedBatch, random_transition
from helpers.environments import clock_replay
from pytest import approx

from caudex.experience import AugmentedSource
from caudex.views import RandomShift


def test_views_stand_beside_the_batch_or_in_its_place():
    batch = random_transition()
    beside = next(AugmentedSource(RepeatedBatch(batch), RandomShift(2), 0))
    assert beside.observations is batch.observations and beside.images.dtype == torch.uint8
    assert not torch.equal(beside.images, beside.other_images)
    instead = next(AugmentedSource(RepeatedBatch(batch), RandomShift(2), 0, replace_observations=True))
    assert instead.observations is instead.images and not torch.equal(
        instead.next_observations, batch.next_observations
    )
    assert torch.equal(instead.actions, batch.actions)
    same = next(AugmentedSource(RepeatedBatch(batch), RandomShift(0), 0, replace_observations=True))
    assert torch.equal(same.observations, batch.observations)


def test_priorities_reach_the_replay_buffer_through_views():
    replay = clock_replay(images=True, frame_stack=3, priority=0.5)
    source = AugmentedSource(replay, RandomShift(0), 0)
    next(source)
    source.update_priorities(torch.full((64,), 7.0))
    assert replay.priorities.max_priority == approx(7**0.5, rel=1e-3)
