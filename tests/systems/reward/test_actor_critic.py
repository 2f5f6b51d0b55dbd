"""sac and ddpg: what they learn, and exact resuming."""

import contextlib
import io
from functools import partial

import numpy as np
import pytest
import torch
from helpers.continuous_control import Line, make_learner
from torch.optim import Adam

from caudex.cli import main as cli
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.specs import ActionSpec
from caudex.experience import EnvRunner, ReplaySource
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.systems.reward.ddpg import DDPG
from caudex.systems.reward.sac import SAC
from caudex.trunks import Identity


@pytest.mark.parametrize(
    "kind", [SoftActorCritic, partial(DeterministicPolicy, target_decay=0.99)], ids=["sac", "ddpg"]
)
def test_a_point_learns_to_stay_in_the_middle(kind):
    torch.manual_seed(0)
    learner = make_learner(kind, Identity(1), partial(Adam, lr=3e-3), ActionSpec(low=(-5.0,), high=(5.0,)))
    runner = EnvRunner(Line(4, scale=5.0), 0)
    fit(
        learner,
        {"policy": ReplaySource(runner, learner, "policy", 10_000, 64, learning_starts=200, train_freq=2, gamma=0.9)},
        steps=800,
    )
    signal = learner.signals["policy"]

    def mean_return(choose):
        scaled_runner = EnvRunner(Line(20, scale=5.0), 1)
        while len(scaled_runner.finished_episodes) < 20:
            scaled_runner.step(choose(scaled_runner.observations))
        return np.mean([total for _, total, _ in scaled_runner.finished_episodes])

    with torch.no_grad():
        learned_return = mean_return(
            lambda observations: signal.act(learner.trunk, torch.from_numpy(observations)).numpy()
        )
    chance = mean_return(lambda observations: signal.random_actions(torch.from_numpy(observations)).numpy())
    assert learned_return > -6  # from 1 away on average, in steps of a half
    assert chance < -20


@pytest.mark.parametrize("system", [SAC, DDPG])
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(system, tmp_path, monkeypatch):
    settings = {
        "env": "Pendulum-v1",
        "total_steps": 900,
        "learning_starts": 200,
        "num_envs": 2,
        "batch": 16,
        "hidden": (8, 8),
        "train_freq": 3,
    }

    def train_run(name):
        run = Run(tmp_path / name, 7, Hardware(device="cpu", save_seconds=0.05))
        run.quiet = True
        return system(**settings, seed=7).train(run), run

    monkeypatch.setattr("caudex.systems.reward.shared.EVAL_EPISODES", 1)
    uninterrupted, _ = train_run("whole")
    kind = type(uninterrupted.signals["policy"])
    loss, calls = kind.loss, []

    def dies(self, trunk, batch):
        calls.append(1)
        if len(calls) in (120, 200):
            raise KeyboardInterrupt
        return loss(self, trunk, batch)

    monkeypatch.setattr(kind, "loss", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_run("cut")
    halves, run = train_run("cut")
    assert list((run.path / "stages/training/replay").glob("*.safetensors"))
    assert len(calls) < 120 + 80 + 233  # it did not begin anew
    for name, weight in uninterrupted.state_dict().items():
        assert torch.equal(weight, halves.state_dict()[name]), name
    rows = [(tmp_path / name / "stages/training/metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["sac", "ddpg"])
def test_an_environment_of_a_few_actions_is_refused_in_one_sentence(name, tmp_path):
    stderr = io.StringIO()
    with (
        contextlib.redirect_stderr(stderr),
        contextlib.redirect_stdout(io.StringIO()),
        pytest.raises(SystemExit) as end,
    ):
        cli.main(["train", name, "--env", "CartPole-v1", "--run", str(tmp_path / "run")])
    assert end.value.code
    assert stderr.getvalue().strip() == (
        f"caudex: CartPole-v1 is acted in by choosing among 2 actions, {name} acts with numbers; take dqn or ppo."
    )


def test_settings_out_of_range_are_refused():
    for settings in (
        {"hidden": (400, 0)},
        {"target_decay": 2.0},
        {"temperature": 0.0},
        {"buffer_size": 1},
        {"train_freq": 0},
    ):
        with pytest.raises(CaudexError, match=f"--{next(iter(settings))}".replace("_", "-")):
            SAC(**settings).check()
