"""`caudex.train` is the command `train`, called from Python."""

from pathlib import Path

import gymnasium
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from helpers.command_line import assert_refused, invoke, model_bytes, run_cli

import caudex
from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.trust import is_own

SMALL = {"scale": "tiny", "threads": 1, "total_steps": 300}


@pytest.fixture(autouse=True)
def _as_in_a_new_process():
    envs.objects.named_objects.clear()


class Pole(CartPoleEnv):
    def __init__(self, gravity=9.8):
        super().__init__()
        self.gravity = gravity


def test_it_is_the_command_and_returns_the_model(capsys):
    agent = caudex.train("ppo", env="CartPole-v1", seed=3, **SMALL | {"total_steps": 3e2})
    assert agent.run == Path("runs/ppo-1") and is_own(Run(agent.run)) and not agent.training
    assert capsys.readouterr().out.endswith("runs/ppo-1\n")
    words = (
        "train",
        "ppo",
        "--env",
        "CartPole-v1",
        "--scale",
        "tiny",
        "--threads",
        "1",
        "--total-steps",
        "300",
        "--seed",
        "3",
    )
    assert model_bytes(run_cli(*words).run) == model_bytes("runs/ppo-1")
    assert caudex.load("runs/ppo-1").run == Path("runs/ppo-1")


def test_it_trains_systems_without_environments():
    model = caudex.train("supervised", scale="tiny", threads=1, labels_per_class=1, width=4, steps=3, run="run")
    assert model.run == Path("run") and (model.run / "report.html").exists()


def test_environments_are_given_as_objects_classes_and_functions():
    agent = caudex.train("ppo", env=Pole, env_args={"gravity": 3}, **SMALL)
    assert agent.env == "<Pole>?gravity=3" and envs.make(agent.env, 2).envs[1].gravity == 3
    agent = caudex.train("ppo", env=lambda: gymnasium.make("CartPole-v1", max_episode_steps=5), **SMALL)
    assert agent.play(3).max() == 5
    agent = caudex.train("ppo", env=gymnasium.make("CartPole-v1", max_episode_steps=6), **SMALL)
    assert agent.play(3).max() == 6 and Run(agent.run).settings()["settings"]["num_envs"] == 8


def test_a_run_with_an_object_goes_on_with_the_object_alone(capsys):
    env = Pole()
    caudex.train("ppo", env=env, **SMALL, run="run")
    assert "<Pole> acts alone; its class" in capsys.readouterr().out
    weights = model_bytes("run")
    Path("run/finished.json").unlink()
    envs.objects.named_objects.clear()  # as in another process
    assert_refused("resume", "run", because="<Pole> was given as a Python object, which only its own process knows")
    assert caudex.train("ppo", env=env, **SMALL, run="run").env == "<Pole>"
    assert model_bytes("run") == weights
    modified = Path("run/model.safetensors").stat().st_mtime_ns
    caudex.train("ppo", env=Pole(), **SMALL, run="run")  # finished: it is loaded
    assert Path("run/model.safetensors").stat().st_mtime_ns == modified


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.1}, r"train ppo has no setting --learning-rate\."),
        ({"total_steps": "many"}, "--total-steps 'many' is not a whole number"),
        ({"gamma": 2.0}, "--gamma 2 is out of range"),
        ({"env": 3}, "env is a int; give the id"),
        ({"env": Pole(), "num_envs": 3}, "--num-envs 3: <Pole.*> is one environment object"),
        ({"env": Pole(), "evaluate_every": 100}, "act beside the training, but <Pole.*> is one object; give its class"),
        ({"system": "locomotion", "env": Pole()}, "locomotion acts beside the training, but <Pole.*> is one object"),
        ({"system": "a3c", "env": Pole()}, "<Pole.*> is an object of this process, which actors do not share"),
        ({"system": "supervised", "env": Pole}, "train supervised has no setting --env"),
        ({"system": "rl2", "env": Pole()}, "'<Pole.*>' is no kind of tasks"),
    ],
)  # fmt: skip
def test_mistakes_have_the_sentences_of_the_command(settings, message):
    with pytest.raises(CaudexError, match=message):
        caudex.train(**{"system": "ppo", "threads": 1, **settings})
    assert not Path("runs").exists()


def test_a_run_of_another_training_does_not_go_on():
    caudex.train("ppo", **SMALL, run="run")
    with pytest.raises(
        CaudexError, match="run began with total_steps=300, not 500; give the same settings, or another run"
    ):
        caudex.train("ppo", **SMALL | {"total_steps": 500}, run="run")
    with pytest.raises(CaudexError, match="run is a run of ppo, not of trpo"):
        caudex.train("trpo", threads=1, run="run")
    Path("run/signature.json").unlink()
    with pytest.raises(CaudexError, match="run was not made by you on this machine"):
        caudex.train("ppo", **SMALL, run="run")


class Brittle(Pole):
    def step(self, action):
        raise ArithmeticError("a cog is loose")


def test_a_failing_environment_is_told_with_how_its_training_goes_on():
    with pytest.raises(
        CaudexError, match=r"a cog is loose .*; mend it; caudex.train.*env=the same, run=run. goes on from"
    ):
        caudex.train("ppo", env=Brittle, **SMALL, run="run")
    Path("loose_cog.py").write_text(
        "from gymnasium.envs.classic_control import CartPoleEnv\n\n\n"
        "class Brittle(CartPoleEnv):\n    def step(self, action):\n        raise ArithmeticError('a cog is loose')\n"
    )
    words = ("--env", "loose_cog:Brittle", "--scale", "tiny", "--threads", "1", "--run", "broken")
    assert "line 6); mend it; `caudex resume broken` goes on from" in invoke("train", "ppo", *words).err
