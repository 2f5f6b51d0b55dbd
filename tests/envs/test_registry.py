"""Names of environments."""

from pathlib import Path

import numpy as np
import pytest
from helpers.plugins import installed_plugin

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.trust import UntrustedName
from caudex.envs.meta.trials import make_trials

PLUGIN = """
import gymnasium

def make(seed=0, render_mode=None):
    return gymnasium.make("CartPole-v1", max_episode_steps=9, render_mode=render_mode)

class NoEnv:
    pass
"""


@pytest.fixture
def plugin(tmp_path):
    names = {"my-pole": "poles:make", "no-env": "poles:NoEnv"}
    with installed_plugin(tmp_path / "site", {"poles": PLUGIN}, {"caudex.envs": names}):
        yield


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


def test_the_environment_of_an_entry_point(plugin):
    assert {"my-pole", "no-env"} <= set(envs.env_names())
    env = envs.make(UntrustedName("my-pole", "runs/a"), 2, renderable=True)  # installed: a stranger's run may name it
    assert env.reset(np.arange(2), np.ones(2, bool)).shape == (2, 4)
    assert env.render().shape == (400, 600, 3)
    assert env.envs[0]._max_episode_steps == 9
    with pytest.raises(CaudexError, match=r"no-env gave a NoEnv; its entry point must give a gymnasium.Env\."):
        envs.make("no-env", 1)
    with pytest.raises(CaudexError, match=r"'my-pol' is not a registered environment\. Did you mean my-pole\?"):
        envs.make("my-pol", 1)


def test_the_tasks_of_an_entry_point(plugin):
    trials = make_trials(UntrustedName("my-pole", "runs/a"), 3)
    assert (trials.num_envs, trials.family.max_episode_steps) == (3, 9)
    with pytest.raises(
        CaudexError, match=r"'my-pol' is no kind of tasks\. Did you mean my-pole\? Known: .*, my-pole, "
    ):
        make_trials("my-pol", 3)


@pytest.mark.parametrize(
    "name", ["evil:CartPole-v1", "a.b:CartPole-v1", "evil:ns/Env-v0", "ALE/evil:Pong-v5", ":CartPole-v1"]
)
def test_nothing_is_imported_for_the_name_of_a_strangers_run(name):
    Path("evil.py").write_text("raise SystemExit('imported')")
    try:
        envs.make(UntrustedName(name, "runs/a"), 1).close()
    except CaudexError as error:
        assert "would import the module" in str(error) or "is no game of ale-py" in str(error)
    else:
        assert name == ":CartPole-v1"  # which names no module
    if ":" in name[1:]:
        with pytest.raises(CaudexError, match="runs/a was not made by you"):
            make_trials(UntrustedName(name, "runs/a"), 3)
