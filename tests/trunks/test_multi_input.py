"""Observations of several parts: what was packed is seen again, and the mask stands last."""

import msgspec
import numpy as np
import pytest
import torch
from helpers.space_envs import NESTED
from pytest import approx

from caudex.core.compute import count_flops
from caudex.core.specs import ActionSpec, EnvSpec, ObservationPart
from caudex.envs.adapters.spaces import convert_observations
from caudex.trunks import MultiInput

LAYOUT = (ObservationPart("vector", (5,)), ObservationPart("image", (3, 8, 8)), ObservationPart("mask", (3,)))


def packed_rows(count):
    observations = convert_observations("x", NESTED, (3,), masked=True)
    assert observations.layout == LAYOUT
    samples = [NESTED.sample() for _ in range(count)]
    masks = np.eye(3, dtype=np.int8)[np.arange(count) % 3]
    rows = [observations.convert(sample, {"action_mask": mask}) for sample, mask in zip(samples, masks)]
    return torch.from_numpy(np.stack(rows)), samples, masks


@pytest.mark.parametrize("rows", [slice(0, 4), slice(3, 4), slice(0, 0)])  # one row may lie where no float32 may
def test_what_was_packed_is_seen_again(rows):
    packed, samples, masks = packed_rows(4)
    vectors, images, mask = MultiInput(LAYOUT).split(packed[rows])
    numbers = [[*sample["pose"][0], *np.eye(3)[sample["pose"][1] - 1]] for sample in samples[rows]]
    assert vectors.tolist() == [approx(row) for row in numbers]
    assert images.shape[1:] == (3, 8, 8) and mask.tolist() == masks[rows].tolist()
    for image, sample in zip(images, samples[rows]):
        assert np.array_equal(image, sample["camera"].transpose(2, 0, 1))


def test_the_mask_stands_last_and_vectors_are_standardised():
    packed, _, masks = packed_rows(50)
    trunk = MultiInput(LAYOUT, width=7)
    with torch.no_grad(), count_flops(trunk) as counter:
        assert trunk(packed).pooled.shape == (50, trunk.width) == (50, 10)
    assert counter.flops == 50 * trunk.flops(packed.shape[1:])
    assert trunk(packed).pooled[:, -3:].tolist() == masks.tolist() and trunk.mask_size == 3
    trunk.update_statistics(packed)
    assert trunk.encoders[0].shift.tolist() == approx(packed[:, 20:-3].view(50, 3, 64).float().mean((0, 2)).tolist())
    assert MultiInput(LAYOUT, normalise=False).encoders[0].width == trunk.encoders[0].width
    vector_trunk = MultiInput((LAYOUT[0], LAYOUT[2]))
    rows = torch.cat([packed[:, :20], packed[:, -3:]], 1)
    vector_trunk.update_statistics(rows)
    assert vector_trunk(rows).pooled[:, :2].std(0, correction=0).detach() == approx(np.ones(2), abs=1e-3)


def test_a_spec_with_parts_can_be_written_and_wrong_ones_are_refused():
    spec = EnvSpec("x", (215,), ActionSpec(3), layout=LAYOUT, ignored_texts=("mission",))
    assert msgspec.json.decode(msgspec.json.encode(spec), type=EnvSpec) == spec
    assert spec.mask_size == 3 and spec.has_images
    vector, image, mask = LAYOUT
    for shape, layout in {
        (214,): LAYOUT,
        (215,): (image, vector, mask),
        (235,): (vector, vector, image, mask),
        (192,): (ObservationPart("image", (3, 8, 8)), ObservationPart("mask", (0,))),
    }.items():
        with pytest.raises((msgspec.ValidationError, ValueError)):
            msgspec.json.decode(msgspec.json.encode(EnvSpec("x", shape, ActionSpec(3), layout=layout)), type=EnvSpec)
    with pytest.raises(ValueError, match="a mask of 3 for 2 actions"):
        EnvSpec("x", (215,), ActionSpec(2), layout=LAYOUT)
    with pytest.raises(ValueError, match="a image of shape"):
        ObservationPart("image", (3,))


def test_actions_are_of_one_kind():
    for actions in (ActionSpec(counts=(2, 3)), ActionSpec(low=(None, -1.0), high=(1.0, None))):
        assert msgspec.json.decode(msgspec.json.encode(actions), type=ActionSpec) == actions
    assert actions.bounds == ([-np.inf, -1], [1, np.inf]) and not actions.is_bounded
    for kinds in ({"count": 2, "counts": (2,)}, {}, {"low": (0.0,), "high": ()}):
        with pytest.raises(ValueError, match="actions, and"):
            ActionSpec(**kinds)
