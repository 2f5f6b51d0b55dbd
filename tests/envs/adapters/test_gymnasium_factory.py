"""One environment from its name: registered ids, and classes and functions of a user's module, with arguments and wrappers."""

import sys

import numpy as np
import pytest
from helpers.robots import write_robots

from caudex import envs
from caudex.core.errors import CaudexError


@pytest.fixture(autouse=True)
def robots(tmp_path, monkeypatch):
    """The user's module in the working folder."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    write_robots()
    yield
    sys.modules.pop("robots_for_test", None)


def make(name: str):
    return envs.make(f"robots_for_test:{name}", 2, renderable=True)


def test_a_module_has_ids_classes_and_functions():
    assert make("Pole-v0").max_episode_steps == 0 and make("Pole-v0").envs[0]._max_episode_steps == 50
    assert make("Pole").max_episode_steps == 10_000
    assert make("make?limit=7").envs[0]._max_episode_steps == 7
    assert make("Pole?gravity=1.5").envs[1].unwrapped.gravity == 1.5
    assert make("Pole-v0?gravity=2&max_episode_steps=30").envs[0]._max_episode_steps == 30
    assert make("Bare").reset(np.arange(2), np.ones(2, bool)).shape == (2, 3)


def test_wrappers_stand_around_the_environment():
    env = make("Pole|robots_for_test:half|robots_for_test:half")
    env.reset(np.arange(2), np.ones(2, bool))
    assert env.step(np.zeros(2, np.int64)).rewards.tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("robots_for_test:Other-v0", "'robots_for_test:Other-v0' is not a registered environment"),
        ("nosuch:Foo-v0", "there is no module nosuch; install it"),
        ("robots_for_test:number", "'robots_for_test:number' is not a registered environment"),
        ("robots_for_test:half", "cannot be made: TypeError: .*'env'"),
        ("CartPole-v1|robots_for_test:no_env", r"robots_for_test:no_env gave int; it must give a gymnasium\.Env"),
        ("CartPole-v1|robots_for_test:halv", r"no function 'halv'\. Did you mean half\? It has .*make, Bare, half"),
        ("CartPole-v1|nosuch:half", "there is no module nosuch"),
        ("CartPole-v1?gravty=1", r"gravty: CartPole-v1 has no such argument\. It takes sutton_barto_reward, max_episode"),
        ("robots_for_test:Pole?gravty=1", r"Did you mean gravity\? It takes gravity, sutton_barto_reward\.$"),
        ("robots_for_test:make?size=1", r"robots_for_test:make has no such argument\. It takes limit\.$"),
        ("robots_for_test:Bare?render_mode=human", r"no such argument\. It takes fails_at\.$"),
        ("Ant-v5?frameskip=1", r"Did you mean frame_skip\?"),
        ("control/reacher?size=1", "--env-args: control/reacher is made here"),
        ("ALE/Pong-v5|robots_for_test:half", "--wrap: ALE/Pong-v5 is made here"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_in_a_sentence(name, message):
    with pytest.raises(CaudexError, match=message):
        envs.make(name, 1)


def test_an_exception_of_an_environment_has_its_file_and_line():
    env = make("Bare?fails_at=2")
    env.reset(np.arange(2), np.ones(2, bool))
    env.step(np.zeros(2, np.int64))
    with pytest.raises(CaudexError, match=r"while it steps: LinAlgError: .*square \(robots_for_test.py, line 29\)"):
        env.step(np.zeros(2, np.int64))


def test_an_environment_that_renders_nothing_is_told_from_one_that_fails():
    with pytest.raises(envs.NoImagesError, match="robots_for_test:Bare renders no images, so there is no film"):
        make("Bare").render()
    env = make("make")  # the function takes no render_mode
    env.reset(np.arange(2), np.ones(2, bool))
    with pytest.raises(envs.NoImagesError):
        env.render()
