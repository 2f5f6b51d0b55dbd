"""Observations of every space are converted to one array, and those that are not of their space are refused."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiDiscrete, OneOf, Sequence, Text, Tuple
from helpers.space_envs import NESTED, OBSERVATIONS

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.envs.adapters.spaces import convert_observations

KINDS = {
    "Vector": (3,), "Rank0": (1,), "Rank4": (8,), "Grey": (1, 9, 10), "ChannelsFirst": (3, 40, 41), "Floats": (2, 16, 17),
    "Number": (4,), "Bits": (4,), "Numbers": (5,), "Nested": (5 * 4 + 3 * 8 * 8,), "Vectors": (4,),
    "TwoCameras": (3 * 40 * 40 + 100,),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_a_sample_of_each_space_is_converted(name):
    observations = convert_observations(name, space := OBSERVATIONS[name])
    array = observations.convert(space.sample(), {})
    assert array.shape == observations.space.shape == KINDS[name]
    assert (observations.space.dtype == np.uint8) == (len(array.shape) == 3 or bool(observations.layout))


def test_channels_come_first_and_floats_become_bytes_over_their_range():
    def convert(space, image):
        return convert_observations("x", space).convert(image, {})

    image = np.arange(36 * 37 * 3).reshape(36, 37, 3).astype(np.uint8)
    first = image.transpose(2, 0, 1)
    assert np.array_equal(convert(Box(0, 255, (36, 37, 3), np.uint8), image), first)
    assert np.array_equal(convert(Box(0, 255, (3, 36, 37), np.uint8), first), first)
    floats = np.full((16, 16), -1, np.float32)
    floats[0, 0], floats[0, 1], floats[0, 2] = 3, 1, 7  # the last is beyond the bounds
    assert convert(Box(-1, 3, (16, 16)), floats)[0, 0, :4].tolist() == [255, 128, 255, 0]
    assert convert(Box(0, 1, (3, 4, 2), bool), np.ones((3, 4, 2), bool)).shape == (2, 3, 4)
    tiny = convert(Box(0, 255, (2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8))
    assert tiny.shape == (12,)  # no image: convolutions need three pixels


def test_parts_stand_in_gymnasiums_order_and_texts_are_left_out():
    observations = convert_observations("x", NESTED, (2,), masked=True)
    assert [(part.kind, part.shape) for part in observations.layout] == [
        ("vector", (5,)), ("image", (3, 8, 8)), ("mask", (2,)),
    ]  # fmt: skip
    assert observations.ignored_texts == ("mission",)
    camera = np.arange(192).reshape(8, 8, 3).astype(np.uint8)
    nested = {"camera": camera, "mission": "go", "pose": (np.array([0.5, -0.25]), 3)}
    row = observations.convert(nested, {"action_mask": np.array([0, 1])})
    assert row[:20].view(np.float32).tolist() == [0.5, -0.25, 0, 0, 1]
    assert np.array_equal(row[20:-2].reshape(3, 8, 8), camera.transpose(2, 0, 1)) and row[-2:].tolist() == [0, 1]


@pytest.mark.parametrize(
    "space, because",
    [
        (Sequence(Discrete(2)), r"observations Sequence.*gymnasium.wrappers.TransformObservation"),
        (Graph(Discrete(2), None), r"gymnasium.wrappers.TransformObservation"),
        (OneOf((Discrete(2), Discrete(3))), r"gymnasium.wrappers.TransformObservation"),
        (
            Dict(a=Sequence(Discrete(2))),
            r"observations\['a'\] Sequence.*wrappers.FilterObservation, which leaves it out",
        ),
        (Dict(a=Text(3)), "nothing to see but texts"),
        (Tuple(()), "nothing to see"),
        (Discrete(1 << 21), "not taken"),
        (Tuple((Box(0, 255, (999, 999, 3), np.uint8), Discrete(2))), r"2,994,011 bytes.*wrappers.ResizeObservation"),
    ],
)
def test_spaces_that_cannot_be_converted_name_the_wrapper_that_helps(space, because):
    import gymnasium.wrappers

    with pytest.raises(CaudexError, match=because):
        convert_observations("x", space)
    for wrapper in ("TransformObservation", "FilterObservation", "ResizeObservation", "TransformAction"):
        assert hasattr(gymnasium.wrappers, wrapper)


@pytest.mark.parametrize(
    "space, observation, because",
    [
        (Box(-1, 1, (3,)), np.zeros((3, 1)), r"of shape \(3, 1\), but its observation_space says \(3,\)"),
        (Box(-1, 1, (2, 2)), np.zeros(4), r"of shape \(4,\)"),
        (Box(0, 255, (4, 4, 3), np.uint8), np.full((4, 4, 3), 0.5), "of float64 that uint8 does not hold"),
        (Box(0, 255, (4, 4, 3), np.uint8), np.full((4, 4, 3), 256), "of int64 that uint8 does not hold"),
        (Box(0, 1, (16, 16)), np.full((16, 16), np.nan), "no finite number"),
        (Discrete(3, start=1), 0, r"an observation 0, but its observation_space says Discrete\(3, start=1\)"),
        (MultiDiscrete([2, 3]), np.array([2, 0]), r"an observation \[2 0\], but"),
        (Dict(a=Discrete(2), b=Discrete(2)), {"a": 1}, r"with the parts \['a'\], but its observation_space says \['a', 'b'\]"),
        (Dict(a=Discrete(2)), np.zeros(2), "with the parts ndarray"),
        (Tuple((Discrete(2), Discrete(2))), (1, 1, 1), "with the parts 3, but its observation_space says 2"),
        (Dict(a=Tuple((Box(0, 1, (2,)),))), {"a": (np.zeros(3),)}, r"of shape \(3,\)"),
        (Dict(a=Box(0, 1, (2,)), b=Discrete(2)), {"a": np.array([np.inf, 0]), "b": 1}, "no finite number"),
    ],
)  # fmt: skip
def test_an_observation_that_is_not_of_its_space_is_refused(space, observation, because):
    convert = convert_observations("x", space).convert
    with pytest.raises(CaudexError, match=because):
        convert(observation, {})


def test_whole_numbers_of_another_dtype_that_fit_are_taken():
    image = convert_observations("x", Box(0, 255, (4, 4, 1), np.uint8)).convert(np.full((4, 4, 1), 255), {})
    assert image.dtype == np.uint8 and (image == 255).all()


def test_random_actions_are_those_that_the_mask_allows():
    env = envs.make("helpers.space_envs:ForbiddingSeveral-v0", 2)
    rows = env.reset(np.arange(2), np.ones(2, bool))
    policy, actions = envs.random_policy(env.action_space, 0, env.layout), []
    for _ in range(30):
        actions.append(policy(rows))
        rows = env.step(actions[-1]).observations
    assert {action for pair in actions for _, action in pair.tolist()} == {0, 1, 2}
