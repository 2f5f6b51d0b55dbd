"""Names of environments."""

import pytest

from caudex import envs
from caudex.core.errors import CaudexError


def test_names_of_environments_are_known():
    names = envs.env_names()
    assert {
        "control/reacher",
        "pixels/reacher",
        "CartPole-v1",
        "MinAtar/Breakout-v1",
        "HalfCheetah-v5",
        "ALE/Pong-v5",
    } <= set(names)
    assert "CartPole-v0" not in names
    with pytest.raises(CaudexError, match="is not a registered environment"):
        envs.make("Nothing-v0", 1)
