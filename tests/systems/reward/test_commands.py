"""The commands of systems that learn from reward: train, play, and each mistake with its sentence."""

import sys

import gymnasium
import numpy as np
import pytest
from helpers.cli_runs import SMALL
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.robots import write_robots
from PIL import Image

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.system import load


class FailingEnv(gymnasium.Env):
    """Raises after so many steps, or gives what is no number, or of another shape."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, how: str):
        self.how, self.steps = how, 0

    def reset(self, seed=None, options=None):
        return np.full(2, np.nan if self.how == "unbegun" and self.steps > 70 else 0, np.float32), {}

    def step(self, action):
        self.steps += 1
        late = self.steps > 70
        if late and self.how in ("raises", "exits"):
            raise {"raises": ValueError("the motor is on fire."), "exits": SystemExit(5)}[self.how]
        shown = np.float32(0) if late and self.how == "scalar" else np.zeros(2, np.float32)
        return shown, np.inf if late and self.how == "infinite" else 0.0, self.steps % 10 == 0, False, {}


@pytest.fixture(scope="module", autouse=True)
def broken():
    for how in ("raises", "infinite", "unbegun", "scalar", "exits", "well"):
        gymnasium.register(f"Broken-{how}-v0", lambda how=how: FailingEnv(how))


@pytest.mark.parametrize(
    ("system", "env", "flags"),
    [
        ("ppo", "Pendulum-v1", ()), ("dqn", "MinAtar/Breakout-v1", ("--also", "contrast:0.1")),
        ("rainbow", "CartPole-v1", ()), ("trpo", "control/reacher", ()), ("curl", "pixels/pendulum-swingup", ()),
        ("curl", "MinAtar/Breakout-v1", ("--view", "shift")),
    ],
)  # fmt: skip
def test_a_system_trains_plays_and_is_filmed(system, env, flags, tmp_path):
    output = run_cli("train", system, "--env", env, *SMALL, "--total-steps", "700", *flags, "--run", tmp_path / "run")
    assert "random" in output.out
    assert np.asarray(Image.open(tmp_path / "run" / "figures" / "episode.png").convert("L")).std() > 1  # there is light
    film = tmp_path / "out.mp4"
    words = ("play", tmp_path / "run", "--episodes", "3")
    first = run_cli(*words, "--video", film)
    assert film.stat().st_size > 1000 and film.with_suffix(".png").exists()
    assert first.out.splitlines()[3] == run_cli(*words).out.splitlines()[3]  # the same seed, the same episodes
    assert_refused(*words, "--video", film, because="out.mp4 exists already")
    player = load(tmp_path / "run")
    assert len(player.play(4, seed=1)) == 4


def test_arguments_and_wrappers_become_part_of_the_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    write_robots()
    words = ("train", "ppo", "--env", "robots_for_test:make", "--env-args", "limit=7", "--wrap", "robots_for_test:half")
    run = run_cli(*words, *SMALL, "--total-steps", "200", "--run", tmp_path / "run").run
    assert Run(run).settings()["settings"]["env"] == "robots_for_test:make?limit=7|robots_for_test:half"
    assert set(load(run).play(5)) == {3.5}
    output = run_cli("play", run, "--episodes", "5", "--env-args", "limit=6", "--wrap", "robots_for_test:half")
    assert output.out.splitlines()[3].split()[3] == "1.5"
    robots = sys.modules["robots_for_test"]
    sees_more = lambda env: gymnasium.wrappers.FlattenObservation(gymnasium.wrappers.FrameStackObservation(env, 2))  # noqa: E731
    monkeypatch.setattr(robots, "half", sees_more)
    assert_refused("play", run, because="has other observations or actions than when this was learned")
    (run / "finished.json").unlink()
    assert_refused("resume", run, because="8 numbers to see, 2 actions; when")
    del sys.modules["robots_for_test"]


def test_environments_that_cannot_be_are_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    assert_refused("train", "ppo", "--env", "HalfCheeta-v5", *where, because="Did you mean HalfCheetah-v5?")
    assert_refused("train", "ppo", "--env", "control/cartpole", *where, because="Did you mean cartpole-")
    assert_refused("train", "ppo", "--also", "rotation", *where, because="it needs unlabelled images")
    assert_refused("train", "ppo", "--also", "contrast", *where, because="shows no images to compare")
    assert_refused("train", "ppo", "--num-envs", "0", *where, because="--num-envs 0 is out of range")
    assert_refused("train", "curl", "--env", "Pendulum-v1", *where, because="shows numbers, curl learns from images")
    assert_refused("train", "ppo", "--batch", "3000", *where, because="steps of --num-envs 8 are 2,048")
    assert_refused(
        "train", "ppo", "--horizon", "1000000", "--num-envs", "4000", *where, because="--horizon 1,000,000 needs"
    )
    assert_refused(
        "train", "sac", "--total-steps", "900", *where, because="--learning-starts 1,000 steps at random leave nothing"
    )
    assert_refused("train", "dqn", "--buffer-size", "1000000000000000", *where, because="GiB of memory")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "ValueError: the motor is on fire"), ("infinite", "no finite number after"),
        ("unbegun", "no finite number as an episode began"), ("scalar", "of shape (), but its observation_space says (2,)"),
        ("exits", "SystemExit: 5"),
    ],
)  # fmt: skip
def test_an_environment_that_breaks_stops_the_run_and_leaves_its_checkpoint(how, message, tmp_path):
    words = ("train", "ppo", "--env", f"Broken-{how}-v0", *SMALL, "--horizon", "16", "--batch", "16", "--num-envs", "2")
    output = invoke(*words, "--save-seconds", "0", "--run", tmp_path / "run")
    assert output.code == 2 and message in output.err and "Traceback" not in output.err
    assert list((tmp_path / "run" / "stages" / "training" / "checkpoints").iterdir())


def test_an_environment_that_takes_no_render_mode_has_no_images_and_is_learned_from(tmp_path):
    words = ("train", "ppo", "--env", "Broken-well-v0", *SMALL, "--total-steps", "200", "--run", tmp_path / "run")
    output = run_cli(*words)
    assert "the environment Broken-well-v0 renders no images, so there is no film.\n" in output.out
    assert "failed" not in output.out + output.err
    output = invoke("play", tmp_path / "run", "--video", "a.mp4")
    assert output.code == 2 and output.err.endswith("renders no images, so there is no film.\n")
    assert not (tmp_path / "run" / "figures" / "episode.png").exists()


def test_an_environment_that_cannot_be_made_is_refused_in_a_sentence():
    def fails():
        raise FileNotFoundError("no map.")

    gymnasium.register("Unmade-v0", fails)
    with pytest.raises(CaudexError, match=r"Unmade-v0 cannot be made: FileNotFoundError: no map \(.*, line \d+\)\.$"):
        envs.make("Unmade-v0", 1)


def test_an_episode_that_need_not_end_is_cut_where_policies_are_compared():
    gymnasium.register("Well-limited-v0", lambda: FailingEnv("well"), max_episode_steps=30)
    assert envs.make("Broken-well-v0", 1).max_episode_steps == 10_000
    assert envs.make("Well-limited-v0", 1).max_episode_steps == 0


def test_play_says_what_it_cannot_do(tmp_path):
    run_cli("train", "ppo", *SMALL, "--total-steps", "200", "--run", tmp_path / "run")
    run = tmp_path / "run"
    assert_refused("play", run, "--episodes", "0", because="--episodes 0 is out of range")
    assert_refused("play", run, "--video", "out.avi", because="give a file that ends in .mp4")
    assert_refused("play", run, "--video", tmp_path / "no" / "out.mp4", because="make it first")
    assert_refused("play", tmp_path, because="settings.json")
    assert_refused("play", run, "--env", "Pendulum-v1", because="Pendulum-v1")
