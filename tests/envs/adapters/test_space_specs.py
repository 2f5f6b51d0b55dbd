"""Spaces are kept as JSON and come back the same."""

import msgspec
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple
from helpers.space_envs import ACTIONS, OBSERVATIONS

from caudex.core.errors import CaudexError
from caudex.core.specs import SpaceSpec
from caudex.envs.adapters.space_specs import build_space, space_spec

FURTHER = {
    "bounds of each": Box(np.array([0.0, -np.inf]), np.array([1.0, 3.0])),
    "large integers": Box(-(2**62), 2**62, (2,), np.int64),
    "float16": Box(-1, 1, (2, 2), np.float16),
    "bool": Box(0, 1, (5,), bool),
    "matrix of choices": MultiDiscrete([[2, 3], [4, 5]]),
    "nested": Dict(b=Tuple((Discrete(3, start=-1), Dict(c=Box(0, 1, (1,))))), a=Discrete(2)),
    "nothing": Box(0, 1, (0,)),
}
SPACES = OBSERVATIONS | ACTIONS | FURTHER


@pytest.mark.parametrize("name", SPACES)
def test_a_space_comes_back_from_json(name):
    spec = msgspec.json.decode(msgspec.json.encode(space_spec(SPACES[name])), type=SpaceSpec)
    built = build_space(spec)
    if "Text" not in str(SPACES[name]):
        assert built == SPACES[name] and built.dtype == SPACES[name].dtype
    assert space_spec(built) == spec


def test_what_no_environment_has_is_refused():
    with pytest.raises(msgspec.ValidationError, match="bounds of a space of shape"):
        msgspec.convert({"kind": "box", "shape": [1 << 20, 1 << 20]}, SpaceSpec)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"kind": "box", "shape": [3], "low": [0, 0], "high": [1, 1]}, SpaceSpec)
    assert space_spec(Box(0, 1, (1 << 13, 1 << 13), np.uint8)) is None and space_spec(Dict({1: Discrete(2)})) is None
    for content in (
        {"kind": "discrete", "low": [5], "high": [1]},
        {"kind": "box"},
        {"kind": "multi-binary", "shape": [0]},
    ):
        with pytest.raises(CaudexError, match=r"spec\.json has a space that cannot be"):
            build_space(msgspec.convert(content, SpaceSpec))
