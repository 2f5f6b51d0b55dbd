"""rl2: an agent that learned to learn, its resuming and its commands."""

from functools import partial

import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from pytest import approx

from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.run import Run
from caudex.core.signal import signal_from_spec
from caudex.core.specs import ActionSpec, EnvSpec
from caudex.envs.meta import trials
from caudex.envs.meta.trials import TrialStatistics
from caudex.evaluation.baselines.bandits import bayes_optimal_return
from caudex.evaluation.meta_test import failed_second_episodes
from caudex.experience import Histories
from caudex.models.meta_agent import TrialEncoder
from caudex.signals.outcomes import normalised_mse
from caudex.signals.policy_gradient import PPOActorCritic
from caudex.signals.trust_region import TrustRegion
from caudex.systems.meta import rl2
from caudex.systems.meta.rl2 import RL2
from caudex.trunks import GRU, CausalTransformer, Identity, Recurrent


def train_rl2(folder, **settings):
    run = Run(folder, 3, Hardware(device="cpu", save_seconds=0.0))
    run.quiet = True
    return RL2(**{"seed": 3, "arms": 2, "pulls": 5, "tasks": 200, "batch": 50} | settings).train(run)


@pytest.mark.parametrize(
    "how",
    [
        {"total_steps": 120_000},
        {"total_steps": 120_000, "memory": "transformer", "width": 16},
        {"total_steps": 60_000, "policy_update": "trpo", "separate_critic": True, "target_kl": 0.02},
        {"total_steps": 60_000, "also": ("reward:0.1",)},
    ],
    ids=["gru", "transformer", "trpo", "also-reward"],
)
def test_it_learns_to_learn(tmp_path, how):
    agent = train_rl2(tmp_path / "run", **{"gae_lambda": 0.9, "lr": 0.01, "width": 32} | how)
    returns = agent.play(4000, seed=1).returns.sum(1)
    assert returns.mean() > 2.5 + 0.5 * (bayes_optimal_return(2, 5) - 2.5)
    assert bayes_optimal_return(2, 5) > returns.mean() - 4 * returns.std() / 4000**0.5


def test_the_step_within_a_trust_region_is_within_it_and_a_gain_whatever_remembers():
    env = trials.make_trials("bandits", 40, arms=3, pulls=5)
    for core in (GRU, CausalTransformer):  # both are differentiated twice for it
        torch.manual_seed(0)
        policy = TrustRegion(ActionSpec(count=3), target_kl=0.02, baseline=Recurrent(Identity(5), 8, core))
        learner = Learner(Recurrent(Identity(5), 8, core), {"policy": policy})
        histories = next(Histories(env, learner, "policy", 40, 1))
        before_baseline = [weight.clone() for weight in policy.baseline.parameters()]
        figures = policy.policy_step(learner.trunk, histories)
        assert 0.002 < figures["kl"] <= 0.02 and figures["surrogate_gain"] > 0
        assert all(map(torch.equal, before_baseline, policy.baseline.parameters()))
        before = [weight.clone() for weight in learner.trunk.parameters()]
        learner.step({"policy": histories})  # of the value alone
        assert all(map(torch.equal, before, learner.trunk.parameters()))
        assert not any(map(torch.equal, before_baseline, policy.baseline.parameters()))


def test_the_value_is_predicted_from_a_separate_baseline():
    env = trials.make_trials("bandits", 4, arms=3, pulls=5)
    policy = PPOActorCritic(ActionSpec(count=3), baseline=Recurrent(Identity(5), 16))
    learner = Learner(Recurrent(Identity(5), 8), {"policy": policy})
    history = next(Histories(env, learner, "policy", 3, 1))
    distribution, values = policy.policy_and_values(learner.trunk, history.observations)
    torch.testing.assert_close(values, history.values)
    torch.testing.assert_close(distribution.log_prob(history.actions), history.log_probs)
    values.sum().backward()
    assert all(weight.grad is None for weight in learner.trunk.parameters())


def test_what_comes_of_an_action_is_learned_as_far_as_it_can_be():
    env = trials.make_trials("tabular-mdps", 100, states=3, actions=2, horizon=2, episodes=4)
    spec = EnvSpec(env.name, (3,), env.actions)
    torch.manual_seed(0)
    signals = dict(signal_from_spec(name, spec) for name in ("next-observation", "reward:0.5"))
    trunk = Recurrent(TrialEncoder((3,), 4), 16)
    learner = Learner(trunk, {"policy": PPOActorCritic(ActionSpec(count=2)), **signals}, partial(Adam, lr=0.01))
    batch = next(Histories(env, learner, "policy", 100, 1))
    shown, valid = batch.next_task_observations((3,))
    assert torch.equal(shown.sum(1), torch.ones(100 * 7)) and int(valid.sum()) == 100 * 7
    assert torch.equal(shown.view(100, 7, 3)[:, 1::2, 0], torch.ones(100, 3))  # each episode begins in state 0
    for true in (shown, batch.rewards):
        torch.testing.assert_close(normalised_mse(true.mean(0), true), torch.tensor(1.0))
    losses = [learner.step(dict.fromkeys(learner.signals, batch)) for _ in range(150)]
    assert all(float(losses[-1][name].loss.detach()) < 0.8 for name in signals)


def test_images_are_predicted_in_parts():
    torch.manual_seed(0)
    _, signal = signal_from_spec("next-observation", EnvSpec("mazes", (3, 28, 28), ActionSpec(3)))
    shown = torch.zeros(2, 3, 28, 28, dtype=torch.uint8)
    shown[1, 0, :14] = 255  # the upper half is red
    target = signal.targets(shown).view(2, 3, 8, 8)
    assert (
        not target[0].any() and not target[1, 1:].any() and (target[1, 0, :4] == 1).all() and not target[1, 0, 4:].any()
    )


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    uninterrupted = train_rl2(tmp_path / "whole", total_steps=20_000)

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
        train_rl2(tmp_path / "stopped", total_steps=20_000)
    resumed = train_rl2(tmp_path / "stopped", total_steps=20_000)
    for name, weight in uninterrupted.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_new_tasks_are_tried_beside_the_classics(tmp_path):
    run_cli("train", "rl2", "--scale", "tiny", "--pulls", "10", "--threads", "1", "--run", tmp_path / "run")
    printed = run_cli("meta-test", tmp_path / "run", "--tasks", "300").out
    assert "gittins" in printed and "6.660" in printed and (tmp_path / "run" / "figures" / "regret.png").exists()
    assert printed == run_cli("meta-test", tmp_path / "run", "--tasks", "300").out
    assert_refused(
        "meta-test",
        tmp_path / "run",
        "--tasks",
        "1",
        because="--tasks 1 is out of range; it must be between 2 and 1,000,000",
    )


def test_new_sizes_are_tried_and_other_arms_refused(tmp_path):
    run = tmp_path / "run"
    run_cli("train", "rl2", "--scale", "tiny", "--pulls", "5", "--threads", "1", "--run", run)
    printed = run_cli("meta-test", run, "--tasks", "300", "--pulls", "12").out
    assert f"{bayes_optimal_return(5, 12):.3f}" in printed and (run / "figures" / "regret-pulls-12.png").exists()
    assert_refused(
        "meta-test", run, "--arms", "20", because="bandits with arms 20: 0 numbers to see, 20 actions; the agent"
    )
    assert_refused("meta-test", run, "--size", "large", because="no setting 'size'")
    assert_refused(
        "meta-test", run, "--env", "mazes", because="images (3, 32, 32) to see, 3 actions; the agent learned"
    )


def test_trials_that_do_not_find_the_ball_again_are_reported_and_shown(tmp_path, monkeypatch):
    played = TrialStatistics(np.zeros((4, 2)), np.array([[9, 5], [5, 9], [250, 250], [7, 7]]), np.zeros((4, 2)))
    failed, often = failed_second_episodes(trials.make_trials("mazes", 1, view="above"), played)
    assert failed.tolist() == [False, True, True, False] and often.startswith("50.0% (15.0% to 85.0%)")
    monkeypatch.setattr(rl2, "TEST_TASKS", 8)
    run, size = tmp_path / "run", ("--tasks", "8", "--batch", "8", "--total-steps", "500", "--width", "8")
    run_cli("train", "rl2", "--env", "mazes", "--view", "above", *size, "--threads", "1", "--run", run)
    printed = " ".join(run_cli("meta-test", run, "--tasks", "10", "--episodes", "3").out.split())
    assert "of 10 new mazes the agent did not learn where the ball is" in printed
    assert (run / "figures" / "mazes-episodes-3.png").exists()


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    assert_refused("train", "rl2", "--also", "next-observation", *where, because="bandits show nothing")
    assert_refused("train", "rl2", "--also", "rotation", *where, because="needs unlabelled images")
    assert_refused("train", "ppo", "--also", "reward", *where, because="it needs trials of one task after the other")
    assert_refused(
        "train", "rl2", "--policy-update", "trpo", "--also", "reward", *where, because="for the policy alone"
    )
    assert_refused("train", "rl2", "--memory", "transformer", "--width", "12", *where, because="among 4 heads")
    assert_refused("train", "rl2", "--env", "bandit", *where, because="Did you mean bandits?")
    assert_refused(
        "train", "rl2", "--memory", "lstm", *where, because="--memory lstm is not one of 'gru', 'transformer'"
    )
    assert_refused("train", "rl2", "--arms", "two", *where, because="--arms two is not a whole number")
    assert_refused("train", "rl2", "--arms", "0", *where, because="--arms 0 is out of range")
    assert_refused("train", "rl2", "--env", "mazes", "--arms", "5", *where, because="no setting 'arms'")
    assert_refused("train", "rl2", "--batch", "501", *where, because="more than the trials of a round")
    assert_refused(
        "train", "rl2", "--tasks", "1000000", "--pulls", "1000000", *where, because="--tasks 1,000,000 needs"
    )
    assert_refused("train", "rl2", "--tasks", "0", *where, because="--tasks 0 is out of range")


def test_the_agents_tasks_are_none_that_it_learned_from():
    agent_tasks = trials.make_trials("bandits", 3, test=True)
    learned = trials.make_trials("bandits", 3)
    for env in (agent_tasks, learned):
        env.reset(np.arange(3), np.ones(3, bool))
    assert agent_tasks.family.means.ravel().tolist() != approx(learned.family.means.ravel().tolist())
