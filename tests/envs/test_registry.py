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
    with pytest.raises(CaudexError, match=r"no-env gave NoEnv; it must give a gymnasium.Env\."):
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


STRANGE = [
    "evil:CartPole-v1", "a.b:CartPole-v1", "evil:ns/Env-v0", "ALE/evil:Pong-v5", ":CartPole-v1", "evil:make", "CartPole-v1|evil:wrap",
    "CartPole-v1?sutton_barto_reward=true|evil:wrap", "GymV26Environment-v0?env_id=evil:Env-v0", "Ant-v5?xml_file=/tmp/a.xml",
    "pixels/reacher|evil:wrap", "<Pole>|evil:wrap",
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_nothing_is_imported_for_the_name_of_a_strangers_run(name):
    Path("evil.py").write_text("raise SystemExit('imported')")
    try:
        envs.make(UntrustedName(name, "runs/a"), 1).close()
    except CaudexError as error:
        assert any(
            words in str(error)
            for words in ("would import the module", "is no game of", "would be made with", "takes none")
        )
    else:
        assert name == ":CartPole-v1"  # which names no module
    if ":" in name[1:] and "?" not in name:
        with pytest.raises(CaudexError, match="runs/a was not made by you"):
            make_trials(UntrustedName(name, "runs/a"), 3)


def test_a_strangers_name_stays_one_with_what_is_joined_to_it():
    name = UntrustedName("evil:Env-v0?size=1", "runs/a")
    joined = envs.join_env_name(name, ["size=2", "map=a&b"], ["mine:flat"])
    assert (type(joined), joined, joined.run) == (UntrustedName, "evil:Env-v0?size=2&map=a%26b|mine:flat", "runs/a")
    assert type(envs.camera_env_name(UntrustedName("control/reacher", "runs/a"), 64)) is UntrustedName
    with pytest.raises(
        CaudexError, match=r"its environment evil:.* would import the modules evil, mine and be made with"
    ):
        envs.make(joined, 1)
    assert type(envs.join_env_name("Env-v0", ["size=2"])) is str
    with pytest.raises(CaudexError, match="would import the module mine"):
        envs.make(envs.join_env_name(UntrustedName("CartPole-v1", "runs/a"), (), ["mine:flat"]), 1)
    envs.make(envs.join_env_name(UntrustedName("CartPole-v1", "runs/a"), ["sutton_barto_reward=true"]), 1).close()
