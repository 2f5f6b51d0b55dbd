"""a3c: its optimiser and its gradient by hand, both forms learn, what goes on after a kill, and what ends with it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from helpers import endless_actors
from helpers.cli_runs import SMALL
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.endless_actors import GAMMA, STEPS, make_actor
from helpers.environments import Clock
from pytest import approx
from torch import nn

from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.specs import ActionSpec
from caudex.experience import Actors, EnvRunner, Rollouts
from caudex.signals.policy_gradient import ActorCritic
from caudex.systems.reward.a3c import A3C, apply_actor_gradient
from caudex.trunks import Identity


@pytest.fixture(autouse=True)
def _small_and_importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # for processes that begin here, and for this file
    monkeypatch.setattr("caudex.systems.reward.shared.EVAL_EPISODES", 5)


# -- by hand --------------------------------------------------------------------------------------------------------


def test_two_steps_of_rmsprop_by_hand():
    weight, silent = nn.Parameter(torch.tensor([2.0])), nn.Parameter(torch.tensor([1.0]))
    optimizer = RMSprop([weight, silent], lr=0.1, alpha=0.75, eps=3.0)
    weight.grad = torch.tensor([2.0])
    optimizer.step()  # the mean square is a quarter of 4
    assert weight.item() == approx(2 - 0.1 * 2 / 2)
    weight.grad = torch.tensor([-6.0])
    optimizer.step()  # three quarters of 1, and a quarter of 36
    assert weight.item() == approx(1.9 + 0.1 * 6 / (9.75 + 3) ** 0.5)
    assert silent.item() == 1


def test_a_step_over_the_mean_is_that_over_the_sum_with_smaller_epsilon_and_norm():
    # so that --scale paper is what was published for the sum over five steps
    def moved(gradients, scale):
        weight = nn.Parameter(torch.ones(3))
        optimizer = RMSprop([weight], lr=0.1, alpha=0.99, eps=0.1 / scale**2)
        for gradient in gradients:
            weight.grad = gradient / scale
            nn.utils.clip_grad_norm_([weight], 40 / scale)
            optimizer.step()
        return weight

    gradients = torch.randn(20, 3) * 20
    torch.testing.assert_close(moved(gradients, 5), moved(gradients, 1))


def test_rewards_are_clipped():
    learner = Learner(Identity(2), {"policy": ActorCritic(ActionSpec(count=2))})
    plain, cut = (
        Rollouts(
            EnvRunner(Clock(3), 5, reward_clip=clipped), learner, "policy", 12, 36, 1, gamma=0.0, gae_lambda=1.0
        ).collect()
        for clipped in (0.0, 2.0)
    )
    assert set(plain.returns.round(decimals=4).tolist()) == {1, 2, 3, 4}  # nothing later counts: returns are rewards
    torch.testing.assert_close(cut.returns, plain.returns.clamp(-2, 2))


def paper_gradients(learner, runner) -> tuple:
    """Algorithm S3, from "repeat" to the bootstrap and back: gradients of the loss, which here is a mean over the steps."""
    signal, steps = learner.signals["policy"], []
    for _ in range(STEPS):
        policy, value = signal.policy_and_values(learner.trunk, torch.from_numpy(runner.observations))
        action = policy.sample()
        step_result = runner.step(action.numpy())
        assert not step_result.dones.any()
        steps.append((policy.log_prob(action), policy.entropy(), value, step_result.rewards.item()))
    result = signal.value(learner.trunk(torch.from_numpy(runner.observations)).pooled).detach()
    loss = 0
    for log_prob, entropy, value, reward in reversed(steps):
        result = reward + GAMMA * result
        loss = loss - log_prob * (result - value.detach()) - 0.01 * entropy + 0.5 * (result - value) ** 2
    return torch.autograd.grad(loss / STEPS, list(learner.parameters()))


def test_actors_compute_the_gradient_of_the_paper_at_the_current_weights():
    learner, _ = make_actor(0)
    with Actors(learner, make_actor, 1, seed=7) as actors:
        _, source = make_actor(derive_seed(7, "actor", 0, 0))
        torch.manual_seed(derive_seed(7, "actor", 0, 0))
        for given in range(3):
            expected = paper_gradients(learner, source.runner)
            gradients = next(actors)
            for one, other in zip(gradients.gradients, expected, strict=True):
                torch.testing.assert_close(one, other)
            assert learner.trunk.count.item() == approx(STEPS * (given + 1), rel=1e-3)  # told what the actor saw
            assert gradients.flops > 0
            apply_actor_gradient(learner, {"policy": gradients})
    assert actors.samples_seen == 3 * STEPS
    assert not multiprocessing.active_children()


def test_many_actors_take_turns_and_know_how_far_they_are_behind():
    learner, _ = make_actor(0)
    with Actors(learner, partial(make_actor, standardised=False), 3, seed=7) as actors:
        heard = set()
        while len(heard) < 3:  # one may be there long before the others
            apply_actor_gradient(learner, {"policy": next(actors)})
            heard.add(actors.last_actor.pipe)
        actors.metrics()
        for _ in range(10):
            others, turns = heard - {actors.last_actor.pipe}, set()
            assert all(pipe in actors.ready or pipe.poll(60) for pipe in others)
            for _ in range(5):  # at most two that were ready before, then all that are now
                apply_actor_gradient(learner, {"policy": next(actors)})
                turns.add(actors.last_actor.pipe)
            assert turns >= others  # nobody is left out
        assert 0 < actors.metrics()["actors/staleness"] < 10


# -- learning, and going on -----------------------------------------------------------------------------------------


def train_a3c(folder, save_seconds=30.0, **settings):
    run = Run(folder, 7, Hardware(device="cpu", save_seconds=save_seconds))
    run.quiet = True
    return A3C(seed=7, **settings).train(run), run


def test_the_synchronous_form_learns():
    _, run = train_a3c("run", asynchronous=False, total_steps=16_000)
    results = run.read_json("results")
    assert results["policy"]["return"] > 100 > 50 > results["random"]["return"]
    assert run.stage("training").read_json("about")["resumes"] == "bit for bit"


def test_the_synchronous_form_ends_alike_whether_it_was_killed_or_not(tmp_path, monkeypatch):
    settings = {"asynchronous": False, "total_steps": 500, "num_envs": 2}
    uninterrupted, _ = train_a3c("whole", **settings)
    loss, calls = ActorCritic.loss, []

    def dies(self, trunk, batch):
        calls.append(1)
        if len(calls) in (20, 40):
            raise KeyboardInterrupt
        return loss(self, trunk, batch)

    monkeypatch.setattr(ActorCritic, "loss", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_a3c("cut", 0.0, **settings)
    cut, _ = train_a3c("cut", **settings)
    assert len(calls) == 50 + 2  # it went on where it was
    for name, weight in uninterrupted.state_dict().items():
        assert torch.equal(weight, cut.state_dict()[name]), name
    rows = [(tmp_path / name / "stages/training/metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert rows[0] == rows[1]


def test_actors_learn_and_go_on_from_a_checkpoint(monkeypatch):
    settings, calls = {"total_steps": 24_000, "actors": 2}, []

    def dies(learner, batches):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return apply_actor_gradient(learner, batches)

    monkeypatch.setattr("caudex.systems.reward.a3c.apply_actor_gradient", dies)
    with pytest.raises(KeyboardInterrupt):
        train_a3c("run", 0.0, **settings)
    assert not multiprocessing.active_children()
    _, run = train_a3c("run", **settings)
    results, training = run.read_json("results"), run.stage("training")
    assert results["policy"]["return"] > 70 > 50 > results["random"]["return"]
    last = training.metrics()[-1]
    assert len(calls) == 1 + 24_000 / 40 and last["samples"] == 24_000  # 19 steps stood in the checkpoint
    assert last["actors/staleness"] > 0 and last["flops"] > 0
    assert "not bit for bit: gradients of several actors" in training.read_json("about")["resumes"]


def test_both_forms_are_counted_alike():
    costs = []
    for asynchronous in (True, False):
        _, run = train_a3c(f"run-{asynchronous}", asynchronous=asynchronous, actors=2, num_envs=2, total_steps=200)
        costs.append(run.stage("training").metrics()[-1]["flops"])
    assert costs[0] == costs[1] > 0


@pytest.mark.parametrize("form", ["--asynchronous", "--no-asynchronous"])
def test_a_further_signal_stands_on_the_trunk(form, tmp_path):
    run_cli(
        "train", "a3c", "--env", "pixels/reacher", "--also", "bilinear-contrast:0.1", form, *SMALL,
        "--total-steps", "320", "--horizon", "5", "--run", tmp_path / "run",
    )  # fmt: skip
    rows = Run(tmp_path / "run" / "stages" / "training").metrics()
    assert {"policy/entropy", "bilinear-contrast/loss"} <= set(rows[-1])
    assert any("bilinear-contrast/cosine with policy" in row for row in rows)


# -- what goes wrong ------------------------------------------------------------------------------------------------

FAILING_ENV = """
import os, signal
import gymnasium
import numpy as np

class Burning(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32), gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps > 60:
            HOW
        return np.zeros(2, np.float32), 0.0, self.steps % 10 == 0, False, {}

gymnasium.register("Burning-v0", Burning)
"""


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise ValueError('the motor is on fire')", "failed while it steps: ValueError: the motor is on fire"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9; perhaps there is not enough memory for 2"),
    ],
    ids=["raises", "killed"],
)
def test_an_actor_that_fails_stops_the_run_in_a_sentence(how, message, tmp_path):
    name = f"burning_{how[:2]}"
    (tmp_path / f"{name}.py").write_text(FAILING_ENV.replace("HOW", how))
    words = ("train", "a3c", "--env", f"{name}:Burning-v0", *SMALL, "--horizon", "5", "--save-seconds", "0")
    output = invoke(*words, "--run", tmp_path / "run")
    assert output.code == 2 and message in output.err and output.err.count("\n") == 1
    assert list((tmp_path / "run" / "stages" / "training" / "checkpoints").iterdir())
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_no_actor_outlives_the_process_that_it_acts_for(how):
    mark = f"CAUDEX_TEST_{os.getpid()}_{how}"
    main = subprocess.Popen(
        [sys.executable, endless_actors.__file__], env=os.environ | {mark: "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert main.stdout.readline() == "going\n"
    assert len(marked_processes(mark)) >= 4  # with the process that actors are forked from
    os.killpg(main.pid, how) if how == signal.SIGINT else main.send_signal(how)  # Ctrl-C reaches all in the foreground
    stderr = main.communicate(timeout=100)[1]
    assert main.returncode == -how
    assert stderr.count("Traceback") == (how == signal.SIGINT)  # its own
    until = time.monotonic() + 10
    while marked_processes(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert not marked_processes(mark)


def marked_processes(mark: str) -> list[int]:
    """Processes that have this in their environment."""
    processes = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes() and "State:\tZ" not in (place / "status").read_text():
                processes.append(int(place.name))
        except OSError:
            continue
    return processes


def test_settings_that_cannot_be_are_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    assert_refused("train", "a3c", "--actors", "0", *where, because="--actors 0 is out of range")
    assert_refused("train", "a3c", "--also", "contrast", *where, because="shows no images to compare")
    assert_refused(
        "train", "a3c", "--device", "cpu", "--devices", "2", *where, because="take --devices 1, or --no-asynch"
    )
