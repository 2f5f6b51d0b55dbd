"""Environments of the DeepMind Control Suite: what dm_control itself says, what a camera sees, and runs that were killed."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from helpers.interruption import Killed, kill_after
from pytest import approx

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.envs import mujoco_camera
from caudex.envs.adapters import dm_control as suite
from caudex.envs.adapters.dm_control import DMControlEnv
from caudex.experience import EnvRunner
from caudex.systems.reward.sac import SAC

pytest.importorskip("dm_control", reason="it is not to be had for this Python")
BOTH = np.ones(2, bool)


def render_episode(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    shape = (steps, env.num_envs, *env.action_space.shape)
    return rng.uniform(env.action_space.low, env.action_space.high, shape).astype(np.float32)


def play_actions(env, seeds, actions):
    """All observations and rewards of one episode in each place."""
    observations, rewards = [env.reset(np.array(seeds), BOTH)], []
    for action in actions:
        outcome = env.step(action)
        observations.append(outcome.observations)
        rewards.append(outcome.rewards)
    return np.stack(observations), np.stack(rewards)


@pytest.mark.parametrize(
    ("task", "repeat"), [("cartpole-swingup-v0", 8), ("finger-turn_hard-v0", 2), ("fish-swim-v0", 4)]
)
def test_a_step_is_one_action_repeated_and_shows_all_observations_of_the_task(task, repeat):
    env, environment = (
        DMControlEnv(task, 2),
        suite.load_suite(task).load(*task.removesuffix("-v0").split("-"), task_kwargs={"random": 7}),
    )
    actions = render_episode(env, 5)
    observations, rewards = play_actions(env, [3, 7], actions)
    time_step, total = environment.reset(), 0.0
    assert observations.dtype == np.float32 and observations.shape[2:] == env.observation_space.shape
    for when, action in enumerate(actions[:, 1]):
        expected = np.concatenate([np.ravel(part) for part in time_step.observation.values()])
        assert observations[when, 1] == approx(expected, rel=1e-6)
        steps = [environment.step(action.astype(float)) for _ in range(repeat)]
        time_step, total = steps[-1], sum(step.reward for step in steps)
        assert rewards[when, 1] == approx(total, rel=1e-6)


def test_a_time_limit_is_truncation_and_an_end_is_termination(monkeypatch):
    env = DMControlEnv("cartpole-balance-v0", 2)
    env.reset(np.arange(2), BOTH)
    for _ in range(124):
        outcome = env.step(np.zeros((2, 1), np.float32))
        assert not (outcome.terminated | outcome.truncated).any()
    outcome = env.step(np.zeros((2, 1), np.float32))  # 125 times 8 are 1,000
    assert outcome.truncated.all() and not outcome.terminated.any()
    env.reset(np.arange(2), BOTH)
    task, looks = env.envs[1].task, iter(range(100))
    monkeypatch.setattr(task, "get_termination", lambda physics: 0.0 if next(looks) == 2 else None)
    outcome = env.step(np.zeros((2, 1), np.float32))
    assert outcome.terminated.tolist() == [False, True] and not outcome.truncated.any()
    assert outcome.rewards[1] == approx(outcome.rewards[0] * 3 / 8, rel=0.01)  # nothing is earned behind it


@pytest.mark.parametrize("pixels", [False, True], ids=["numbers", "images"])
@pytest.mark.parametrize("task", ["reacher-easy-v0", "swimmer-swimmer6-v0"])  # each episode changes the model
def test_the_same_seed_is_the_same_episode_in_any_place_and_after_any_other(task, pixels):
    one, other = DMControlEnv(task, 2, pixels, 24), DMControlEnv(task, 2, pixels, 24)
    actions = render_episode(one, 4)
    observations, rewards = play_actions(one, [5, 6], actions)
    play_actions(other, [8, 9], render_episode(one, 3, seed=1))
    again, rewards_again = play_actions(other, [6, 5], actions[:, ::-1])
    assert np.array_equal(observations, again[:, ::-1]) and np.array_equal(rewards, rewards_again[:, ::-1])
    assert not np.array_equal(observations[0, 0], observations[0, 1])


def test_an_image_shows_where_the_cart_is_and_which_way_the_pole_points():
    env = DMControlEnv("cartpole-swingup-v0", 2, pixels=True, size=84)
    env.reset(np.arange(2), BOTH)
    positions = {}
    for name, slide, hinge in (("left", -1.0, np.pi), ("right", 1.0, np.pi), ("up", 0.0, 0.0)):
        physics = env.envs[1].physics
        with physics.reset_context():
            physics.named.data.qpos["slider"], physics.named.data.qpos["hinge_1"] = slide, hinge
        image = env.render_from(env.camera, 1).astype(int)
        rows, columns = np.nonzero(image[..., 0] > image[..., 2] + 30)  # cart and pole are yellow, all else is blue
        positions[name] = rows.mean(), columns.mean()
    assert positions["left"][1] < 30 and positions["right"][1] > 54 and 40 < positions["up"][1] < 44
    assert positions["up"][0] < positions["left"][0] - 8 and abs(positions["left"][0] - positions["right"][0]) < 1


def test_each_environment_has_an_image_of_its_own_and_there_is_one_for_people():
    env, single = DMControlEnv("walker-walk-v0", 2, pixels=True), DMControlEnv("walker-walk-v0", 1, pixels=True)
    observations = env.reset(np.array([3, 4]), BOTH)
    assert observations.shape == (2, 3, 84, 84) == (2, *env.observation_space.shape) and observations.dtype == np.uint8
    assert np.array_equal(observations[1], single.reset(np.array([4]), BOTH[:1])[0]) and observations.std() > 10
    image = env.render()
    assert image.shape == (240, 320, 3) and image.std() > 10
    single.close()
    assert np.array_equal(env.render(), image)  # what another let go of was its own


@pytest.mark.parametrize("kind", ["dm_control", "dm_pixels"])
def test_acting_goes_on_exactly(kind):
    one, other = (EnvRunner(envs.make(f"{kind}/ball_in_cup-catch-v0", 2), 1, frame_stack=3) for _ in range(2))
    actions = render_episode(one.env, 12)
    for action in actions[:8]:
        one.step(action)
    other.load_state_dict(one.state_dict())
    for action in actions[8:]:
        assert all(np.array_equal(a, b) for a, b in zip(one.step(action), other.step(action)))


def test_a_killed_run_goes_on_to_the_same_weights_and_metrics(tmp_path):
    def parts(folder):
        system = SAC(
            env="dm_control/cartpole-swingup-v0",
            num_envs=2,
            total_steps=300,
            learning_starts=240,
            batch=8,
            hidden=(16, 16),
        )
        run = Run(tmp_path / folder, 1, Hardware(device="cpu", save_seconds=0))
        run.quiet = True
        runner, spec = system.make_envs(run)
        with run.seeded("weights"):
            learner = system.learner(spec)
        source = system.source(runner, learner, run)
        return learner, {"policy": source}, {"run": run.stage("training"), "samples": system.total_steps}

    learner, sources, fit_settings = parts("whole")
    uninterrupted = fit(learner, sources, **fit_settings).state_dict()
    learner, sources, fit_settings = parts("killed")
    with pytest.raises(Killed):
        fit(learner, sources, **fit_settings, step=kill_after(31))
    learner, sources, fit_settings = parts("killed")
    resumed = fit(learner, sources, **fit_settings).state_dict()
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)
    rows = [Run(tmp_path / name / "stages" / "training").metrics() for name in ("whole", "killed")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("system", "flags", "sees"),
    [("sac", (), "dm_control/cartpole-swingup-v0: 5 numbers to see"),
     ("curl", ("--size", "40"), "dm_pixels/cartpole-swingup-v0/40: images (9, 40, 40) to see")],
)  # fmt: skip
def test_the_same_name_is_learned_from_numbers_and_from_images(system, flags, sees, tmp_path, monkeypatch):
    monkeypatch.setattr("caudex.systems.reward.shared.EVAL_EPISODES", 2)
    small = (
        "--scale",
        "tiny",
        "--threads",
        "1",
        "--total-steps",
        "80",
        "--learning-starts",
        "40",
        "--batch",
        "8",
        *flags,
    )
    run = tmp_path / "run"
    output = run_cli("train", system, "--env", "dm_control/cartpole-swingup-v0", *small, "--run", run)
    assert sees in output.out and (run / "figures" / "episode.png").exists()
    run_cli("play", run, "--episodes", "2", "--video", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").stat().st_size > 1000 and (tmp_path / "out.png").exists()


def test_the_same_environment_has_two_names():
    assert envs.camera_env_name("dm_control/walker-run-v0") == "dm_pixels/walker-run-v0"
    assert envs.camera_env_name("control/reacher", 64) == "pixels/reacher/64"
    assert envs.camera_env_name("pixels/reacher/64", 32) == "pixels/reacher/32"
    assert envs.camera_env_name("pixels/reacher/64") == "pixels/reacher/64"
    assert envs.camera_env_name("ALE/Pong-v5") == "ALE/Pong-v5"
    assert envs.state_env_name("dm_pixels/walker-run-v0/64") == "dm_control/walker-run-v0"
    assert envs.state_env_name("CartPole-v1") is None
    assert envs.make("pixels/reacher/30", 1).observation_space.shape == (1, 30, 30)


def test_all_tasks_are_listed_where_they_can_be_had(monkeypatch):
    names = envs.env_names()
    assert {"dm_control/humanoid-walk-v0", "dm_pixels/ball_in_cup-catch-v0"} <= set(names)
    assert len(suite.dm_control_tasks()) == 48 and not any("lqr" in name or "escape" in name for name in names)
    monkeypatch.setitem(sys.modules, "dm_control", None)
    assert suite.dm_control_tasks() == [] and not any(name.startswith("dm_") for name in envs.env_names())
    with pytest.raises(
        CaudexError, match=r"dm_control/walker-run-v0 needs .* dm_control: pip install 'caudex\[control\]'"
    ):
        envs.make("dm_control/walker-run-v0", 1)


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, monkeypatch):
    where = ("--run", tmp_path / "run")
    assert_refused(
        "train", "sac", "--env", "dm_control/cartpole-swing-v0", *where, because="Did you mean cartpole-swingup-v0?"
    )
    assert_refused(
        "train", "sac", "--env", "dm_pixels/cartpole-swingup-v0/4", *where, because="pixels wide images are, from 8"
    )
    assert_refused("train", "curl", "--env", "Pendulum-v1", "--size", "64", *where, because="--size 64: Pendulum-v1")

    def none():
        raise ImportError("Cannot initialize a EGL device display.")

    monkeypatch.setattr(mujoco_camera, "gl_context_class", none)
    words = ("train", "curl", "--env", "dm_control/cartpole-swingup-v0")
    assert_refused(*words, *where, because="Debian: apt-get install libegl1 libgl1.")


def test_help_does_not_wait_for_the_simulator():
    code = "import atexit, sys; from caudex.cli import main as cli; "
    code += "atexit.register(lambda: print({'dm_control', 'mujoco', 'gymnasium'} & {*sys.modules})); "
    code += "cli.main(['train', 'curl', '--help'])"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.splitlines()[-1] == "set()"
