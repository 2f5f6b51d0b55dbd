"""A user's own environment is imported from the working folder."""

import sys

import numpy as np
import pytest

from caudex import envs
from caudex.core.errors import CaudexError


def test_an_environment_of_ones_own_is_imported_from_where_one_works(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (tmp_path / "mybox_for_test.py").write_text(
        "import gymnasium\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('MyBox-v0', CartPoleEnv, max_episode_steps=50)\n"
    )
    env = envs.make("mybox_for_test:MyBox-v0", 2)
    assert env.reset(np.arange(2), np.ones(2, bool)).shape == (2, 4)
    with pytest.raises(CaudexError, match="there is no module nosuch; install it"):
        envs.make("nosuch:Foo-v0", 1)
    with pytest.raises(CaudexError, match=r"'mybox_for_test:Other-v0' is not a registered environment"):
        envs.make("mybox_for_test:Other-v0", 1)
