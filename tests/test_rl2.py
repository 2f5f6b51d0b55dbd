"""Trials as histories: nothing is cut inside them; an agent that learned to learn, its resuming and its commands."""

import numpy as np
import pytest
import torch
from pytest import approx
from test_cli import done, refused

from caudex.agent import Observed
from caudex.classics.bandits import optimum
from caudex.experience import Histories, Within
from caudex.hardware import Hardware
from caudex.learner import Learner
from caudex.run import Run
from caudex.signals.policy_gradient import ClippedPolicy
from caudex.systems.tasks.rl2 import Rl2
from caudex.trunks import Identity, Padded, Recurrent
from caudex.worlds import trials


def histories(world, lam=1.0, batch=4, seed=0):
    torch.manual_seed(0)
    policy = ClippedPolicy({"count": world.choices})
    learner = Learner(Recurrent(Identity(world.observation.shape[0]), 8), {"policy": policy})
    return Histories(world, learner, "policy", batch, 1, gamma=0.5, lam=lam, seed=seed), learner


def test_a_trial_in_one_call_is_the_trial_step_by_step():
    trunk, x = Recurrent(Identity(3), 5), torch.randn(2, 6, 3)
    within = Within(trunk)
    steps = torch.stack([within(x[:, t]).pooled for t in range(6)], 1)
    torch.testing.assert_close(trunk(x).pooled, steps)
    other = x.clone()
    other[:, 0] += 1
    assert (trunk(other).pooled[:, -1] != steps[:, -1]).any()  # the first step is remembered to the last


def test_padding_is_never_seen():
    trunk, x = Recurrent(Identity(3), 5), torch.randn(2, 6, 3)
    seen = trunk(Padded(x, torch.tensor([2, 6]))).pooled
    torch.testing.assert_close(seen, torch.cat([trunk(x[:1, :2]).pooled[0], trunk(x[1:]).pooled[0]]))


def test_what_a_reward_is_worth_goes_through_the_ends_of_episodes():
    world = trials.make("bandits", 4, arms=3, pulls=5)
    history = next(histories(world)[0])
    rewards = history.observations.values[:, 1:, -2]  # each pull's is seen at the next
    returns = history.returns.view(4, 5)
    for t in range(3):  # every pull is an episode
        expected = rewards[:, t] + 0.5 * rewards[:, t + 1] + 0.25 * returns[:, t + 2]
        torch.testing.assert_close(returns[:, t], expected)
    assert set(returns[:, -1].round(decimals=4).tolist()) <= {0.0, 1.0}  # and nothing behind the trial counts


def test_trials_of_different_lengths_give_their_real_steps():
    world = trials.make("mazes", 3, size="small", view="above", episodes=1)
    world.family.limit = 40
    torch.manual_seed(0)
    seeing = Observed(world.family.observation.shape, world.choices + 2)
    learner = Learner(Recurrent(seeing, 8), {"policy": ClippedPolicy({"count": 3})})
    source = Histories(world, learner, "policy", 3, 1, seed=0)
    history = next(source)
    lengths = history.observations.lengths
    assert source.experience == int(lengths.sum()) == len(history.actions) == len(history.advantages)
    log_probs, _ = learner.signals["policy"].judge(learner.trunk(history.observations).pooled, history.actions)
    torch.testing.assert_close(log_probs, history.log_probs, rtol=1e-4, atol=1e-5)


def test_rounds_have_new_tasks_and_the_same_ones_after_resuming():
    first, _ = histories(trials.make("bandits", 4, pulls=3))
    one, two = next(first), next(first)
    assert not torch.equal(one.returns, two.returns)
    again, _ = histories(trials.make("bandits", 4, pulls=3))
    next(again)
    state = again.state_dict()
    resumed, _ = histories(trials.make("bandits", 4, pulls=3))
    resumed.load_state_dict(state)
    assert resumed.rounds == 1 and resumed.experience == 12


def trained(folder, **settings):
    run = Run(folder, 3, Hardware(device="cpu", save_seconds=0.0))
    run.quiet = True
    return Rl2(**{"seed": 3, "arms": 2, "pulls": 5, "tasks": 200, "batch": 50} | settings).train(run)


def test_it_learns_to_learn(tmp_path):
    agent = trained(tmp_path / "run", experience=120_000, lam=0.9, lr=0.01, width=32)
    earned = agent.play(4000, seed=1).returns.sum(1)
    assert earned.mean() > 2.5 + 0.6 * (optimum(2, 5) - 2.5)
    assert optimum(2, 5) > earned.mean() - 4 * earned.std() / 4000**0.5


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", experience=20_000)

    class Stopped(Exception):
        pass

    collect, calls = Histories.collect, []

    def stops(self):
        calls.append(1)
        if len(calls) == 12:
            raise Stopped
        return collect(self)

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(Histories, "collect", stops)
        trained(tmp_path / "stopped", experience=20_000)
    resumed = trained(tmp_path / "stopped", experience=20_000)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_new_tasks_are_tried_beside_the_classics(tmp_path):
    done("train", "rl2", "--scale", "tiny", "--pulls", "10", "--threads", "1", "--run", tmp_path / "run")
    said = done("meta-test", tmp_path / "run", "--tasks", "300").out
    assert "gittins" in said and "6.660" in said and (tmp_path / "run" / "figures" / "regret.png").exists()
    assert said == done("meta-test", tmp_path / "run", "--tasks", "300").out
    refused("meta-test", tmp_path / "run", "--tasks", "1", because="at least 2")


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    refused("train", "rl2", "--world", "bandit", *where, because="Did you mean bandits?")
    refused("train", "rl2", "--arms", "0", *where, because="0 arms")
    refused("train", "rl2", "--world", "mazes", "--arms", "5", *where, because="no setting 'arms'")
    refused("train", "rl2", "--tasks", "0", *where, because="--tasks 0 is out of range")


def test_the_agents_tasks_are_none_that_it_learned_from():
    agent_tasks = trials.make("bandits", 3, test=True)
    learned = trials.make("bandits", 3)
    for world in (agent_tasks, learned):
        world.reset(np.arange(3), np.ones(3, bool))
    assert agent_tasks.family.means.ravel().tolist() != approx(learned.family.means.ravel().tolist())
